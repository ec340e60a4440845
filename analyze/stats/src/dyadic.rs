//! Variance of a statistic of pairs, over clusters of prompts: pairs that share a cluster are dependent.
//!
//! With the influences of pairs added up within each pair of clusters, `S_gh`, the variance is the sum of products over
//! all pairs of sums that share a cluster: Σ_g (Σ_h S_gh)² less what that counts twice, Σ_{g<h} S_gh² (Aronow, Samii &
//! Assenova 2015, "Cluster-robust variance estimation for dyadic data"). Where nothing aligns, each S_gh stands alone (the
//! statistic is a degenerate U-statistic) and the part of shared clusters is zero on average but not in a sample, so that
//! it is taken only where it is positive. A bootstrap or plain jackknife counts the stand-alone part two to three times
//! there, which is why their intervals are too wide near zero.

use super::clusters::{ClusterEstimate, t_p_value};
use super::comparison::Comparison;
use super::error::{NumericsError, Undefined, check_length};
use super::influence::influence;
use super::pairs::PairList;
use super::random::RandomStream;
use super::sign_flips::{largest_under_signs, scale};

/// The clusters of the prompts that pairs are made of.
#[derive(Debug, Clone)]
pub struct PairClusters {
    n_clusters: usize,
    /// For each pair its cell in the triangle of pairs of clusters, `[n_pairs]`.
    cells: Vec<u32>,
    /// Clusters that occur on the side with fewer of them.
    n_effective: usize,
}

/// Influences added up within pairs of clusters: a triangle with diagonal, each divided by the number of pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterPairSums {
    n_clusters: usize,
    n_effective: usize,
    sums: Vec<f64>,
}

impl PairClusters {
    /// Clusters of the ends of `pairs`; `clusters`, `[n_prompts]`, are numbered below `n_clusters`. Statistics that are
    /// to be subtracted number their clusters alike.
    ///
    /// # Errors
    /// [`NumericsError::LengthMismatch`].
    pub fn new(pairs: &PairList, clusters: &[u32], n_clusters: usize) -> Result<Self, NumericsError> {
        check_length("clusters", pairs.n_prompts(), clusters.len())?;
        let cells = pairs.iter().map(|(i, j)| cell(clusters[i], clusters[j])).collect();
        let distinct = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut seen = vec![false; n_clusters];
            numbers.for_each(|c| seen[c as usize] = true);
            seen.into_iter().filter(|s| *s).count()
        };
        let rows = distinct(&mut pairs.iter().map(|(i, _)| clusters[i]));
        let columns = distinct(&mut pairs.iter().map(|(_, j)| clusters[j]));
        let both = distinct(&mut pairs.iter().flat_map(|(i, j)| [clusters[i], clusters[j]]));
        // Of a square every cluster is on both sides; of a rectangle the smaller side limits what is known.
        let n_effective = if rows + columns == both { rows.min(columns) } else { both };
        Ok(Self { n_clusters, cells, n_effective })
    }

    /// Number of clusters that inference rests on: all of a square's, those of a rectangle's smaller side.
    pub fn n_effective(&self) -> usize {
        self.n_effective
    }

    /// The influences of pairs on the comparison of `x` and `y`, both `[n_defined]`, added up between clusters; a pair takes
    /// part where `is_defined`, `[n_pairs]`. Both must vary.
    pub fn influences(
        &self,
        x: &[f64],
        y: &[f64],
        is_defined: &[bool],
        comparison: Comparison,
    ) -> ClusterPairSums {
        let kept = self.cells.iter().zip(is_defined).filter(|(_, keep)| **keep).map(|(cell, _)| *cell);
        Self { cells: kept.collect(), ..*self }.add_up(&influence(x, y, comparison))
    }

    /// Adds up influences of the pairs at `positions`, both `[n_positions]`.
    pub fn add_up_at(&self, positions: &[usize], influences: &[f64]) -> ClusterPairSums {
        Self { cells: positions.iter().map(|&p| self.cells[p]).collect(), ..*self }.add_up(influences)
    }

    /// Adds up the influences of the pairs, `[n_pairs]`.
    pub(super) fn add_up(&self, influences: &[f64]) -> ClusterPairSums {
        let n = influences.len() as f64;
        let mut sums = vec![0.0; self.n_clusters * (self.n_clusters + 1) / 2];
        self.cells.iter().zip(influences).for_each(|(&c, influence)| sums[c as usize] += influence / n);
        ClusterPairSums { n_clusters: self.n_clusters, n_effective: self.n_effective, sums }
    }
}

