//! Comparison of a hypothesis with its rival: which of the two do the similarities follow more closely?
//!
//! Both are compared with the same similarities over the pairs of which both say something, so that the difference of the
//! two alignments varies over clusters as a change does. Permuted labels would test that neither fits, which says nothing of
//! two hypotheses that both do.

use super::change::{AgainstRival, Difference, test_differences};
use super::clustered::{Aligner, Way, model_rdm};
use super::condition_subset::ConditionSubset;
use super::inference::Inference;
use super::similarities::Rdm;
use crate::error::AnalyzeError;
use crate::stats::{ModelRdm, NumericsError, PairList};
use rayon::prelude::*;

impl Inference<'_> {
    /// The comparison at every layer and site, in the order of `rdms`; nothing without a rival.
    pub(super) fn compare_with_rival(
        &self,
        subset: &ConditionSubset,
        rdms: &[Rdm],
        zero: Option<&[f64]>,
        way: Way,
    ) -> Result<Vec<AgainstRival>, AnalyzeError> {
        let Some(rival) = &subset.rival else { return Ok(vec![AgainstRival::default(); rdms.len()]) };
        let own = model_rdm(subset);
        let aligner = |hypothesis: &ModelRdm, other: &ModelRdm| {
            let masked = mask(hypothesis, other, &subset.pairs)?;
            let of = (subset, &masked);
            Aligner::with_hypothesis(of, &subset.pairs, way.comparison, self.scope.n_clusters, zero)
        };
        let (own, rival) = (aligner(own, rival)?, aligner(rival, own)?);
        let compare = |rdm: &Rdm| -> Result<(f64, Difference), NumericsError> {
            let rdm = rdm.as_ref().map_err(Clone::clone)?;
            let (own, rival) = (own.align(rdm)?, rival.align(rdm)?);
            let sums = own.sums.minus(&rival.sums);
            Ok((rival.value, Difference { value: own.value - rival.value, sums }))
        };
        let compared: Vec<Result<(f64, Difference), NumericsError>> = rdms.par_iter().map(compare).collect();
        let estimates: Vec<Option<f64>> =
            compared.iter().map(|found| found.as_ref().ok().map(|(rival, _)| *rival)).collect();
        let differences = compared.into_iter().map(|found| found.map(|(_, difference)| difference)).collect();
        let name = format!("rival {}", subset.name);
        let stream = self.stream(&name, (way.normalization, way.similarity));
        let tested = test_differences(differences, self.context.settings, stream)?;
        let against = |(estimate, difference)| AgainstRival { estimate, difference };
        Ok(estimates.into_iter().zip(tested).map(against).collect())
    }
}

/// A hypothesis at the pairs of which another says something too.
fn mask(hypothesis: &ModelRdm, other: &ModelRdm, pairs: &PairList) -> Result<ModelRdm, NumericsError> {
    let value = |(i, j)| other.value(i, j).and_then(|_| hypothesis.value(i, j));
    ModelRdm::on_pairs(pairs, &pairs.iter().map(value).collect::<Vec<_>>())
}
