//! What a score is worth: how it varies, and whether it is more than chance.
//!
//! **Chance and p-value.** Labels are permuted as [`super::permuted_labels`] allows and the probe is refitted:
//! p = (1 + b) / (1 + n), where b refits score at least as well as the fit to the true labels, both as the mean over fold
//! plans. One permutation must serve all plans, so these plans know nothing of the labels, while those that score a
//! logistic probe are stratified by them. The mean of refits on stratified folds, labels permuted within them, is the score
//! that the probe has by chance; a ridge probe's plans are the same for both. [`super::refits`] says how labels are fitted.
//!
//! **Interval.** Leaving out one group at a time (a jackknife of fixed predictions) gives how a score varies with the
//! groups that are tested. Training sets share groups too: Nadeau & Bengio (2003) correct the variance of K folds by
//! 1/K + n_test/n_train instead of 1/K, that is by the factor 1 + K / (K − 1). The interval is that of Student's t with
//! one degree of freedom less than there are groups.

use super::folds::rows_by_group;
use super::metrics::{Metric, Scored};
use crate::clusters::t_quantile;
use crate::summary::Interval;

/// Scores under the true labels and under permuted ones, as gains: larger is better.
#[derive(Debug, Clone, PartialEq)]
pub struct NullScores {
    /// The gain with the true labels.
    pub observed: f64,
    /// The gain of each refit; minus infinity where it is undefined.
    pub permuted: Vec<f64>,
}

impl NullScores {
    /// (1 + refits that score at least as well) / (1 + refits).
    pub fn p_value(&self) -> f64 {
        let n_reached = self.permuted.iter().filter(|gain| reaches(**gain, self.observed)).count();
        (1 + n_reached) as f64 / (1 + self.permuted.len()) as f64
    }
}

/// Family-wise error p-values of probes whose labels were permuted alike (layers of one condition): each refit counts by
/// the best of the probes.
pub fn familywise_p_values(nulls: &[&NullScores]) -> Vec<f64> {
    let n_refits = nulls.first().map_or(0, |null| null.permuted.len());
    let best: Vec<f64> = (0..n_refits)
        .map(|refit| nulls.iter().map(|null| null.permuted[refit]).fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let p_value = |null: &&NullScores| {
        let n_reached = best.iter().filter(|gain| reaches(**gain, null.observed)).count();
        (1 + n_reached) as f64 / (1 + n_refits) as f64
    };
    nulls.iter().map(p_value).collect()
}

/// Whether a refit scores at least as well; equal scores can differ in the last digits of their sums.
fn reaches(gain: f64, observed: f64) -> bool {
    gain >= observed - 1e-12 * observed.abs().max(1e-3)
}

/// A gain: the score, turned so that larger is better.
pub(super) fn gain(metric: Metric, score: Option<f64>) -> f64 {
    score.map_or(f64::NEG_INFINITY, |score| metric.gain(score, 0.0))
}

/// Interval of the mean of each metric over fold plans; `None` with fewer than two groups, or where leaving out some group
/// leaves a metric undefined.
pub(super) fn jackknife_intervals<S: Scored>(
    repeats: &[&S],
    labels: &[S::Label],
    groups: &[usize],
    (n_folds, confidence): (usize, f64),
) -> Vec<Option<Interval>> {
    let members: Vec<Vec<usize>> = rows_by_group(groups).into_values().collect();
    let metrics = repeats[0].metrics();
    if members.len() < 2 {
        return vec![None; metrics.len()];
    }
    let mut weights = vec![1.0; labels.len()];
    let whole = mean_scores(repeats, labels, &weights);
    let left_out: Vec<Vec<Option<f64>>> = members
        .iter()
        .map(|rows| {
            rows.iter().for_each(|&row| weights[row] = 0.0);
            let scores = mean_scores(repeats, labels, &weights);
            rows.iter().for_each(|&row| weights[row] = 1.0);
            scores
        })
        .collect();
    let n_groups = members.len() as f64;
    let training = 1.0 + n_folds as f64 / (n_folds - 1) as f64;
    let interval = |(m, metric): (usize, &Metric)| {
        let scores: Vec<f64> = left_out.iter().map(|scores| scores[m]).collect::<Option<_>>()?;
        let mean = scores.iter().sum::<f64>() / n_groups;
        let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        let standard_error = ((n_groups - 1.0) / n_groups * squares * training).sqrt();
        let half = t_quantile(confidence, n_groups - 1.0) * standard_error;
        let (least, most) = metric.range();
        let value = whole[m]?;
        Some(Interval { low: (value - half).max(least), high: (value + half).min(most) })
    };
    metrics.iter().enumerate().map(interval).collect()
}

/// Mean over fold plans of each metric; none where some plan leaves it undefined.
pub(super) fn mean_scores<S: Scored>(
    repeats: &[&S],
    labels: &[S::Label],
    weights: &[f64],
) -> Vec<Option<f64>> {
    let scores: Vec<Vec<Option<f64>>> =
        repeats.iter().map(|scores| scores.evaluate(labels, weights)).collect();
    let mean = |m: usize| {
        let defined: Vec<f64> = scores.iter().map(|scores| scores[m]).collect::<Option<_>>()?;
        Some(defined.iter().sum::<f64>() / defined.len() as f64)
    };
    (0..repeats[0].metrics().len()).map(mean).collect()
}
