//! Intervals of behaviour, by the bootstrap over the task's clusters; the same resamples serve every condition.

use super::wording::Estimate;
use hypercolumn_stats::RandomStream;
use hypercolumn_stats::resampling::{bootstrap_clusters, expanded_percentile_interval};
use hypercolumn_stats::summary::{mean, percentile};
use std::collections::BTreeMap;

/// Resamples of clusters.
pub(super) const N_RESAMPLES: usize = 2000;
/// Coverage of the intervals.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Seed of the resamples.
pub(super) const SEED: u64 = 7;
/// Fewest clusters for an interval.
const MIN_CLUSTERS: usize = 4;

/// What stands for a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    /// The mean over items.
    Mean,
    /// The median over items.
    Median,
}

impl Statistic {
    fn of(self, values: &[f64]) -> Option<f64> {
        match self {
            Self::Mean => mean(values),
            Self::Median => percentile(values, 50.0),
        }
    }
}

/// One item's score in one condition.
#[derive(Debug)]
struct ItemScore {
    cluster: String,
    score: f64,
}

/// Scores of one metric by condition and item.
#[derive(Debug, Default)]
pub(super) struct ItemScores {
    conditions: BTreeMap<String, BTreeMap<String, ItemScore>>,
}

/// The change of a statistic between two conditions.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreChange {
    pub(super) estimate: Estimate,
    /// Items that both conditions have.
    pub(super) n_items: usize,
    /// Clusters among them.
    pub(super) n_clusters: usize,
}

impl ItemScores {
    /// Adds a score of an item, whose cluster is the same in all conditions.
    pub(super) fn insert(&mut self, condition: &str, item: &str, cluster: &str, score: f64) {
        let score = ItemScore { cluster: cluster.to_owned(), score };
        self.conditions.entry(condition.to_owned()).or_default().insert(item.to_owned(), score);
    }

    /// Interval of a condition's statistic.
    pub(super) fn level_interval(&self, condition: &str, statistic: Statistic) -> Option<(f64, f64)> {
        let scores = self.conditions.get(condition)?.values();
        let clusters = by_cluster(scores.map(|item| (item.cluster.as_str(), item.score)));
        resample(&clusters, |drawn| {
            statistic.of(&drawn.iter().flat_map(|c| c.iter().copied()).collect::<Vec<_>>())
        })
    }

    /// Change of the statistic from `first` to `last` over the items that both have.
    pub(super) fn change(&self, first: &str, last: &str, statistic: Statistic) -> Option<ScoreChange> {
        let (first, last) = (self.conditions.get(first)?, self.conditions.get(last)?);
        let pairs = first.iter().filter_map(|(item, before)| {
            Some((before.cluster.as_str(), (before.score, last.get(item)?.score)))
        });
        let clusters = by_cluster(pairs);
        let difference = |drawn: &[&[(f64, f64)]]| {
            let (before, after): (Vec<f64>, Vec<f64>) = drawn.iter().flat_map(|c| c.iter().copied()).unzip();
            Some(statistic.of(&after)? - statistic.of(&before)?)
        };
        let everything: Vec<&[(f64, f64)]> = clusters.iter().map(Vec::as_slice).collect();
        let value = difference(&everything)?;
        let interval = resample(&clusters, difference);
        let estimate = Estimate {
            value,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
            confidence: CONFIDENCE,
        };
        let n_items = clusters.iter().map(Vec::len).sum();
        Some(ScoreChange { estimate, n_items, n_clusters: clusters.len() })
    }
}

/// The values of each cluster, clusters by name.
fn by_cluster<'a, T>(values: impl Iterator<Item = (&'a str, T)>) -> Vec<Vec<T>> {
    let mut clusters: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    values.for_each(|(cluster, value)| clusters.entry(cluster).or_default().push(value));
    clusters.into_values().collect()
}

/// Interval of a statistic of drawn clusters; `None` for fewer than [`MIN_CLUSTERS`].
fn resample<T: Sync>(
    clusters: &[Vec<T>],
    statistic: impl Fn(&[&[T]]) -> Option<f64> + Sync,
) -> Option<(f64, f64)> {
    let n_clusters = clusters.len();
    if n_clusters < MIN_CLUSTERS {
        return None;
    }
    let stream = RandomStream::new(SEED, &["report", "behavior"]);
    let of_drawn = |drawn: &[usize]| {
        statistic(&drawn.iter().map(|&cluster| clusters[cluster].as_slice()).collect::<Vec<_>>())
    };
    let resamples = bootstrap_clusters(n_clusters, N_RESAMPLES, stream, of_drawn);
    expanded_percentile_interval(&resamples, n_clusters, CONFIDENCE).ok().map(|i| (i.low, i.high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(is_clustered: bool) -> ItemScores {
        let mut scores = ItemScores::default();
        for cluster in 0..8 {
            for item in 0..10 {
                let name = format!("{cluster}-{item}");
                let of = if is_clustered { cluster.to_string() } else { name.clone() };
                let level = f64::from(cluster) + 0.01 * f64::from(item);
                scores.insert("a", &name, &of, level);
                scores.insert("b", &name, &of, 2.0 * level + 1.0);
            }
        }
        scores
    }

    #[test]
    fn items_of_a_cluster_are_drawn_together() {
        let width = |scores: &ItemScores| {
            let (low, high) = scores.level_interval("a", Statistic::Mean).unwrap();
            high - low
        };
        let ratio = width(&scores(true)) / width(&scores(false));
        // Items that repeat their cluster's value are one observation: sqrt(10), and the factor of Student's t.
        assert!(ratio > 3.0 && ratio < 4.5, "{ratio}");
        let change = scores(true).change("a", "b", Statistic::Median).unwrap();
        assert_eq!((change.n_items, change.n_clusters), (80, 8));
        assert!((change.estimate.value - 4.545).abs() < 1e-9, "{:?}", change.estimate);
        let of_items = scores(false).change("a", "b", Statistic::Median).unwrap().estimate;
        assert!(change.estimate.high.unwrap() > of_items.high.unwrap());
    }

    #[test]
    fn three_clusters_give_no_interval() {
        let mut few = ItemScores::default();
        (0..12).for_each(|i| few.insert("a", &i.to_string(), &(i % 3).to_string(), f64::from(i)));
        assert_eq!(few.level_interval("a", Statistic::Mean), None);
    }
}
