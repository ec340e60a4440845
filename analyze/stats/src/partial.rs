//! Comparison with a hypothesis while something else is held constant: nuisances (words in common, difference in length),
//! or, in centred kernel alignment, the effects of single prompts. Whitened comparisons go the same way.
//!
//! Measure and hypothesis are each replaced by what a linear regression leaves of them (after ranking, for Spearman); the
//! partial comparison is the correlation of the residuals.
//!
//! The permutation test permutes the residual hypothesis over the labels of units, regresses it on the nuisances again, and
//! recomputes the partial correlation: double semi-partialling (Dekker, Krackhardt & Snijders 2007, "Sensitivity of MRQAP
//! tests to collinearity and autocorrelation conditions"), which keeps its level where hypothesis and nuisances go together.
//! With nothing but effects of prompts held constant it is the plain test, which is exact.

use super::comparison::{Comparison, compare_vectors, dot, is_constant};
use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::held_constant::HeldConstant;
use super::influence::{PartialInfluence, PartialSide};
use super::orthonormal::OrthonormalBasis;
use super::pairs::{ModelRdm, PairList};
use super::permutation::{
    Exchangeability, PermutationResult, PermutationSettings, UnitLabels, permutation_test_holding,
};
use super::prompt_effects::PromptEffects;
use super::whitening::Whitening;

/// A hypothesis with what is held constant: what all measures over the same pairs share.
#[derive(Debug)]
pub struct PartialComparison {
    comparison: Comparison,
    /// Among the listed pairs, those at which hypothesis and all nuisances are defined.
    positions: Vec<usize>,
    pairs: PairList,
    /// The hypothesis at these pairs.
    values: Vec<f64>,
    hypothesis: PartialSide,
    influence: PartialInfluence,
    held: HeldConstant,
}

impl PartialComparison {
    /// Prepares the comparison over `pairs`; each of `nuisances` is `[n_pairs]`, null where a pair is to be left out.
    ///
    /// # Errors
    /// What makes everything undefined: no pairs, too few prompts, a hypothesis that is constant or explained by the
    /// nuisances, under CKA and whitened one that is null for some pair; [`NumericsError::NoPartialForm`] unless `comparison`
    /// is Spearman, Pearson or CKA, or whitened and there are no nuisances; malformed input.
    pub fn new(
        hypothesis: &ModelRdm,
        nuisances: &[Vec<Option<f64>>],
        pairs: &PairList,
        comparison: Comparison,
    ) -> Result<Self, NumericsError> {
        let is_whitened_alone = comparison.is_whitened() && nuisances.is_empty();
        if !comparison.has_partial_form() && !is_whitened_alone {
            return Err(NumericsError::NoPartialForm { comparison: comparison.to_string() });
        }
        check_length("hypothesis", pairs.n_prompts(), hypothesis.n_prompts())?;
        nuisances.iter().try_for_each(|nuisance| check_length("nuisance", pairs.len(), nuisance.len()))?;
        let is_held = |p: &usize| nuisances.iter().all(|nuisance| nuisance[*p].is_some());
        let positions: Vec<usize> = hypothesis.defined_positions(pairs).into_iter().filter(is_held).collect();
        let kept = pairs.select(&positions);
        kept.check_enough()?;
        if comparison.needs_pair_list() && kept.len() < pairs.len() {
            return Err(Undefined::IncompleteHypothesis.into());
        }
        let values: Vec<f64> = kept.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
        if is_constant(&values) {
            return Err(Undefined::ConstantHypothesis.into());
        }
        let of_nuisance = |nuisance: &Vec<Option<f64>>| -> Vec<f64> {
            positions.iter().filter_map(|&p| nuisance[p]).collect()
        };
        let nuisances: Vec<Vec<f64>> = nuisances.iter().map(of_nuisance).collect();
        nuisances.iter().try_for_each(|nuisance| check_finite("nuisance", nuisance))?;
        let mut held = HeldConstant {
            effects: (comparison == Comparison::Cka).then(|| PromptEffects::new(kept.clone())),
            whitening: comparison.is_whitened().then(|| Whitening::new(kept.clone())).transpose()?,
            basis: OrthonormalBasis::default(),
        };
        let prepared = nuisances.iter().map(|nuisance| {
            let mut values = comparison.prepare(nuisance);
            held.effects.iter().for_each(|effects| effects.remove(&mut values));
            values
        });
        held.basis = OrthonormalBasis::new(prepared);
        let side = held.residual(comparison.prepare(&values), Undefined::ConstantHypothesis)?;
        let influence = PartialInfluence::new(&values, &nuisances, comparison);
        Ok(Self { comparison, positions, pairs: kept, values, hypothesis: side, influence, held })
    }

