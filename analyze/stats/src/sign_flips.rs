//! Correction of several estimates for having tried all of them, by random signs of clusters.
//!
//! If an estimate is a sum over independent clusters and its true value is 0, symmetric clusters may change their sign. The
//! largest |t| over all estimates, each under the same signs, is what the largest of the observed ones is compared with
//! (Westfall & Young 1993), so that estimates that go together cost little.

use super::comparison::dot;
use super::random::{Purpose, RandomStream};
use rand::RngExt;

/// What clusters contribute to an estimate: their sum is the estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// By the cluster's number.
    sums: Vec<f64>,
}

impl Contributions {
    /// Adds up the parts of observations, `[n]`, within their `clusters`, `[n]`.
    pub fn new(parts: &[f64], clusters: &[u32]) -> Self {
        let n_numbers = clusters.iter().max().map_or(0, |cluster| *cluster as usize + 1);
        let mut sums = vec![0.0; n_numbers];
        parts.iter().zip(clusters).for_each(|(part, &cluster)| sums[cluster as usize] += part);
        Self { sums }
    }

    /// The sums over the root of their sum of squares, for clusters numbered below `n_clusters`; zero where all are.
    fn scaled(&self, n_clusters: usize) -> Vec<f64> {
        let mut scaled = scale(&self.sums);
        scaled.resize(n_clusters, 0.0);
        scaled
    }
}

/// Family-wise error p-values of the hypotheses that each of several estimates over the same clusters is 0, `[n_estimates]`:
/// (1 + b) / (1 + n), b being the number of draws of signs whose largest |t| is at least the estimate's. Exact where
/// clusters are symmetric, whatever their number; with G clusters none is below 2^(1 - G).
pub fn familywise_by_signs(
    estimates: &[&Contributions],
    stream: RandomStream,
    n_resamples: usize,
) -> Vec<f64> {
    let n_clusters = estimates.iter().map(|e| e.sums.len()).max().unwrap_or(0);
    let scaled: Vec<Vec<f64>> = estimates.iter().map(|e| e.scaled(n_clusters)).collect();
    let largest = largest_under_signs(&scaled, stream, n_resamples);
    let p_value = |scaled: &Vec<f64>| {
        let observed = scaled.iter().sum::<f64>().abs() - TOLERANCE;
        let n_as_large = largest.iter().filter(|t| **t >= observed).count();
        (1 + n_as_large) as f64 / (1 + n_resamples) as f64
    };
    scaled.iter().map(p_value).collect()
}

/// Statistics closer than this are equal: signs that leave the estimate as it was count, whatever the order of the sum.
const TOLERANCE: f64 = 1e-10;

/// `sums` over the root of their sum of squares; zero where all are.
pub(super) fn scale(sums: &[f64]) -> Vec<f64> {
    let norm = dot(sums, sums).sqrt();
    sums.iter().map(|sum| if norm > 0.0 { sum / norm } else { 0.0 }).collect()
}

/// For each draw of signs of clusters the largest |sum| over estimates, `[n_resamples]`; `scaled` are each estimate's
/// sums over clusters, `[n_clusters]`.
pub(super) fn largest_under_signs(scaled: &[Vec<f64>], stream: RandomStream, n_resamples: usize) -> Vec<f64> {
    let n_clusters = scaled.first().map_or(0, Vec::len);
    let largest = |index: usize| {
        let mut random = stream.generator(Purpose::Multiplier, index);
        let signs: Vec<f64> =
            (0..n_clusters).map(|_| if random.random_bool(0.5) { 1.0 } else { -1.0 }).collect();
        scaled.iter().map(|sums| dot(sums, &signs).abs()).fold(0.0, f64::max)
    };
    (0..n_resamples).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u64) -> RandomStream {
        RandomStream::new(seed, &["sign flips"])
    }

    /// Roughly normal noise from a stream's draws.
    fn noise(seed: u64, n: usize) -> Vec<f64> {
        let mut random = stream(seed).generator(Purpose::Bootstrap, 0);
        (0..n).map(|_| (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0).collect()
    }

    /// The same test by listing all signs: what draws approach.
    fn by_enumeration(estimates: &[Vec<f64>]) -> Vec<f64> {
        let n = estimates[0].len();
        let t = |sums: &[f64], signs: usize| {
            let sign = |g: usize| if signs >> g & 1 == 0 { 1.0 } else { -1.0 };
            let sum: f64 = sums.iter().enumerate().map(|(g, s)| sign(g) * s).sum();
            (sum / sums.iter().map(|s| s * s).sum::<f64>().sqrt()).abs()
        };
        let largest: Vec<f64> =
            (0..1 << n).map(|signs| estimates.iter().map(|e| t(e, signs)).fold(0.0, f64::max)).collect();
        let share = |e: &Vec<f64>| {
            let as_large = largest.iter().filter(|l| **l >= t(e, 0) - 1e-9).count();
            as_large as f64 / largest.len() as f64
        };
        estimates.iter().map(share).collect()
    }

    #[test]
    fn draws_of_signs_approach_the_test_that_lists_them_all() {
        let estimates: Vec<Vec<f64>> =
            (0..3).map(|e| noise(e, 8).into_iter().map(|v| v + 0.4 * e as f64).collect()).collect();
        let clusters: Vec<u32> = (0..8).collect();
        let contributions: Vec<Contributions> =
            estimates.iter().map(|e| Contributions::new(e, &clusters)).collect();
        let found = familywise_by_signs(&contributions.iter().collect::<Vec<_>>(), stream(9), 20_000);
        for (found, expected) in found.iter().zip(by_enumeration(&estimates)) {
            assert!((found - expected).abs() < 0.012, "{found} {expected}");
        }
    }

    #[test]
    fn observations_of_a_cluster_change_sign_together() {
        let of_observations = Contributions::new(&[1.0, 2.0, -1.0, 0.5], &[0, 0, 2, 5]);
        assert_eq!(of_observations, Contributions::new(&[3.0, -1.0, 0.5], &[0, 2, 5]));
        assert_eq!(Contributions::new(&[], &[]).scaled(2), [0.0, 0.0]);
    }

    /// The error rate of a family of ten estimates that go together, of which none is true.
    #[test]
    fn the_error_rate_of_a_family_is_the_nominal_one() {
        let (n_families, n_clusters) = (600, 12);
        let clusters: Vec<u32> = (0..n_clusters as u32).collect();
        let errs = |family: u64| {
            let common = noise(1000 + 100 * family, n_clusters);
            let estimates: Vec<Contributions> = (1..=10)
                .map(|e| {
                    let own = noise(1000 + 100 * family + e, n_clusters);
                    let parts: Vec<f64> = own.iter().zip(&common).map(|(a, b)| a + b).collect();
                    Contributions::new(&parts, &clusters)
                })
                .collect();
            let p_values = familywise_by_signs(&estimates.iter().collect::<Vec<_>>(), stream(family), 199);
            p_values.into_iter().fold(1.0, f64::min) <= 0.05
        };
        let rate = (0..n_families).filter(|f| errs(*f)).count() as f64 / n_families as f64;
        assert!((0.03..=0.07).contains(&rate), "{rate}");
    }
}
