//! What happens along the layers: where a layer stands on the axis, at which layers something changes, and
//! the sentence that says so, also when nothing does.

use super::chart::AxisPlan;
use super::wording::{Estimate, interval, sentence_case, signed};

/// Level of q below which a change counts in sentences and marks.
pub(super) const Q_LEVEL: f64 = 0.05;

/// The site after the model's last norm, which shares its layer number with the last block.
const FINAL_NORM: &str = "final_norm";

/// A layer and the site in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) layer: i64,
    /// Whether it is the state after the model's last norm.
    pub(super) is_final_norm: bool,
}

impl Place {
    /// The place of a row.
    pub(super) fn new(layer: i64, site: &str) -> Self {
        Self { layer, is_final_norm: site == FINAL_NORM }
    }

    /// Position on the axis: the final norm stands one step after the last block.
    pub(super) fn x(&self) -> f64 {
        self.layer as f64 + if self.is_final_norm { 1.0 } else { 0.0 }
    }

    pub(super) fn name(&self) -> String {
        if self.is_final_norm { "the final norm".to_owned() } else { format!("layer {}", self.layer) }
    }
}

/// The axis of layers; `places` decide its end and whether the final norm is on it.
pub(super) fn layer_axis<'a>(places: impl Iterator<Item = &'a Place>) -> AxisPlan {
    let (mut last, mut has_norm) = (0, false);
    for place in places {
        last = last.max(place.layer);
        has_norm |= place.is_final_norm;
    }
    let step = match last {
        0..=12 => 2,
        13..=40 => 5,
        _ => 10,
    };
    let regular = (0..=last).step_by(step).filter(|&l| !has_norm || last + 1 - l > step as i64 / 2);
    let mut values: Vec<f64> = regular.map(|l| l as f64).collect();
    let mut labels: Vec<String> = values.iter().map(|v| format!("{v:.0}")).collect();
    if has_norm {
        values.push(last as f64 + 1.0);
        labels.push("norm".to_owned());
    }
    let end = last as f64 + if has_norm { 1.6 } else { 0.6 };
    let title = "layer (0 is the token embedding)".to_owned();
    AxisPlan { title, range: Some((-0.6, end)), ticks: Some((values, labels)) }
}

/// A change at one place.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) place: Place,
    pub(super) estimate: Estimate,
    /// The table's q-value, if there is one.
    pub(super) q_value: Option<f64>,
}

/// Where along the layers something changes.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// Places looked at.
    pub(super) n: usize,
    /// Places of a reliable rise.
    pub(super) n_up: usize,
    /// Places of a reliable fall.
    pub(super) n_down: usize,
    /// The largest reliable change; without one, the largest change.
    pub(super) largest: Change,
}

impl Verdict {
    /// Whether anything changes.
    pub(super) fn is_reliable(&self) -> bool {
        self.n_up + self.n_down > 0
    }
}

/// Decides over all places: reliable is a change whose interval excludes 0 and whose q-value in the table, which is
/// corrected over its family, is below [`Q_LEVEL`]. `None` without places.
pub(super) fn judge(changes: &[Change]) -> Option<Verdict> {
    let is_reliable =
        |change: &&Change| change.estimate.excludes_zero() && change.q_value.is_some_and(|q| q < Q_LEVEL);
    let reliable: Vec<&Change> = changes.iter().filter(is_reliable).collect();
    let size = |c: &&Change| c.estimate.value.abs();
    let largest_of =
        |among: &[&Change]| among.iter().copied().max_by(|a, b| size(a).total_cmp(&size(b))).cloned();
    let n_up = reliable.iter().filter(|c| c.estimate.value > 0.0).count();
    let everything: Vec<&Change> = changes.iter().collect();
    let largest = largest_of(&reliable).or_else(|| largest_of(&everything))?;
    Some(Verdict { n: changes.len(), n_up, n_down: reliable.len() - n_up, largest })
}

/// `With 8 examples instead of 1, X rises at 20 of 31 layers, most at layer 14: +0.21 (…).`
pub(super) fn change_sentence(contrast: &str, subject: &str, verdict: &Verdict) -> String {
    let Change { place, estimate, .. } = &verdict.largest;
    let size = format!("{} ({})", signed(estimate.value), interval(*estimate));
    let place = place.name();
    let n = verdict.n;
    let contrast = sentence_case(contrast);
    match (verdict.n_up, verdict.n_down) {
        (0, 0) => {
            let why = if estimate.excludes_zero() {
                ", which does not survive the correction"
            } else {
                ", which includes 0"
            };
            format!(
                "{contrast}, {subject} does not change reliably at any of the {n} layers; \
                 the largest change is {size}{why}, at {place}."
            )
        }
        (up, 0) => {
            format!("{contrast}, {subject} rises at {up} of {n} layers, most at {place}: {size}.")
        }
        (0, down) => {
            format!("{contrast}, {subject} falls at {down} of {n} layers, most at {place}: {size}.")
        }
        (up, down) => format!(
            "{contrast}, {subject} rises at {up} and falls at {down} of {n} layers; \
             the largest change is {size}, at {place}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(layer: i64, value: f64, half_width: f64, q_value: f64) -> Change {
        let estimate = Estimate {
            value,
            low: Some(value - half_width),
            high: Some(value + half_width),
            confidence: 0.95,
        };
        Change { place: Place::new(layer, "resid_post"), estimate, q_value: Some(q_value) }
    }

    #[test]
    fn sentences_say_the_direction() {
        let rises = [change(0, 0.0, 0.1, 0.9), change(1, 0.4, 0.1, 0.001), change(2, 0.3, 0.1, 0.001)];
        let text = change_sentence("with 8 examples instead of 1", "it", &judge(&rises).unwrap());
        assert!(text.starts_with("With 8 examples instead of 1, it rises at 2 of 3 layers, most at layer 1"));
        let falls: Vec<Change> =
            rises.iter().map(|c| change(c.place.layer, -c.estimate.value, 0.1, 0.001)).collect();
        assert!(change_sentence("x", "it", &judge(&falls).unwrap()).contains("falls at 2 of 3"));
    }

    #[test]
    fn a_null_is_called_one() {
        let nothing = [change(0, 0.02, 0.1, 0.6), change(1, -0.01, 0.1, 0.8)];
        let text = change_sentence("x", "it", &judge(&nothing).unwrap());
        assert!(text.contains("does not change reliably at any of the 2 layers"));
        assert!(text.contains("which includes 0, at layer 0"));
    }

    #[test]
    fn one_lucky_layer_among_many_does_not_count() {
        let mut layers: Vec<Change> = (0..30).map(|l| change(l, 0.01, 0.1, 0.8)).collect();
        layers.push(change(30, 0.12, 0.1, 0.6));
        let verdict = judge(&layers).unwrap();
        assert!(!verdict.is_reliable());
        assert!(change_sentence("x", "it", &verdict).contains("does not survive the correction"));
    }
}
