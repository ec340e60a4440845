//! The comparison of RDMs with the hypothesis over some pairs of a subset, and its variation over clusters.

use super::condition_subset::ConditionSubset;
use crate::stats::clusters::ClusterEstimate;
use crate::stats::comparison::compare_vectors;
use crate::stats::dyadic::{ClusterPairSums, PairClusters};
use crate::stats::partial::PartialComparison;
use crate::stats::{Comparison, ModelRdm, Normalization, NumericsError, PairList, Similarity};

/// How vectors and matrices are compared.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) normalization: Normalization,
    pub(super) similarity: Similarity,
    pub(super) comparison: Comparison,
}

/// An estimate with the influences of its pairs, added up between clusters.
pub(super) struct Clustered {
    pub(super) value: f64,
    /// The same with nuisances left in.
    pub(super) unadjusted: Option<f64>,
    pub(super) sums: ClusterPairSums,
}

impl Clustered {
    pub(super) fn estimate(&self) -> Option<ClusterEstimate> {
        self.sums.estimate(self.value).ok()
    }
}

/// What the comparisons of all layers of a subset share.
pub(super) struct Aligner {
    comparison: Comparison,
    /// The hypothesis at the pairs, `[n_pairs]`.
    hypothesis: Vec<Option<f64>>,
    /// With something held constant: the comparison, or why there is none; and, with nuisances, the one without them.
    partial: Option<Result<PartialComparison, NumericsError>>,
    without: Option<PartialComparison>,
    pub(super) clusters: PairClusters,
}

impl Aligner {
    /// Compares with the subset's hypothesis over `pairs` of the subset, whose clusters are numbered below `n_clusters`;
    /// `layer_zero`, `[n_pairs]`, are the similarities at layer 0.
    pub(super) fn new(
        subset: &ConditionSubset,
        pairs: &PairList,
        comparison: Comparison,
        n_clusters: usize,
        layer_zero: Option<&[f64]>,
    ) -> Result<Self, NumericsError> {
        Self::with_hypothesis((subset, model_rdm(subset)), pairs, comparison, n_clusters, layer_zero)
    }

    /// The same with another hypothesis about the subset's prompts.
    pub(super) fn with_hypothesis(
        (subset, model): (&ConditionSubset, &ModelRdm),
        pairs: &PairList,
        comparison: Comparison,
        n_clusters: usize,
        layer_zero: Option<&[f64]>,
    ) -> Result<Self, NumericsError> {
        let clusters = PairClusters::new(pairs, &subset.clusters, n_clusters)?;
        let has_nuisances = !subset.nuisances.is_empty();
        let nuisances: Vec<Vec<Option<f64>>> =
            subset.nuisances.iter().map(|nuisance| nuisance.values(pairs, layer_zero)).collect();
        let is_partial = has_nuisances || comparison.needs_pair_list();
        let partial = is_partial.then(|| PartialComparison::new(model, &nuisances, pairs, comparison));
        let without =
            has_nuisances.then(|| PartialComparison::new(model, &[], pairs, comparison).ok()).flatten();
        let hypothesis = pairs.iter().map(|(i, j)| model.value(i, j)).collect();
        Ok(Self { comparison, hypothesis, partial, without, clusters })
    }

    /// The comparison with something held constant, where something is.
    pub(super) fn partial(&self) -> Option<&Result<PartialComparison, NumericsError>> {
        self.partial.as_ref()
    }

    /// Pairs compared.
    pub(super) fn n_pairs(&self) -> usize {
        match &self.partial {
            Some(Ok(partial)) => partial.positions().len(),
            _ => self.hypothesis.iter().flatten().count(),
        }
    }

    /// The comparison with an RDM, `[n_pairs]`.
    ///
    /// # Errors
    /// Where it is undefined.
    pub(super) fn align(&self, rdm: &[f64]) -> Result<Clustered, NumericsError> {
        if let Some(partial) = &self.partial {
            let partial = partial.as_ref().map_err(Clone::clone)?;
            let held = partial.hold_constant(rdm)?;
            let without = |without: &PartialComparison| {
                without.hold_constant(rdm).ok().map(|held| without.estimate(&held))
            };
            return Ok(Clustered {
                value: partial.estimate(&held),
                unadjusted: self.without.as_ref().and_then(without),
                sums: self.clusters.add_up_at(partial.positions(), &partial.influences(&held)),
            });
        }
        let (x, y): (Vec<f64>, Vec<f64>) =
            rdm.iter().zip(&self.hypothesis).filter_map(|(x, y)| Some((*x, (*y)?))).unzip();
        let value = compare_vectors(&x, &y, self.comparison)?;
        let is_defined: Vec<bool> = self.hypothesis.iter().map(Option::is_some).collect();
        let sums = self.clusters.influences(&x, &y, &is_defined, self.comparison);
        Ok(Clustered { value, unadjusted: None, sums })
    }
}

pub(super) fn model_rdm(subset: &ConditionSubset) -> &ModelRdm {
    subset.hypothesis.as_ref().expect("subsets are evaluated before they are compared")
}
