//! Inference over clusters: how far an estimate would move with other clusters (items, lines, scenes), where the
//! observations of a cluster are not independent.
//!
//! An observation enters through its influence on the estimate. Influences are added up within clusters, and the
//! variance of the estimate is that of the sums (Liang & Zeger 1986), with the small-sample correction and the degrees
//! of freedom of Bell & McCaffrey (2002) for a mean. Clusters of one observation give the classical tests: the mean's is
//! Student's t.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::beta::beta_reg;

use super::comparison::is_constant;
use super::correlation::{CorrelationKind, correlate};
use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::influence::influence;
use super::summary::{Interval, mean};

/// An estimate with what is known of its variation over clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterEstimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Degrees of freedom of the t distribution that its ratio to the standard error is referred to.
    pub degrees_of_freedom: f64,
    /// Two-sided p-value of the hypothesis that the true value is 0.
    pub p_value: f64,
    /// Clusters.
    pub n_clusters: usize,
}

impl ClusterEstimate {
    /// The two-sided interval of this coverage, symmetric about the value.
    pub fn interval(&self, confidence: f64) -> Interval {
        let half = t_quantile(confidence, self.degrees_of_freedom) * self.standard_error;
        Interval { low: self.value - half, high: self.value + half }
    }

    /// The interval of a correlation: symmetric after Fisher's z transformation, so that it stays within (-1, 1).
    pub fn correlation_interval(&self, confidence: f64) -> Interval {
        fisher_interval(self.value, self.standard_error, confidence, self.degrees_of_freedom)
    }
}

/// The interval of a correlation by Fisher's z transformation; of a correlation of ±1 that point alone.
pub(super) fn fisher_interval(r: f64, standard_error: f64, confidence: f64, degrees: f64) -> Interval {
    let slope = 1.0 - r * r;
    if slope <= 0.0 {
        return Interval { low: r, high: r };
    }
    let half = t_quantile(confidence, degrees) * standard_error / slope;
    Interval { low: (r.atanh() - half).tanh(), high: (r.atanh() + half).tanh() }
}

/// Two-sided p-value of Student's t: P(|T| > |t|), by the incomplete beta function.
pub fn t_p_value(t: f64, degrees: f64) -> f64 {
    beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// The value that |T| exceeds with probability 1 - `confidence`.
pub fn t_quantile(confidence: f64, degrees: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, degrees).expect("degrees of freedom are positive");
    distribution.inverse_cdf(0.5 + 0.5 * confidence)
}

/// The mean of `values`, `[n]`, whose observations are grouped by `clusters`, `[n]`.
///
/// # Errors
/// [`Undefined::TooFewObservations`] of nothing, [`Undefined::TooFewClusters`] of fewer than two clusters,
/// [`Undefined::ConstantValues`] where nothing varies; malformed input.
pub fn mean_over_clusters(values: &[f64], clusters: &[u32]) -> Result<ClusterEstimate, NumericsError> {
    check_length("clusters", values.len(), clusters.len())?;
    check_finite("values", values)?;
    let value = mean(values).ok_or(Undefined::TooFewObservations)?;
    let influences: Vec<f64> = values.iter().map(|v| v - value).collect();
    if is_constant(values) && clusters.iter().any(|c| *c != clusters[0]) {
        return Err(Undefined::ConstantValues.into());
    }
    estimate_over_clusters(value, &influences, clusters)
}

/// An estimate like a mean, `value`, from its observations' influences, whose mean is 0, and clusters; both `[n]`.
///
/// # Errors
/// [`Undefined::TooFewClusters`] of fewer than two clusters, [`Undefined::ConstantValues`] where nothing varies;
/// malformed input.
pub fn estimate_over_clusters(
    value: f64,
    influences: &[f64],
    clusters: &[u32],
) -> Result<ClusterEstimate, NumericsError> {
    check_length("clusters", influences.len(), clusters.len())?;
    check_finite("influences", influences)?;
    let sums = ClusterSums::new(influences, clusters);
    if sums.n_clusters() < 2 {
        return Err(Undefined::TooFewClusters.into());
    }
    let Corrected { variance, degrees_of_freedom } = sums.bell_mccaffrey();
    if variance == 0.0 {
        return Err(Undefined::ConstantValues.into());
    }
    let standard_error = variance.sqrt();
    let p_value = t_p_value(value / standard_error, degrees_of_freedom);
    Ok(ClusterEstimate { value, standard_error, degrees_of_freedom, p_value, n_clusters: sums.n_clusters() })
}

