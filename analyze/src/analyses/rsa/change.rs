//! Changes of alignment between two conditions, on the items that both have.

use super::clustered::{Aligner, Clustered, Way};
use super::condition_subset::ConditionSubset;
use super::similarities::Measured;
use crate::error::AnalyzeError;
use crate::settings::AnalysisSettings;
use crate::stats::PairList;
use crate::stats::RandomStream;
use crate::stats::clusters::ClusterEstimate;
use crate::stats::dyadic::{ClusterPairSums, familywise_p_values};
use crate::stats::summary::Interval;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// A change against the reference condition.
#[derive(Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) estimate: Option<f64>,
    pub(super) p_value: Option<f64>,
    pub(super) p_value_fwer: Option<f64>,
    pub(super) interval: Option<Interval>,
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
        let align = |s: usize, at: usize, shared: &Shared, aligner: &Aligner| -> Option<Clustered> {
            aligner.align(&values(s, of(s)[at].as_ref().ok()?, shared))
        };
        let differences: Vec<Option<(f64, ClusterPairSums)>> = (0..of(self.after).len())
            .into_par_iter()
            .map(|at| {
                let (b, a) = (
                    align(self.before, at, &before, &aligners.0)?,
                    align(self.after, at, &after, &aligners.1)?,
                );
                Some((a.value - b.value, a.sums.minus(&b.sums)))
            })
            .collect();
        let tested: Vec<Option<ClusterEstimate>> = differences
            .iter()
            .map(|difference| difference.as_ref().and_then(|(value, sums)| sums.estimate(*value).ok()))
            .collect();
        Ok(self.finish(&differences, &tested))
    }

    fn finish(
        &self,
        differences: &[Option<(f64, ClusterPairSums)>],
        tested: &[Option<ClusterEstimate>],
    ) -> Vec<Change> {
        let settings = self.settings;
        let family: Vec<(ClusterEstimate, &ClusterPairSums)> = tested
            .iter()
            .zip(differences)
            .filter_map(|(estimate, difference)| Some(((*estimate)?, &difference.as_ref()?.1)))
            .collect();
        let mut corrected =
            familywise_p_values(&family, self.stream, settings.n_bootstraps as usize).into_iter();
        let change =
            |(difference, estimate): (&Option<(f64, ClusterPairSums)>, &Option<ClusterEstimate>)| Change {
                estimate: difference.as_ref().map(|(value, _)| *value),
                p_value: estimate.map(|e| e.p_value),
                p_value_fwer: estimate.and_then(|_| corrected.next()).filter(|_| settings.n_bootstraps > 0),
                interval: estimate.map(|e| e.interval(settings.confidence)),
            };
        differences.iter().zip(tested).map(change).collect()
    }

    fn share(&self, s: usize) -> Shared {
        let (before, after) =
            (self.subsets[self.before].distinct_items(), self.subsets[self.after].distinct_items());
        let both: BTreeSet<u32> = before.intersection(&after).copied().collect();
        let subset = &self.subsets[s];
        let is_shared = |i: usize| both.contains(&subset.items[i]);
        let is_column = |j: usize| subset.is_rectangle && j >= subset.n_rows;
        // The columns of a rectangle may be those of another condition, which both sides then have.
        let positions = subset.pairs.positions_where(|i, j| is_shared(i) && (is_column(j) || is_shared(j)));
        let pairs = subset.pairs.select(&positions);
        Shared { positions, pairs }
    }
}
