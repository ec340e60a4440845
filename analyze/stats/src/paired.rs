//! Did items change? Student's t and Wilcoxon's signed-rank test on differences within items.

use statrs::function::{beta::beta_reg, erf::erfc};

use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::ranking::SortedOrder;
use super::summary::{mean, standard_deviation};

/// A one-sample or paired t-test, two-sided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TTest {
    /// Student's t.
    pub t: f64,
    /// Degrees of freedom, n - 1.
    pub degrees_of_freedom: f64,
    /// Two-sided.
    pub p_value: f64,
    /// Mean of the differences (from the null value, or after - before).
    pub mean_difference: f64,
    /// Cohen's d_z: mean over standard deviation (ddof 1) of the differences.
    pub effect_size: f64,
    /// Differences.
    pub n: usize,
}

/// Tests whether the mean of `values` is `null_mean`.
///
/// # Errors
/// [`Undefined::TooFewObservations`] for fewer than two; [`Undefined::ConstantValues`] when they do not
/// vary; malformed input.
pub fn one_sample_t(values: &[f64], null_mean: f64) -> Result<TTest, NumericsError> {
    check_finite("values", values)?;
    let differences: Vec<f64> = values.iter().map(|v| v - null_mean).collect();
    let spread = standard_deviation(&differences).ok_or(Undefined::TooFewObservations)?;
    let mean_difference = mean(&differences).ok_or(Undefined::TooFewObservations)?;
    if spread == 0.0 {
        return Err(Undefined::ConstantValues.into());
    }
    let n = values.len();
    let effect_size = mean_difference / spread;
    let t = effect_size * (n as f64).sqrt();
    let degrees = (n - 1) as f64;
    let p_value = beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t));
    Ok(TTest { t, degrees_of_freedom: degrees, p_value, mean_difference, effect_size, n })
}

/// Tests whether `after - before` is zero on average, item by item.
///
/// # Errors
/// As [`one_sample_t`], and [`NumericsError::LengthMismatch`].
pub fn paired_t(after: &[f64], before: &[f64]) -> Result<TTest, NumericsError> {
    one_sample_t(&subtract(after, before)?, 0.0)
}

/// How a signed-rank p-value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedRankMethod {
    /// All assignments of signs were counted.
    Exact,
    /// Normal approximation with the variance corrected for ties, no continuity correction.
    Normal,
}

/// Wilcoxon's signed-rank test, two-sided; zero differences are dropped (Wilcoxon's own treatment).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRankTest {
    /// Sum of the ranks of positive differences.
    pub rank_sum_positive: f64,
    /// Sum of the ranks of negative differences.
    pub rank_sum_negative: f64,
    /// Two-sided.
    pub p_value: f64,
    /// How the p-value was found.
    pub method: SignedRankMethod,
    /// Differences that are not zero.
    pub n_nonzero: usize,
}

impl SignedRankTest {
    /// The rank-biserial correlation (Kerby 2014): the difference of the shares of positive and negative ranks.
    pub fn rank_biserial(&self) -> f64 {
        (self.rank_sum_positive - self.rank_sum_negative) / (self.rank_sum_positive + self.rank_sum_negative)
    }
}

