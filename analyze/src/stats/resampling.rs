//! The bootstrap over clusters, for statistics without a closed form: medians, effects along a path.

use super::random::{Purpose, RandomStream};
use rand::RngExt;
use rayon::prelude::*;

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
