//! Mantel tests: could the hypothesis with its prompt labels permuted fit the measure as well?
//!
//! Permuting labels permutes rows and columns of the hypothesis and leaves the measures alone. So any
//! number of measures over the same prompts (layers, sites, conditions of equal design) share one set
//! of permuted hypotheses, and the statistics of a block of permutations are one matrix product, measures x
//! pairs by pairs x permutations. Sharing also gives the max-statistic correction across the measures.
//!
//! **Masks.** The statistic of a permutation is taken over the listed pairs at which the permuted hypothesis
//! is defined, and everything that depends on the set of pairs (ranks, means, norms) is that of this
//! set. When the set is the observed one, the measures' ranks stand and only the hypothesis is ranked
//! anew, by counting; otherwise the statistic is computed from its definition, which ranks both sides again.
//!
//! **What may be permuted** is the caller's knowledge, stated as [`Exchangeability`]. Where an item has
//! several prompts and pairs within an item are masked, single prompts are not exchangeable: make the
//! items the units. Guillot & Rousset (2013) on what Mantel tests do not test: spatial or serial
//! dependence in both matrices makes the p-value too small, and blocks are the remedy.

mod blocked;
pub(super) mod labels;

pub use labels::{Exchangeability, UnitLabels};

use rayon::prelude::*;

use super::comparison::{Comparison, is_constant};
use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::held_constant::HeldConstant;
use super::pairs::{ModelRdm, PairList};
use super::random::RandomStream;
use blocked::{PermutedStatistics, Sides};
use labels::LabelPermuter;

/// Which permutations count against the hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alternative {
    /// Those that fit at least as well: the fit is expected to be positive.
    #[default]
    Greater,
    /// Those at least as far from zero.
    TwoSided,
}

/// How many permutations, from which random stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermutationSettings {
    /// Number of permutations; the smallest possible p-value is 1 / (1 + this).
    pub n_permutations: usize,
    /// The test's random numbers.
    pub stream: RandomStream,
    /// Which permutations count.
    pub alternative: Alternative,
}

/// One measure's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasureTest {
    /// The statistic with the labels as they are.
    pub estimate: f64,
    /// (1 + permutations that fit as well) / (1 + permutations).
    pub p_value: f64,
    /// The same with each permutation represented by its best measure: corrected for having tried all of the
    /// measures (family-wise, max statistic).
    pub p_value_fwer: f64,
}

/// The tests of all measures, and what they rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationResult {
    /// One per measure, in order.
    pub tests: Vec<Result<MeasureTest, Undefined>>,
    /// Pairs in the observed statistic.
    pub n_pairs: usize,
    /// Permutations made.
    pub n_permutations: usize,
    /// Permutations in which some measure had no statistic (a mask left a constant hypothesis, say). They
    /// count as fitting as well, so the p-values err on the safe side.
    pub n_undefined_permutations: usize,
    /// Permutations whose pairs differed from the observed ones, so that their statistics were computed from the definition.
    pub n_remasked_permutations: usize,
}

/// Statistics closer than this are equal: permutations that leave the hypothesis as it was must count as
/// fitting as well, whatever the order in which their sum was rounded.
const TOLERANCE: f64 = 1e-10;

/// Tests how well each measure (aligned with `pairs`) fits the hypothesis.
///
/// The p-values are exact (valid for any number of permutations) under the null that the labels are
/// exchangeable as stated. Linear statistics (rho-a, Spearman, Pearson, cosine) share one matrix
/// product; Kendall's tau is computed permutation by permutation and is much slower.
///
/// # Errors
/// What makes every measure's test undefined: [`Undefined::NoPairs`], [`Undefined::TooFewPrompts`],
/// [`Undefined::ConstantHypothesis`], [`Undefined::NothingToPermute`]; malformed input. A constant
/// measure is undefined on its own.
pub fn permutation_test(
    measures: &[&[f64]],
    hypothesis: &ModelRdm,
    pairs: &PairList,
    comparison: Comparison,
    exchangeability: Exchangeability<'_>,
    settings: PermutationSettings,
) -> Result<PermutationResult, NumericsError> {
    let nothing = HeldConstant::default();
    test(Sides { measures, hypothesis, pairs, comparison, held: &nothing }, exchangeability, settings)
}

