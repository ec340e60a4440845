//! The bootstrap over clusters, for statistics without a closed form: medians, effects along a path.

use super::clusters::t_quantile;
use super::error::Undefined;
use super::random::{Purpose, RandomStream};
use super::summary::{Interval, percentile_interval};
use rand::RngExt;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

/// A statistic in each resample: clusters are drawn with replacement, as many as there are, and bring all of their
/// observations. `statistic` gets the numbers of the drawn clusters, `[n_clusters]`, and says `None` where it is undefined.
pub fn bootstrap_clusters(
    n_clusters: usize,
    n_resamples: usize,
    stream: RandomStream,
    statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Vec<Option<f64>> {
    let evaluate = |resample: usize| {
        let mut random = stream.generator(Purpose::Bootstrap, resample);
        let mut drawn: Vec<usize> =
            (0..n_clusters).map(|_| random.random_range(0..n_clusters as u32) as usize).collect();
        drawn.sort_unstable();
        statistic(&drawn)
    };
    (0..n_resamples).into_par_iter().map(evaluate).collect()
}

/// The percentile interval of a bootstrap over `n_clusters`, its tails moved out by as much as Student's t exceeds the
/// normal distribution and the unbiased variance the bootstrap's (Hesterberg 2015, "expanded percentile"): the plain
/// interval is too short where clusters are few. The ends are percentiles, so that the interval stays where the statistic
/// can be.
///
/// # Errors
/// [`Undefined::TooFewClusters`] of fewer than two, and as [`percentile_interval`].
pub fn expanded_percentile_interval(
    resamples: &[Option<f64>],
    n_clusters: usize,
    confidence: f64,
) -> Result<Interval, Undefined> {
    if n_clusters < 2 {
        return Err(Undefined::TooFewClusters);
    }
    let n = n_clusters as f64;
    let reach = t_quantile(confidence, n - 1.0) * (n / (n - 1.0)).sqrt();
    let normal = Normal::new(0.0, 1.0).expect("a standard deviation of 1");
    percentile_interval(resamples, 1.0 - 2.0 * normal.cdf(-reach))
}
