//! One comparison of one RDM with the hypothesis, and its variation over clusters.

use super::condition_subset::ConditionSubset;
use crate::stats::clusters::ClusterEstimate;
use crate::stats::comparison::compare_vectors;
use crate::stats::dyadic::{ClusterPairSums, PairClusters};
use crate::stats::{Comparison, ModelRdm, Normalization, PairList, Similarity};

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
    pub(super) sums: ClusterPairSums,
}

impl Clustered {
    pub(super) fn estimate(&self) -> Option<ClusterEstimate> {
        self.sums.estimate(self.value).ok()
    }
}

/// The comparison of an RDM over `pairs`, `[n_pairs]`, with its variation over clusters; `None` where it is undefined.
pub(super) fn cluster(
    rdm: &[f64],
    subset: &ConditionSubset,
    pairs: &PairList,
    clusters: &PairClusters,
    comparison: Comparison,
) -> Option<Clustered> {
    let hypothesis = model_rdm(subset);
    let y: Vec<Option<f64>> = pairs.iter().map(|(i, j)| hypothesis.value(i, j)).collect();
    let defined: Vec<f64> = y.iter().flatten().copied().collect();
    let x: Vec<f64> = rdm.iter().zip(&y).filter(|(_, y)| y.is_some()).map(|(x, _)| *x).collect();
    let value = compare_vectors(&x, &defined, comparison).ok()?;
    let is_defined: Vec<bool> = y.iter().map(Option::is_some).collect();
    Some(Clustered { value, sums: clusters.influences(&x, &defined, &is_defined, comparison) })
}

pub(super) fn model_rdm(subset: &ConditionSubset) -> &ModelRdm {
    subset.hypothesis.as_ref().expect("subsets are evaluated before they are compared")
}
