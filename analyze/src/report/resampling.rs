//! Intervals of behaviour, by the bootstrap over items; the same resamples serve every condition.

use super::wording::Estimate;
use crate::stats::RandomStream;
use crate::stats::resampling::bootstrap_clusters;
use crate::stats::summary::{percentile, percentile_interval};
use std::collections::BTreeMap;

/// Resamples of items.
pub(super) const N_DRAWS: usize = 2000;
/// Coverage of the intervals.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Seed of the resamples.
pub(super) const SEED: u64 = 7;

/// What stands for a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    /// The mean over items.
    Mean,
    /// The median over items.
    Median,
}

/// Scores of one metric by item and condition.
#[derive(Debug, Default)]
pub(super) struct ItemScores {
    conditions: BTreeMap<String, BTreeMap<String, f64>>,
}

impl ItemScores {
    /// Adds a score.
    pub(super) fn insert(&mut self, condition: &str, item: &str, score: f64) {
        self.conditions.entry(condition.to_owned()).or_default().insert(item.to_owned(), score);
    }

    /// Interval of a condition's statistic.
    pub(super) fn level_interval(&self, condition: &str, statistic: Statistic) -> Option<(f64, f64)> {
        let scores: Vec<f64> = self.conditions.get(condition)?.values().copied().collect();
        resample(scores.len(), |items| compute(statistic, items.map(|i| scores[i])))
    }

    /// Change of the statistic from `first` to `last` over the items that both have, and their number.
    pub(super) fn change(&self, first: &str, last: &str, statistic: Statistic) -> Option<(Estimate, usize)> {
        let (first, last) = (self.conditions.get(first)?, self.conditions.get(last)?);
        let pairs: Vec<(f64, f64)> =
            first.iter().filter_map(|(item, a)| Some((*a, *last.get(item)?))).collect();
        let difference = |items: &mut dyn Iterator<Item = usize>| {
            let (a, b): (Vec<f64>, Vec<f64>) = items.map(|i| pairs[i]).unzip();
            Some(compute(statistic, b.into_iter())? - compute(statistic, a.into_iter())?)
        };
        let value = difference(&mut (0..pairs.len()))?;
        let interval = resample(pairs.len(), difference);
        let estimate = Estimate {
            value,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
            confidence: CONFIDENCE,
        };
        Some((estimate, pairs.len()))
    }
}

fn compute(statistic: Statistic, values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    match statistic {
        Statistic::Mean => crate::stats::summary::mean(&values),
        Statistic::Median => percentile(&values, 50.0),
    }
}

/// Percentile interval of a statistic of drawn items; `None` for fewer than four items.
fn resample(
    n_items: usize,
    statistic: impl Fn(&mut dyn Iterator<Item = usize>) -> Option<f64> + Sync,
) -> Option<(f64, f64)> {
    if n_items < 4 {
        return None;
    }
    let stream = RandomStream::new(SEED, &["report", "behavior"]);
    let resamples =
        bootstrap_clusters(n_items, N_DRAWS, stream, |items| statistic(&mut items.iter().copied()));
    percentile_interval(&resamples, CONFIDENCE).ok().map(|i| (i.low, i.high))
}
