//! From an interval and a p-value to a verdict.

use super::{Found, Sign};
use crate::stats::clusters::{t_p_value, t_quantile};
use hypercolumn_schemas::tables::ClaimRow;

/// Level of q below which a sign counts as found.
const LEVEL: f64 = 0.05;

/// The share of studies that should find a detectable effect.
const POWER: f64 = 0.8;

/// An effect with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Effect {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) p_value: Option<f64>,
    standard_error: f64,
}

impl Effect {
    /// The effect in a row; none where it is undefined. `degrees` are those of the interval's t.
    pub(super) fn of(found: &Found, confidence: f64, degrees: f64) -> Option<Self> {
        let (value, low, high) = (found.estimate?, found.ci_low?, found.ci_high?);
        if degrees < 1.0 {
            return None;
        }
        let standard_error = 0.5 * (high - low) / t_quantile(confidence, degrees);
        Some(Self { value, low, high, p_value: found.p_value, standard_error })
    }

    /// The difference of two effects that are measured on the same prompts. Their covariance is not known: the standard error
    /// is the largest that it can be, the sum of both, so that interval and p-value err towards caution.
    pub(super) fn minus(&self, other: &Self, confidence: f64, degrees: f64) -> Self {
        let (value, standard_error) = (self.value - other.value, self.standard_error + other.standard_error);
        let width = t_quantile(confidence, degrees) * standard_error;
        let p_value = (standard_error > 0.0).then(|| t_p_value(value / standard_error, degrees));
        Self { value, low: value - width, high: value + width, p_value, standard_error }
    }

    /// The effect that is found with [`POWER`] at a two-sided level of .05.
    pub(super) fn detectable(&self, degrees: f64) -> f64 {
        // t_quantile is that of a two-sided interval; a coverage of 2 POWER - 1 gives the quantile of POWER.
        (t_quantile(1.0 - LEVEL, degrees) + t_quantile(2.0 * POWER - 1.0, degrees)) * self.standard_error
    }
}

/// The verdict on a claim whose p-value is corrected.
pub(super) fn verdict(row: &ClaimRow) -> &'static str {
    let sign = if row.expected_sign == Sign::Positive.name() { 1.0 } else { -1.0 };
    let Some(estimate) = row.estimate else { return "cannot be told" };
    let is_found = row.q_value.is_some_and(|q| q < LEVEL);
    let best = row.ci_low.zip(row.ci_high).map(|(low, high)| if sign > 0.0 { high } else { -low });
    let is_too_small = row.smallest.zip(best).is_some_and(|(smallest, best)| best < smallest);
    match (is_found, sign * estimate > 0.0) {
        (true, false) => "not held",
        _ if is_too_small => "not held",
        (true, true) => "held",
        _ => "cannot be told",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(estimate: f64, half_width: f64, p_value: f64) -> Found {
        Found {
            condition: "icl_4".into(),
            reference_condition: Some("icl_0".into()),
            layer: 3,
            estimate: Some(estimate),
            ci_low: Some(estimate - half_width),
            ci_high: Some(estimate + half_width),
            p_value: Some(p_value),
            n: 96,
            n_units: 96,
            n_clusters: 21,
            reason: None,
        }
    }

    #[test]
    fn a_detectable_effect_is_that_of_a_power_table() {
        // scipy 1.17.1: (t.ppf(.975, 20) + t.ppf(.8, 20)) * se, with se = .1 / t.ppf(.975, 20).
        let effect = Effect::of(&found(0.3, 0.1, 0.001), 0.95, 20.0).expect("defined");
        assert!((effect.detectable(20.0) - 0.141_226_2).abs() < 1e-6, "{}", effect.detectable(20.0));
    }

    #[test]
    fn a_difference_is_no_surer_than_its_rows() {
        let (one, other) = (found(0.3, 0.1, 0.001), found(0.1, 0.05, 0.01));
        let [one, other] = [&one, &other].map(|f| Effect::of(f, 0.95, 20.0).expect("defined"));
        let difference = one.minus(&other, 0.95, 20.0);
        assert!((difference.value - 0.2).abs() < 1e-12 && (difference.low - 0.05).abs() < 1e-12);
        // scipy 1.17.1: 2 * t.sf(.2 / (.15 / t.ppf(.975, 20)), 20).
        assert!((difference.p_value.expect("a p-value") - 0.011_523_8).abs() < 1e-6, "{difference:?}");
    }

    #[test]
    fn verdicts_need_the_sign_and_the_size() {
        let row = |sign: Sign, estimate: f64, q_value: f64, smallest: Option<f64>| ClaimRow {
            preset: "s".into(),
            claim: "c".into(),
            about: "rsa".into(),
            condition: None,
            reference_condition: None,
            layer: None,
            expected_sign: sign.name().into(),
            estimate: Some(estimate),
            ci_low: Some(estimate - 0.1),
            ci_high: Some(estimate + 0.1),
            p_value: None,
            q_value: Some(q_value),
            verdict: String::new(),
            smallest,
            detectable: None,
            n: None,
            n_units: None,
            n_clusters: None,
            confidence: 0.95,
            family: String::new(),
            seed: String::new(),
            reason: None,
        };
        assert_eq!(verdict(&row(Sign::Positive, 0.3, 0.01, None)), "held");
        assert_eq!(verdict(&row(Sign::Negative, -0.3, 0.01, None)), "held");
        assert_eq!(verdict(&row(Sign::Negative, 0.3, 0.01, None)), "not held");
        assert_eq!(verdict(&row(Sign::Positive, 0.05, 0.4, None)), "cannot be told");
        assert_eq!(verdict(&row(Sign::Positive, 0.05, 0.4, Some(0.2))), "not held");
        assert_eq!(verdict(&row(Sign::Positive, 0.15, 0.01, Some(0.2))), "held");
        assert_eq!(
            verdict(&ClaimRow { estimate: None, ..row(Sign::Positive, 0.3, 0.01, None) }),
            "cannot be told"
        );
    }
}