/// Tests the correlation of residual measures with a residual hypothesis, both without what is `held` constant; every
/// permuted hypothesis is freed of it again. Under a whitened `comparison` the measures are whitened, and the hypothesis is
/// not; any other is Pearson's of what has been prepared.
pub(super) fn permutation_test_holding(
    measures: &[&[f64]],
    hypothesis: &ModelRdm,
    (pairs, comparison): (&PairList, Comparison),
    held: &HeldConstant,
    exchangeability: Exchangeability<'_>,
    settings: PermutationSettings,
) -> Result<PermutationResult, NumericsError> {
    let comparison = if comparison.is_whitened() { comparison } else { Comparison::Pearson };
    test(Sides { measures, hypothesis, pairs, comparison, held }, exchangeability, settings)
}

fn test(
    sides: Sides<'_>,
    exchangeability: Exchangeability<'_>,
    settings: PermutationSettings,
) -> Result<PermutationResult, NumericsError> {
    let Sides { measures, hypothesis, pairs, .. } = sides;
    check_length("hypothesis", pairs.n_prompts(), hypothesis.n_prompts())?;
    for measure in measures {
        check_length("measure", pairs.len(), measure.len())?;
        check_finite("measure", measure)?;
    }
    let permuter = LabelPermuter::new(pairs.n_prompts(), exchangeability)?;
    let observed_positions = hypothesis.defined_positions(pairs);
    pairs.select(&observed_positions).check_enough()?;
    if !permuter.can_permute() {
        return Err(Undefined::NothingToPermute.into());
    }
    let observed_values: Vec<f64> = pairs.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
    if is_constant(&observed_values) {
        return Err(Undefined::ConstantHypothesis.into());
    }
    let computer = PermutedStatistics::new(sides, &observed_positions, exchangeability.labels);
    let observed: Vec<Result<f64, Undefined>> =
        computer.compute_observed().into_iter().map(|s| s.ok_or(Undefined::ConstantMeasure)).collect();
    let blocks = compute_permutations(&computer, &permuter, settings);
    let permutations: Vec<&blocked::Permuted> = blocks.iter().flatten().collect();
    Ok(PermutationResult {
        tests: summarize(&observed, &permutations, settings.alternative),
        n_pairs: observed_positions.len(),
        n_permutations: settings.n_permutations,
        n_undefined_permutations: permutations.iter().filter(|d| has_missing(d, &observed)).count(),
        n_remasked_permutations: permutations.iter().filter(|d| d.is_remasked).count(),
    })
}

/// All permutations, in blocks that are spread over threads.
fn compute_permutations(
    computer: &PermutedStatistics<'_>,
    permuter: &LabelPermuter,
    settings: PermutationSettings,
) -> Vec<Vec<blocked::Permuted>> {
    let block = computer.permutations_per_block();
    let compute_block = |b: usize| {
        let permutations = b * block..((b + 1) * block).min(settings.n_permutations);
        computer
            .compute(permutations.map(|permutation| permuter.permute(settings.stream, permutation)).collect())
    };
    (0..settings.n_permutations.div_ceil(block)).into_par_iter().map(compute_block).collect()
}

/// Whether a measure with an observed statistic has none in this permutation.
fn has_missing(permutation: &blocked::Permuted, observed: &[Result<f64, Undefined>]) -> bool {
    permutation
        .statistics
        .iter()
        .zip(observed)
        .any(|(statistic, observed)| statistic.is_none() && observed.is_ok())
}

/// Counts the permutations that fit as well, alone and by the best of the measures.
fn summarize(
    observed: &[Result<f64, Undefined>],
    permutations: &[&blocked::Permuted],
    alternative: Alternative,
) -> Vec<Result<MeasureTest, Undefined>> {
    // An undefined permutation is as extreme as can be.
    let extremity = |statistic: Option<f64>| match (statistic, alternative) {
        (None, _) => f64::INFINITY,
        (Some(s), Alternative::Greater) => s,
        (Some(s), Alternative::TwoSided) => s.abs(),
    };
    let best: Vec<f64> = permutations
        .iter()
        .map(|permutation| {
            let tested = permutation.statistics.iter().zip(observed).filter(|(_, observed)| observed.is_ok());
            tested.map(|(&s, _)| extremity(s)).fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    let p = |n_as_extreme: usize| (1 + n_as_extreme) as f64 / (1 + permutations.len()) as f64;
    let test = |(m, observed): (usize, &Result<f64, Undefined>)| {
        let estimate = (*observed)?;
        let threshold = extremity(Some(estimate)) - TOLERANCE;
        let alone = permutations
            .iter()
            .filter(|permutation| extremity(permutation.statistics[m]) >= threshold)
            .count();
        let p_value_fwer = p(best.iter().filter(|&&b| b >= threshold).count());
        Ok(MeasureTest { estimate, p_value: p(alone), p_value_fwer })
    };
    observed.iter().enumerate().map(test).collect()
}
