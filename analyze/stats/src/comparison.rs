//! How well a measure (similarities of pairs of prompts) fits a hypothesis about the same pairs.
//!
//! Both sides run the same way, larger = more alike. Inference is left to [`super::permutation`] and
//! [`super::dyadic`].

use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::kendall::PairCounts;
use super::pairs::{ModelRdm, PairList};
use super::ranking::mid_ranks;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The statistic that compares a measure with a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Rank correlation with the expectation over random tie-breaking: the right default for tied
    /// hypotheses (Schütt et al. 2023, eLife 82566). With mid-ranks,
    /// `12 / (n^3 - n) * sum(rank_x * rank_y) - 3 (n + 1) / (n - 1)`. A tied hypothesis cannot reach 1.
    #[default]
    RhoA,
    /// Pearson correlation of mid-ranks.
    Spearman,
    /// Pearson correlation.
    Pearson,
    /// Kendall's tau-a: ties count as neither concordant nor discordant.
    KendallTauA,
    /// Kendall's tau-b: corrected for ties in both.
    KendallTauB,
    /// Cosine of the two vectors, not centred.
    Cosine,
    /// Linear centred kernel alignment, debiased: the correlation of what the effects of single prompts leave of both
    /// ([`super::prompt_effects`]). Over inner products of vectors it is the published statistic; it is 0 on average for
    /// unrelated kernels and can be negative.
    Cka,
    /// Cosine of whitened vectors, not centred: pairs that share a prompt are counted for less ([`super::whitening`]).
    WhitenedCosine,
    /// The same with both sides centred first.
    WhitenedPearson,
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RhoA => "rho_a",
            Self::Spearman => "spearman",
            Self::Pearson => "pearson",
            Self::KendallTauA => "kendall_tau_a",
            Self::KendallTauB => "kendall_tau_b",
            Self::Cosine => "cosine",
            Self::Cka => "cka",
            Self::WhitenedCosine => "whitened_cosine",
            Self::WhitenedPearson => "whitened_pearson",
        })
    }
}

impl Comparison {
    /// Whether the statistic is a product of ranks.
    pub(super) fn is_ranked(self) -> bool {
        matches!(self, Self::RhoA | Self::Spearman)
    }

    /// Whether the statistic is a scaled inner product, so that many can come from one matrix product.
    pub(super) fn is_linear(self) -> bool {
        !matches!(self, Self::KendallTauA | Self::KendallTauB)
    }

    /// Whether the statistic is a correlation of what is left when nuisances are held constant.
    pub fn has_partial_form(self) -> bool {
        matches!(self, Self::Spearman | Self::Pearson | Self::Cka)
    }

    /// Whether pairs count by what they have in common with other pairs, so that the whole list is needed.
    pub fn needs_pair_list(self) -> bool {
        self == Self::Cka || self.is_whitened()
    }

    /// Whether both sides are whitened.
    pub(super) fn is_whitened(self) -> bool {
        matches!(self, Self::WhitenedCosine | Self::WhitenedPearson)
    }

    /// Whether values are compared as they are, not as deviations from their mean.
    pub(super) fn is_uncentred(self) -> bool {
        matches!(self, Self::Cosine | Self::WhitenedCosine)
    }

    /// The vector whose inner product with that of the other side, divided by
    /// [`Comparison::scale`], is the statistic: ranks or values, centred unless under cosine.
    pub(super) fn prepare(self, values: &[f64]) -> Vec<f64> {
        let mut prepared = if self.is_ranked() { mid_ranks(values) } else { values.to_vec() };
        if !self.is_uncentred() {
            center(&mut prepared);
        }
        prepared
    }

    /// What the inner product of two prepared vectors of length `n` is divided by, from their sums of
    /// squares. Positive for vectors that are not constant.
    pub(super) fn scale(self, n: f64, squares_x: f64, squares_y: f64) -> f64 {
        match self {
            // Centring the ranks turns the published form of rho-a into this one.
            Self::RhoA => (n * n * n - n) / 12.0,
            _ => multiply_norms(squares_x, squares_y),
        }
    }
}

/// Compares a measure aligned with `pairs` with a hypothesis, over the pairs where the hypothesis is
/// defined. The value lies in [-1, 1].
///
/// # Errors
/// [`Undefined::NoPairs`], [`Undefined::TooFewPrompts`] (fewer than four prompts in those pairs),
/// [`Undefined::ConstantHypothesis`], [`Undefined::ConstantMeasure`]; malformed input.
pub fn compare(
    measure: &[f64],
    hypothesis: &ModelRdm,
    pairs: &PairList,
    comparison: Comparison,
) -> Result<f64, NumericsError> {
    check_length("measure", pairs.len(), measure.len())?;
    check_finite("measure", measure)?;
    check_length("hypothesis", pairs.n_prompts(), hypothesis.n_prompts())?;
    let positions = hypothesis.defined_positions(pairs);
    pairs.select(&positions).check_enough()?;
    let x: Vec<f64> = positions.iter().map(|&p| measure[p]).collect();
    let y: Vec<f64> = pairs.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
    Ok(compare_vectors(&x, &y, comparison)?)
}

/// Compares two vectors of equal length, all finite. Asks nothing about prompts.
///
/// # Errors
/// [`Undefined::NoPairs`], [`Undefined::ConstantHypothesis`] when `y` is constant (for any statistic:
/// such a hypothesis says nothing), [`Undefined::ConstantMeasure`] when `x` is (under cosine, when it
/// is zero).
///
/// # Panics
/// When the lengths differ.
pub fn compare_vectors(x: &[f64], y: &[f64], comparison: Comparison) -> Result<f64, Undefined> {
    assert_eq!(x.len(), y.len(), "vectors to compare have equal lengths");
    if x.is_empty() {
        return Err(Undefined::NoPairs);
    }
    if is_constant(y) {
        return Err(Undefined::ConstantHypothesis);
    }
    if !is_usable_measure(x, comparison) {
        return Err(Undefined::ConstantMeasure);
    }
    Ok(match comparison {
        Comparison::KendallTauA => PairCounts::new(x, y).tau_a(),
        Comparison::KendallTauB => PairCounts::new(x, y).tau_b(),
        _ => {
            let (x, y) = (comparison.prepare(x), comparison.prepare(y));
            let scale = comparison.scale(x.len() as f64, dot(&x, &x), dot(&y, &y));
            (dot(&x, &y) / scale).clamp(-1.0, 1.0)
        }
    })
}

/// Whether a measure has what the statistic needs: two values, or under cosine one that is not zero.
pub(super) fn is_usable_measure(x: &[f64], comparison: Comparison) -> bool {
    match comparison.is_uncentred() {
        true => x.iter().any(|&v| v != 0.0),
        false => !is_constant(x),
    }
}

/// Whether all entries are equal; true of an empty slice.
pub(super) fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|v| *v == values[0])
}

/// Sum of products, in order.
pub(super) fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

/// The product of two norms from their squares. One root where that is safe, so that equal vectors
/// correlate at exactly 1; two where the product would overflow or vanish.
pub(super) fn multiply_norms(squares_x: f64, squares_y: f64) -> f64 {
    let product = squares_x * squares_y;
    if product.is_normal() { product.sqrt() } else { squares_x.sqrt() * squares_y.sqrt() }
}

/// Subtracts the mean.
pub(super) fn center(values: &mut [f64]) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|v| *v -= mean);
}
