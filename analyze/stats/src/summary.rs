//! Means, spreads and percentiles of plain samples, and percentile intervals of resamples.

use super::comparison::is_constant;
use super::error::Undefined;

/// A two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

/// Sample standard deviation (ddof 1); exactly 0 for equal values, `None` for fewer than two.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let center = mean(values).filter(|_| values.len() > 1)?;
    if is_constant(values) {
        return Some(0.0);
    }
    let squares = values.iter().map(|v| (v - center).powi(2)).sum::<f64>();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// The `q`-th percentile, `q` in [0, 100], with linear interpolation (numpy's default, type 7 of
/// Hyndman & Fan 1996); `None` of nothing.
pub fn percentile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    percentile_of_sorted(&sorted, q)
}

/// [`percentile`] of values already in ascending order.
pub fn percentile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q.clamp(0.0, 100.0) / 100.0 * sorted.len().checked_sub(1)? as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

/// The central percentile interval of resamples, over those in which the statistic is defined.
///
/// # Errors
/// [`Undefined::TooFewDefinedResamples`] when it is undefined in more than half of them, or there are none.
pub fn percentile_interval(resamples: &[Option<f64>], confidence: f64) -> Result<Interval, Undefined> {
    let mut defined: Vec<f64> = resamples.iter().filter_map(|&value| value).collect();
    if 2 * defined.len() < resamples.len() {
        return Err(Undefined::TooFewDefinedResamples);
    }
    defined.sort_unstable_by(f64::total_cmp);
    let tail = 50.0 * (1.0 - confidence);
    let ends = percentile_of_sorted(&defined, tail).zip(percentile_of_sorted(&defined, 100.0 - tail));
    let (low, high) = ends.ok_or(Undefined::TooFewDefinedResamples)?;
    Ok(Interval { low, high })
}
