//! Changes of alignment between two conditions, on the items that both have; tests of differences of alignments.

use super::clustered::{Aligner, Way};
use super::condition_subset::ConditionSubset;
use super::similarities::Measured;
use crate::error::AnalyzeError;
use crate::settings::AnalysisSettings;
use crate::stats::clusters::ClusterEstimate;
use crate::stats::dyadic::{ClusterPairSums, familywise_p_values};
use crate::stats::summary::Interval;
use crate::stats::{NumericsError, PairList, RandomStream, Undefined};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// A change of alignment, or another difference, with its tests.
#[derive(Clone, Default)]
pub(super) struct Change {
    pub(super) estimate: Option<f64>,
    pub(super) p_value: Option<f64>,
    pub(super) p_value_fwer: Option<f64>,
    pub(super) interval: Option<Interval>,
    /// Clusters that the test rests on.
    pub(super) n_clusters: usize,
    /// Why there is none.
    pub(super) reason: Option<String>,
}

/// The rival's alignment, and how much better the hypothesis fits.
#[derive(Clone, Default)]
pub(super) struct AgainstRival {
    pub(super) estimate: Option<f64>,
    pub(super) difference: Change,
}

/// Two conditions of one entry.
pub(super) struct ChangeScope<'a> {
    pub(super) settings: &'a AnalysisSettings,
    pub(super) measured: &'a Measured,
    /// Number of clusters of the task.
    pub(super) n_clusters: usize,
    /// Random numbers of the family-wise correction.
    pub(super) stream: RandomStream,
    pub(super) subsets: &'a [ConditionSubset],
    /// The reference condition.
    pub(super) before: usize,
    /// The condition that is compared with it.
    pub(super) after: usize,
}

/// The difference of two alignments, with the influences of pairs on it.
pub(super) struct Difference {
    pub(super) value: f64,
    pub(super) sums: ClusterPairSums,
}

impl Difference {
    fn estimate(&self) -> Result<ClusterEstimate, Undefined> {
        self.sums.estimate(self.value)
    }
}

/// Pairs of a subset whose items are both in the other condition too.
struct Shared {
    positions: Vec<usize>,
    pairs: PairList,
}

impl ChangeScope<'_> {
    /// The change at every layer and site.
    pub(super) fn changes(&self, way: Way) -> Result<Vec<Change>, AnalyzeError> {
        let (before, after) = (self.share(self.before), self.share(self.after));
        let of = |s: usize| self.measured.of(s, way.normalization, way.similarity);
        let values = |s: usize, rdm: &[f64], shared: &Shared| -> Vec<f64> {
            debug_assert_eq!(rdm.len(), self.subsets[s].pairs.len());
            shared.positions.iter().map(|&k| rdm[k]).collect()
        };
        let aligner = |s: usize, shared: &Shared| {
            let zero = self.measured.layer_zero(s, way.normalization, way.similarity);
            let zero = zero.map(|rdm| values(s, rdm, shared));
            let subset = &self.subsets[s];
            Aligner::new(subset, &shared.pairs, way.comparison, self.n_clusters, zero.as_deref())
        };
        let aligners = (aligner(self.before, &before)?, aligner(self.after, &after)?);
        let align = |s: usize, at: usize, shared: &Shared, aligner: &Aligner| {
            let rdm = of(s)[at].as_ref().map_err(Clone::clone)?;
            aligner.align(&values(s, rdm, shared))
        };
        let difference = |at: usize| {
            let b = align(self.before, at, &before, &aligners.0)?;
            let a = align(self.after, at, &after, &aligners.1)?;
            Ok(Difference { value: a.value - b.value, sums: a.sums.minus(&b.sums) })
        };
        let differences: Vec<Result<Difference, NumericsError>> =
            (0..of(self.after).len()).into_par_iter().map(difference).collect();
        test_differences(differences, self.settings, self.stream)
    }

    /// The items that both conditions have.
    pub(super) fn shared_items(&self) -> BTreeSet<u32> {
        let (before, after) =
            (self.subsets[self.before].distinct_items(), self.subsets[self.after].distinct_items());
        before.intersection(&after).copied().collect()
    }

    fn share(&self, s: usize) -> Shared {
        let both = self.shared_items();
        let subset = &self.subsets[s];
        let is_shared = |i: usize| both.contains(&subset.items[i]);
        let is_column = |j: usize| subset.is_rectangle && j >= subset.n_rows;
        // The columns of a rectangle may be those of another condition, which both sides then have.
        let positions = subset.pairs.positions_where(|i, j| is_shared(i) && (is_column(j) || is_shared(j)));
        let pairs = subset.pairs.select(&positions);
        Shared { positions, pairs }
    }
}

/// Tests differences of alignments, one a layer and site: alone, and the largest of them under random signs of clusters.
///
/// # Errors
/// Faults of this program; what is undefined is a change with its reason.
pub(super) fn test_differences(
    differences: Vec<Result<Difference, NumericsError>>,
    settings: &AnalysisSettings,
    stream: RandomStream,
) -> Result<Vec<Change>, AnalyzeError> {
    let estimates: Vec<Option<ClusterEstimate>> =
        differences.iter().map(|difference| difference.as_ref().ok()?.estimate().ok()).collect();
    let family: Vec<(ClusterEstimate, &ClusterPairSums)> = estimates
        .iter()
        .zip(&differences)
        .filter_map(|(estimate, difference)| Some(((*estimate)?, &difference.as_ref().ok()?.sums)))
        .collect();
    let mut corrected = familywise_p_values(&family, stream, settings.n_bootstraps as usize).into_iter();
    let change = |(difference, estimate): (&Result<Difference, NumericsError>, &Option<ClusterEstimate>)| {
        let tested = difference.as_ref().map_err(Clone::clone).and_then(|known| Ok(known.estimate()?));
        let reason = match tested {
            Ok(_) => None,
            Err(error) => Some(error.undefined().ok_or(AnalyzeError::Numerics(error))?.to_string()),
        };
        Ok(Change {
            estimate: difference.as_ref().ok().map(|difference| difference.value),
            p_value: estimate.map(|e| e.p_value),
            p_value_fwer: estimate.and_then(|_| corrected.next()).filter(|_| settings.n_bootstraps > 0),
            interval: estimate.map(|e| e.interval(settings.confidence)),
            n_clusters: estimate.map_or(0, |e| e.n_clusters),
            reason,
        })
    };
    differences.iter().zip(&estimates).map(change).collect()
}
