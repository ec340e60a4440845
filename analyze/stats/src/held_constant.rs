//! What a comparison does to both sides: it holds nuisances or the effects of single prompts constant, or whitens.

use super::comparison::dot;
use super::error::Undefined;
use super::influence::PartialSide;
use super::orthonormal::{OrthonormalBasis, is_negligible};
use super::prompt_effects::PromptEffects;
use super::whitening::Whitening;

/// What is held constant, over the pairs compared; nothing by default.
#[derive(Debug, Default)]
pub(super) struct HeldConstant {
    /// Effects of prompts, under CKA.
    pub(super) effects: Option<PromptEffects>,
    /// What both sides are multiplied with, under whitened comparisons.
    pub(super) whitening: Option<Whitening>,
    /// The nuisances, prepared and without effects of prompts.
    pub(super) basis: OrthonormalBasis,
}

impl HeldConstant {
    /// Whether what is done to a pair depends on which other pairs there are.
    pub(super) fn needs_all_pairs(&self) -> bool {
        self.effects.is_some() || self.whitening.is_some()
    }

    /// What is left of prepared values, `[n_pairs]`.
    ///
    /// # Errors
    /// `if_constant` where effects of prompts leave rounding, [`Undefined::ExplainedByNuisance`] where the nuisances do.
    pub(super) fn residual(
        &self,
        mut values: Vec<f64>,
        if_constant: Undefined,
    ) -> Result<PartialSide, Undefined> {
        let before = dot(&values, &values);
        if let Some(effects) = &self.effects {
            effects.remove(&mut values);
            if is_negligible(dot(&values, &values), before) {
                return Err(if_constant);
            }
        }
        if let Some(whitening) = &self.whitening {
            return Ok(PartialSide { residual: whitening.whiten(&values), coefficients: Vec::new() });
        }
        let along = self.basis.remove(&mut values);
        match is_negligible(dot(&values, &values), before) {
            true => Err(Undefined::ExplainedByNuisance),
            false => Ok(PartialSide { residual: values, coefficients: self.basis.coefficients(&along) }),
        }
    }
}
