//! Draws of the next token, the same on every backend that gives the same logits.

/// A draw from the nucleus of a row's distribution (Holtzman et al. 2020): the fewest likeliest tokens whose probabilities at
/// this temperature reach `top_p`, with their probabilities scaled to a sum of 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// What logits are divided by, above 0.
    pub temperature: f64,
    /// Above 0, up to 1.
    pub top_p: f64,
    /// From 0, below 1: where in the nucleus' cumulative distribution the token lies.
    pub uniform: f64,
}

impl Draw {
    /// The token drawn from `logits`, `[n_vocabulary]`. Without a nucleus, tokens are cumulated in the order of the
    /// vocabulary; in one, the likeliest first and equal ones in that order.
    pub fn token(self, logits: &[f32]) -> u32 {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: &f32| (f64::from(logit - largest) / self.temperature).exp();
        let mut weights: Vec<(usize, f64)> = logits.iter().map(weight).enumerate().collect();
        let mut total = weights.iter().map(|(_, weight)| weight).sum::<f64>();
        if self.top_p < 1.0 {
            // Tokens below this together lack less than the nucleus may: none of them is in it.
            let least = (1.0 - self.top_p) * total / logits.len() as f64;
            weights.retain(|(_, weight)| *weight >= least);
            weights.sort_unstable_by(|(i, a), (j, b)| b.total_cmp(a).then(i.cmp(j)));
            let enough = self.top_p * total;
            total = 0.0;
            let mut n = 0;
            while n < weights.len() && total < enough {
                total += weights[n].1;
                n += 1;
            }
            weights.truncate(n);
        }
        let mut rest = self.uniform * total;
        for (token, weight) in &weights {
            rest -= weight;
            if rest < 0.0 {
                return *token as u32;
            }
        }
        // Rounding may leave a rest after the last token that can be drawn.
        weights.iter().rev().find(|(_, weight)| *weight > 0.0).map_or(0, |(token, _)| *token as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Shares of tokens over draws whose uniforms are equally spaced.
    fn shares(logits: &[f32], temperature: f64, top_p: f64) -> BTreeMap<u32, f64> {
        let n = 20_000;
        let mut shares = BTreeMap::new();
        for i in 0..n {
            let draw = Draw { temperature, top_p, uniform: (f64::from(i) + 0.5) / f64::from(n) };
            *shares.entry(draw.token(logits)).or_insert(0.0) += 1.0 / f64::from(n);
        }
        shares
    }

    /// Logits and the probabilities that `transformers` 5.23 draws from after its temperature and nucleus
    /// (`TemperatureLogitsWarper`, `TopPLogitsWarper`, softmax), from `tests/fixtures/draws/draws.json`.
    #[test]
    fn shares_are_the_probabilities_of_transformers() {
        let cases: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/draws/draws.json")).expect("JSON");
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
        };
        for case in cases.as_array().expect("a list") {
            let logits: Vec<f32> = numbers(&case["logits"]).into_iter().map(|v| v as f32).collect();
            let number = |key: &str| case[key].as_f64().expect("a number");
            let shares = shares(&logits, number("temperature"), number("top_p"));
            for (token, expected) in numbers(&case["probabilities"]).into_iter().enumerate() {
                let share = shares.get(&(token as u32)).copied().unwrap_or(0.0);
                assert!((share - expected).abs() <= 1e-4, "{case}: token {token} has {share}");
            }
        }
    }

    #[test]
    fn a_small_nucleus_and_a_low_temperature_are_greedy() {
        let logits = [0.5, 2.0, 1.9, -1.0];
        assert_eq!(shares(&logits, 1.0, 1e-9).len(), 1);
        assert_eq!(shares(&logits, 1e-3, 1.0).keys().collect::<Vec<_>>(), [&1]);
        let last = Draw { temperature: 1.0, top_p: 1.0, uniform: 1.0 - f64::EPSILON };
        assert_eq!(last.token(&[0.0, f32::NEG_INFINITY]), 0, "what has no probability is not drawn");
    }
}