    /// Among the listed pairs, those compared.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The residuals of a measure, `[n_listed_pairs]`.
    ///
    /// # Errors
    /// [`Undefined::ConstantMeasure`], [`Undefined::ExplainedByNuisance`]; malformed input.
    pub fn hold_constant(&self, measure: &[f64]) -> Result<MeasureResiduals, NumericsError> {
        check_finite("measure", measure)?;
        let values: Vec<f64> = self.positions.iter().map(|&p| measure[p]).collect();
        if is_constant(&values) {
            return Err(Undefined::ConstantMeasure.into());
        }
        let side = self.held.residual(self.comparison.prepare(&values), Undefined::ConstantMeasure)?;
        Ok(MeasureResiduals { values, side })
    }

    /// The comparison with a measure.
    pub fn estimate(&self, measure: &MeasureResiduals) -> f64 {
        let (x, y) = (&measure.side.residual, &self.hypothesis.residual);
        (dot(x, y) / Comparison::Pearson.scale(x.len() as f64, dot(x, x), dot(y, y))).clamp(-1.0, 1.0)
    }

    /// The comparison over some of the pairs compared, which are numbered among [`PartialComparison::positions`]: a prompt's
    /// own alignment. `None` where the residuals do not vary there.
    pub fn estimate_over(&self, measure: &MeasureResiduals, pairs: &[usize]) -> Option<f64> {
        let of = |side: &PartialSide| -> Vec<f64> { pairs.iter().map(|&p| side.residual[p]).collect() };
        compare_vectors(&of(&measure.side), &of(&self.hypothesis), Comparison::Pearson).ok()
    }

    /// Influences of the pairs compared on the comparison with a measure, `[n_positions]`.
    pub fn influences(&self, measure: &MeasureResiduals) -> Vec<f64> {
        self.influence.of(&measure.values, &measure.side, &self.hypothesis)
    }

    /// Tests the comparison with each measure, by permuting the residual hypothesis.
    ///
    /// # Errors
    /// [`Undefined::NothingToPermute`]; malformed input.
    pub fn permutation_test(
        &self,
        measures: &[&MeasureResiduals],
        exchangeability: Exchangeability<'_>,
        settings: PermutationSettings,
    ) -> Result<PermutationResult, NumericsError> {
        let measures: Vec<&[f64]> = measures.iter().map(|m| m.side.residual.as_slice()).collect();
        // Units of different size exchange labels that all of their prompts share, which residuals are not.
        let keeps_residuals = exchangeability.labels == UnitLabels::ByPrompt;
        let is_raw = !keeps_residuals && self.held.basis.directions.is_empty();
        let is_raw = is_raw || self.held.whitening.is_some();
        let permuted = if is_raw { &self.values } else { &self.hypothesis.residual };
        let permuted: Vec<Option<f64>> = permuted.iter().map(|v| Some(*v)).collect();
        let hypothesis = ModelRdm::on_pairs(&self.pairs, &permuted)?;
        let over = (&self.pairs, self.comparison);
        permutation_test_holding(&measures, &hypothesis, over, &self.held, exchangeability, settings)
    }
}

/// A measure with what is left of it.
#[derive(Debug)]
pub struct MeasureResiduals {
    /// Its values at the pairs compared.
    values: Vec<f64>,
    side: PartialSide,
}
