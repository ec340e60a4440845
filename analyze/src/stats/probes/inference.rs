//! p-values and intervals from held-out predictions, without refitting.
//!
//! The permutation test exchanges held-out labels (see [`exchange`](super::exchange)) against fixed
//! predictions and gives p = (1 + b) / (1 + n), where b draws score at least as well as the truth.
//!
//! Taken plainly that is too lenient. An L2-penalised prediction is to first order ŷᵢ = Σⱼ Kᵢⱼ yⱼ over the
//! prompts j of other folds, with K symmetric, so Σᵢ yᵢ ŷᵢ counts every pair twice and has twice the
//! variance that it has over exchanges with ŷ fixed: a weakly penalised logistic probe on noise had
//! p < .05 in 13 % of problems. So each draw's deviation from the mean of the draws is widened by √2,
//! which restores the spread that refitting would show. What is not restored is that under the null
//! cross-validation scores below chance (a class that is rare in training is common among the
//! held-out), so the test is conservative, and it is conditional on the fitted predictions.
//!
//! Intervals are percentile bootstraps over groups: each draw weights a prompt by how often its group was
//! drawn. They describe the scatter over groups of these predictions, not that of refitting.

use rand::{Rng, RngExt};

use super::exchange::{Exchange, Identity};
use super::folds::rows_by_group;
use super::metrics::{Metric, Scored};

/// p-values, one a metric; none where the metric is undefined for the truth. Draws in which it is
/// undefined count as reaching it.
pub(super) fn permutation_p<S: Scored<Label: Identity>>(
    scores: &S,
    labels: &[S::Label],
    groups: &[usize],
    n_permutations: usize,
    rng: &mut impl Rng,
) -> Vec<Option<f64>> {
    let weights = vec![1.0; labels.len()];
    let observed = scores.evaluate(labels, &weights);
    if n_permutations == 0 {
        return vec![None; observed.len()];
    }
    let exchange = Exchange::new(groups, labels);
    let mut source = vec![0; labels.len()];
    let mut permuted = labels.to_vec();
    let mut draws = vec![Vec::with_capacity(n_permutations); observed.len()];
    for _ in 0..n_permutations {
        exchange.draw(rng, &mut source);
        permuted.iter_mut().zip(&source).for_each(|(to, &from)| *to = labels[from]);
        for (draws, value) in draws.iter_mut().zip(scores.evaluate(&permuted, &weights)) {
            draws.extend(value);
        }
    }
    let p = |(j, &metric): (usize, &Metric)| {
        observed[j].map(|observed| {
            let n_undefined = n_permutations - draws[j].len();
            let n_reached = count_reached(metric, observed, &draws[j]) + n_undefined;
            (1 + n_reached) as f64 / (1 + n_permutations) as f64
        })
    };
    scores.metrics().iter().enumerate().map(p).collect()
}

/// Draws that, widened about their mean by √2, score at least as well as the truth.
fn count_reached(metric: Metric, observed: f64, draws: &[f64]) -> usize {
    let mean = draws.iter().sum::<f64>() / draws.len().max(1) as f64;
    // Equal scores can differ in the last digits, their sums having another order.
    let rounding = 1e-12 * observed.abs().max(1e-3);
    let reached = |&&draw: &&f64| {
        let widened = mean + std::f64::consts::SQRT_2 * (draw - mean);
        draw == observed || metric.gain(widened, observed) >= -rounding
    };
    draws.iter().filter(reached).count()
}

/// Percentile intervals, one a metric; none where fewer than half of the draws define it, or with one
/// group only.
pub(super) fn bootstrap_intervals<S: Scored>(
    scores: &S,
    labels: &[S::Label],
    groups: &[usize],
    (n_bootstrap, confidence): (usize, f64),
    rng: &mut impl Rng,
) -> Vec<Option<(f64, f64)>> {
    let members: Vec<Vec<usize>> = rows_by_group(groups).into_values().collect();
    let mut draws: Vec<Vec<f64>> = vec![Vec::with_capacity(n_bootstrap); scores.metrics().len()];
    if members.len() < 2 || n_bootstrap == 0 {
        return vec![None; draws.len()];
    }
    let mut weights = vec![0.0; labels.len()];
    for _ in 0..n_bootstrap {
        weights.fill(0.0);
        for _ in 0..members.len() {
            let group = rng.random_range(0..members.len());
            members[group].iter().for_each(|&row| weights[row] += 1.0);
        }
        for (draws, value) in draws.iter_mut().zip(scores.evaluate(labels, &weights)) {
            draws.extend(value);
        }
    }
    let tail = 0.5 * (1.0 - confidence);
    let interval = |mut draws: Vec<f64>| {
        draws.sort_by(f64::total_cmp);
        (2 * draws.len() >= n_bootstrap).then(|| (quantile(&draws, tail), quantile(&draws, 1.0 - tail)))
    };
    draws.into_iter().map(interval).collect()
}

/// The quantile of sorted values by linear interpolation (Hyndman & Fan 1996, type 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}