/// Cohen's d_z: the mean of `values`, `[n]`, over their standard deviation (ddof 1), with its variation over clusters.
/// Its p-value is that of the mean.
///
/// # Errors
/// As [`mean_over_clusters`].
pub fn effect_size_over_clusters(values: &[f64], clusters: &[u32]) -> Result<ClusterEstimate, NumericsError> {
    let of_mean = mean_over_clusters(values, clusters)?;
    let n = values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v - of_mean.value).powi(2)).sum();
    let spread = (squares / (n - 1.0)).sqrt();
    let value = of_mean.value / spread;
    // The derivative of mean / spread along an observation.
    let influence = |v: &f64| {
        let standard = (v - of_mean.value) / spread;
        standard - 0.5 * value * (standard * standard - 1.0)
    };
    let influences: Vec<f64> = values.iter().map(influence).collect();
    let sums = ClusterSums::new(&influences, clusters);
    let standard_error = sums.bell_mccaffrey().variance.sqrt();
    Ok(ClusterEstimate { value, standard_error, ..of_mean })
}

/// The correlation of `x` and `y`, both `[n]`, whose rows are grouped by `clusters`, `[n]`.
///
/// The p-value refers the ratio of the correlation to its standard error, computed from the products of standardised
/// values, to t with `n_clusters - 1` degrees of freedom; the standard error for intervals takes in that means and
/// spreads are estimated too.
///
/// # Errors
/// As [`correlate`], and [`Undefined::TooFewClusters`].
pub fn correlation_over_clusters(
    x: &[f64],
    y: &[f64],
    clusters: &[u32],
    kind: CorrelationKind,
) -> Result<ClusterEstimate, NumericsError> {
    check_length("clusters", x.len(), clusters.len())?;
    let value = correlate(x, y, kind)?.estimate;
    let full = ClusterSums::new(&influence(x, y, kind.into()), clusters);
    let n_clusters = full.n_clusters();
    if n_clusters < 3 {
        return Err(Undefined::TooFewClusters.into());
    }
    let products = ClusterSums::new(&super::influence::products(x, y, kind.into()), clusters);
    let degrees_of_freedom = (n_clusters - 1) as f64;
    let small_sample = n_clusters as f64 / degrees_of_freedom;
    let tested = (products.sum_of_squares() * small_sample).sqrt();
    let p_value = match tested > 0.0 {
        true => t_p_value(value / tested, degrees_of_freedom),
        // Clusters that all contribute the same leave no doubt of a correlation, and none of its absence.
        false => f64::from(u8::from(value == 0.0)),
    };
    let standard_error = full.sum_of_squares().sqrt() * small_sample;
    Ok(ClusterEstimate { value, standard_error, degrees_of_freedom, p_value, n_clusters })
}

/// Influences added up within clusters, each divided by the number of observations.
struct ClusterSums {
    sums: Vec<f64>,
    /// Observations of each cluster, as a share of all.
    shares: Vec<f64>,
}

struct Corrected {
    variance: f64,
    degrees_of_freedom: f64,
}

impl ClusterSums {
    fn new(influences: &[f64], clusters: &[u32]) -> Self {
        let n = influences.len() as f64;
        let n_numbers = clusters.iter().max().map_or(0, |c| *c as usize + 1);
        let (mut sums, mut counts) = (vec![0.0; n_numbers], vec![0.0; n_numbers]);
        for (influence, &cluster) in influences.iter().zip(clusters) {
            sums[cluster as usize] += influence / n;
            counts[cluster as usize] += 1.0;
        }
        let (sums, shares) =
            sums.into_iter().zip(counts).filter(|(_, count)| *count > 0.0).map(|(s, c)| (s, c / n)).unzip();
        Self { sums, shares }
    }

    fn n_clusters(&self) -> usize {
        self.sums.len()
    }

    fn sum_of_squares(&self) -> f64 {
        self.sums.iter().map(|s| s * s).sum()
    }

    /// The variance that is unbiased for independent observations (CR2 of an intercept), and the degrees of freedom of
    /// its Satterthwaite approximation.
    fn bell_mccaffrey(&self) -> Corrected {
        let scaled = self.sums.iter().zip(&self.shares);
        let variance = scaled.map(|(sum, share)| sum * sum / (1.0 - share)).sum();
        // With n_g = share · n, the cluster sums of residuals have covariances n_g δ_gh - n_g n_h / n; n cancels.
        let weight = |share: f64| (1.0 - share).recip();
        let trace: f64 = self.shares.iter().sum();
        let diagonal: f64 = self.shares.iter().map(|share| share * share).sum();
        let cross: f64 = self.shares.iter().map(|s| weight(*s) * s * s).sum();
        let own: f64 = self.shares.iter().map(|s| (weight(*s) * s * s).powi(2)).sum();
        Corrected { variance, degrees_of_freedom: trace * trace / (diagonal + cross * cross - own) }
    }
}