/// Position of a pair of clusters in the triangle.
fn cell(g: u32, h: u32) -> u32 {
    let (low, high) = if g < h { (g, h) } else { (h, g) };
    high * (high + 1) / 2 + low
}

impl ClusterPairSums {
    /// `self - other`, for the change of a statistic; the clusters must be numbered alike.
    pub fn minus(&self, other: &Self) -> Self {
        assert_eq!(self.n_clusters, other.n_clusters, "clusters are numbered alike");
        let sums = self.sums.iter().zip(&other.sums).map(|(a, b)| a - b).collect();
        let n_effective = self.n_effective.min(other.n_effective);
        Self { n_clusters: self.n_clusters, n_effective, sums }
    }

    /// For each cluster the sum over all pairs that it is in, `[n_clusters]`.
    fn marginals(&self) -> Vec<f64> {
        let mut marginals = vec![0.0; self.n_clusters];
        let mut sums = self.sums.iter();
        for high in 0..self.n_clusters {
            for low in 0..=high {
                let sum = sums.next().expect("a triangle");
                marginals[high] += sum;
                if low < high {
                    marginals[low] += sum;
                }
            }
        }
        marginals
    }

    /// The sampling variance of the statistic.
    fn variance(&self) -> f64 {
        let alone: f64 = self.sums.iter().map(|s| s * s).sum();
        let with_shared: f64 = self.marginals().iter().map(|m| m * m).sum();
        // A pair within one cluster is in one marginal, any other in two.
        let within: f64 = (0..self.n_clusters).map(|g| self.sums[g * (g + 3) / 2].powi(2)).sum();
        let shared = with_shared - 2.0 * (alone - within) - within;
        alone + shared.max(0.0)
    }

    /// The statistic `value` with its variation over clusters and the p-value of its being 0.
    ///
    /// # Errors
    /// [`Undefined::TooFewClusters`].
    pub fn estimate(&self, value: f64) -> Result<ClusterEstimate, Undefined> {
        if self.n_effective < 3 {
            return Err(Undefined::TooFewClusters);
        }
        let degrees_of_freedom = (self.n_effective - 1) as f64;
        let variance = self.variance() * self.n_effective as f64 / degrees_of_freedom;
        let standard_error = variance.sqrt();
        let p_value = match standard_error > 0.0 {
            true => t_p_value(value / standard_error, degrees_of_freedom),
            false => f64::from(u8::from(value == 0.0)),
        };
        Ok(ClusterEstimate {
            value,
            standard_error,
            degrees_of_freedom,
            p_value,
            n_clusters: self.n_effective,
        })
    }
}

/// Family-wise error p-values of several estimates over the same clusters, `[n_estimates]`: the largest |t| under random
/// signs of the clusters' influences, which all estimates share (multiplier bootstrap; Chernozhukov, Chetverikov & Kato 2013).
pub fn familywise_p_values(
    estimates: &[(ClusterEstimate, &ClusterPairSums)],
    stream: RandomStream,
    n_resamples: usize,
) -> Vec<f64> {
    let scaled: Vec<Vec<f64>> = estimates.iter().map(|(_, sums)| scale(&sums.marginals())).collect();
    let largest = largest_under_signs(&scaled, stream, n_resamples);
    let p_value = |(estimate, _): &(ClusterEstimate, &ClusterPairSums)| {
        let observed = normal_equivalent(estimate);
        let n_as_large = largest.iter().filter(|t| **t >= observed).count();
        let p = (1 + n_as_large) as f64 / (1 + n_resamples) as f64;
        p.max(estimate.p_value)
    };
    estimates.iter().map(p_value).collect()
}

/// The |z| that is as improbable under the normal distribution as the estimate is under its t.
fn normal_equivalent(estimate: &ClusterEstimate) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    let normal = Normal::new(0.0, 1.0).expect("a standard normal distribution");
    -normal.inverse_cdf((0.5 * estimate.p_value).max(f64::MIN_POSITIVE))
}