/// Wilcoxon's signed-rank test of `differences` against symmetry about zero, `[n]`, where those of a cluster change sign
/// together: the sum of signed ranks over the root of the sum of squares of its clusters' parts, which is standard normal
/// (Datta & Satten 2008). With one difference a cluster it is [`wilcoxon_signed_rank`].
///
/// # Errors
/// As [`wilcoxon_signed_rank`], and [`Undefined::TooFewClusters`].
pub fn signed_rank_over_clusters(
    differences: &[f64],
    clusters: &[u32],
) -> Result<SignedRankTest, NumericsError> {
    check_length("clusters", differences.len(), clusters.len())?;
    let alone = wilcoxon_signed_rank(differences, &vec![0.0; differences.len()])?;
    let distinct: std::collections::BTreeSet<u32> = clusters.iter().copied().collect();
    if distinct.len() == clusters.len() {
        return Ok(alone);
    }
    if distinct.len() < 2 {
        return Err(Undefined::TooFewClusters.into());
    }
    let nonzero: Vec<(f64, u32)> =
        differences.iter().copied().zip(clusters.iter().copied()).filter(|(d, _)| *d != 0.0).collect();
    let ranks = SortedOrder::new(&nonzero.iter().map(|(d, _)| d.abs()).collect::<Vec<_>>()).mid_ranks();
    let mut sums: std::collections::BTreeMap<u32, f64> = std::collections::BTreeMap::new();
    for ((difference, cluster), rank) in nonzero.iter().zip(&ranks) {
        *sums.entry(*cluster).or_default() += difference.signum() * rank;
    }
    let squares: f64 = sums.values().map(|sum| sum * sum).sum();
    let z = sums.values().sum::<f64>() / squares.sqrt();
    let p_value = if squares > 0.0 { erfc(z.abs() / std::f64::consts::SQRT_2) } else { 1.0 };
    Ok(SignedRankTest { p_value, method: SignedRankMethod::Normal, ..alone })
}

/// Most differences for which signs are counted exactly; beyond, the normal approximation is good.
pub const MAX_EXACT: usize = 50;

/// Tests whether `after - before` is symmetric about zero: exactly for up to [`MAX_EXACT`]
/// differences when none is zero and none are tied, by the normal approximation otherwise.
///
/// # Errors
/// [`Undefined::TooFewObservations`] of nothing; [`Undefined::NoNonzeroDifferences`]; malformed input.
pub fn wilcoxon_signed_rank(after: &[f64], before: &[f64]) -> Result<SignedRankTest, NumericsError> {
    let differences = subtract(after, before)?;
    if differences.is_empty() {
        return Err(Undefined::TooFewObservations.into());
    }
    let nonzero: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    if nonzero.is_empty() {
        return Err(Undefined::NoNonzeroDifferences.into());
    }
    let sizes: Vec<f64> = nonzero.iter().map(|d| d.abs()).collect();
    let order = SortedOrder::new(&sizes);
    let ranks = order.mid_ranks();
    let signed_sum = |sign: f64| -> f64 {
        nonzero.iter().zip(&ranks).filter(|(d, _)| d.signum() == sign).map(|(_, rank)| rank).sum()
    };
    let (positive, negative) = (signed_sum(1.0), signed_sum(-1.0));
    let n = nonzero.len();
    let can_count = n <= MAX_EXACT && n == differences.len() && !order.has_ties();
    let smaller = positive.min(negative);
    let (method, p_value) = if can_count {
        (SignedRankMethod::Exact, exact_p_value(smaller as usize, n))
    } else {
        (SignedRankMethod::Normal, normal_p_value(smaller, &order, n))
    };
    Ok(SignedRankTest {
        rank_sum_positive: positive,
        rank_sum_negative: negative,
        p_value,
        method,
        n_nonzero: n,
    })
}

/// Twice the share of the 2^n sign assignments whose rank sum is at most `smaller`.
fn exact_p_value(smaller: usize, n: usize) -> f64 {
    let largest = n * (n + 1) / 2;
    let mut counts = vec![0.0; largest + 1];
    counts[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..=largest).rev() {
            counts[sum] += counts[sum - rank];
        }
    }
    let tail: f64 = counts[..=smaller].iter().sum();
    (2.0 * tail / 2.0_f64.powi(n as i32)).min(1.0)
}

fn normal_p_value(smaller: f64, order: &SortedOrder, n: usize) -> f64 {
    let n = n as f64;
    let tie_term = |group: &[u32]| {
        let size = group.len() as f64;
        size * size * size - size
    };
    let ties: f64 = order.groups().map(tie_term).sum();
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    let z = (smaller - n * (n + 1.0) / 4.0) / variance.sqrt();
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// `after - before`, checked.
fn subtract(after: &[f64], before: &[f64]) -> Result<Vec<f64>, NumericsError> {
    check_length("paired values", after.len(), before.len())?;
    let differences: Vec<f64> = after.iter().zip(before).map(|(a, b)| a - b).collect();
    check_finite("differences", &differences)?;
    Ok(differences)
}
