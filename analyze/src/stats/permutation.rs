//! Mantel tests: could the hypothesis with its prompt labels shuffled fit the measure as well?
//!
//! Shuffling labels permutes rows and columns of the hypothesis and leaves the measures alone. So any
//! number of measures over the same prompts (layers, sites, conditions of equal design) share one set
//! of shuffled hypotheses, and the statistics of a block of draws are one matrix product, measures x
//! pairs by pairs x draws. Sharing also gives the max-statistic correction across the measures.
//!
//! **Masks.** The statistic of a draw is taken over the listed pairs at which the shuffled hypothesis
//! is defined, and everything that depends on the set of pairs (ranks, means, norms) is that of this
//! set. When the set is the observed one, the measures' ranks stand and only the hypothesis is ranked
//! anew, by counting; otherwise the draw takes the slow road, which ranks both sides again.
//!
//! **What may be shuffled** is the caller's knowledge, stated as [`Exchangeability`]. Where an item has
//! several prompts and pairs within an item are masked, single prompts are not exchangeable: make the
//! items the units. Guillot & Rousset (2013) on what Mantel tests do not test: spatial or serial
//! dependence in both matrices makes the p-value too small, and blocks are the remedy.

mod blocked;
pub(super) mod labels;

pub use labels::Exchangeability;

use rayon::prelude::*;

use super::comparison::{Comparison, is_constant};
use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::pairs::{ModelRdm, PairList};
use blocked::DrawComputer;
use labels::LabelShuffler;

/// Which draws count against the hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alternative {
    /// Those that fit at least as well: the fit is expected to be positive.
    #[default]
    Greater,
    /// Those at least as far from zero.
    TwoSided,
}

/// How many draws, from which random stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermutationSettings {
    /// Number of shuffles; the smallest possible p-value is 1 / (1 + this).
    pub n_draws: usize,
    /// Seed; store it with the result.
    pub seed: u64,
    /// Stream within the seed: different tests of a study take different numbers.
    pub stream: u64,
    /// Which draws count.
    pub alternative: Alternative,
}

/// One measure's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasureTest {
    /// The statistic with the labels as they are.
    pub estimate: f64,
    /// (1 + draws that fit as well) / (1 + draws).
    pub p_value: f64,
    /// The same with each draw represented by its best measure: corrected for having tried all of the
    /// measures (family-wise, max statistic).
    pub p_familywise: f64,
}

/// The tests of all measures, and what they rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct PermutationResult {
    /// One per measure, in order.
    pub tests: Vec<Result<MeasureTest, Undefined>>,
    /// Pairs in the observed statistic.
    pub n_pairs: usize,
    /// Draws made.
    pub n_draws: usize,
    /// Draws in which some measure had no statistic (a mask left a constant hypothesis, say). They
    /// count as fitting as well, so the p-values err on the safe side.
    pub n_undefined_draws: usize,
    /// Draws whose pairs differed from the observed ones, and which took the slow road.
    pub n_remasked_draws: usize,
}

/// Statistics closer than this are equal: shuffles that leave the hypothesis as it was must count as
/// fitting as well, whatever the order in which their sum was rounded.
const TOLERANCE: f64 = 1e-10;

/// Tests how well each measure (aligned with `pairs`) fits the hypothesis.
///
/// The p-values are exact (valid for any number of draws) under the null that the labels are
/// exchangeable as stated. Linear statistics (rho-a, Spearman, Pearson, cosine) share one matrix
/// product; Kendall's tau is computed draw by draw and is much slower.
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
    check_length("hypothesis", pairs.n_prompts(), hypothesis.n_prompts())?;
    for measure in measures {
        check_length("measure", pairs.len(), measure.len())?;
        check_finite("measure", measure)?;
    }
    let shuffler = LabelShuffler::new(pairs.n_prompts(), exchangeability)?;
    let observed_positions = hypothesis.defined_positions(pairs);
    pairs.select(&observed_positions).check_enough()?;
    if !shuffler.can_shuffle() {
        return Err(Undefined::NothingToPermute.into());
    }
    let observed_values: Vec<f64> = pairs.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
    if is_constant(&observed_values) {
        return Err(Undefined::ConstantHypothesis.into());
    }
    let computer = DrawComputer::new(measures, hypothesis, pairs, &observed_positions, comparison);
    let observed: Vec<Result<f64, Undefined>> =
        computer.compute_observed().into_iter().map(|s| s.ok_or(Undefined::ConstantMeasure)).collect();
    let blocks = compute_draws(&computer, &shuffler, settings);
    let draws: Vec<&blocked::Draw> = blocks.iter().flatten().collect();
    Ok(PermutationResult {
        tests: summarize(&observed, &draws, settings.alternative),
        n_pairs: observed_positions.len(),
        n_draws: settings.n_draws,
        n_undefined_draws: draws.iter().filter(|d| has_missing(d, &observed)).count(),
        n_remasked_draws: draws.iter().filter(|d| d.is_remasked).count(),
    })
}

/// All draws, in blocks that are spread over threads.
fn compute_draws(
    computer: &DrawComputer<'_>,
    shuffler: &LabelShuffler,
    settings: PermutationSettings,
) -> Vec<Vec<blocked::Draw>> {
    let block = computer.draws_per_block();
    let compute_block = |b: usize| {
        let draws = b * block..((b + 1) * block).min(settings.n_draws);
        computer.compute(draws.map(|draw| shuffler.shuffle(settings.seed, settings.stream, draw)).collect())
    };
    (0..settings.n_draws.div_ceil(block)).into_par_iter().map(compute_block).collect()
}

/// Whether a measure with an observed statistic has none in this draw.
fn has_missing(draw: &blocked::Draw, observed: &[Result<f64, Undefined>]) -> bool {
    draw.statistics.iter().zip(observed).any(|(statistic, observed)| statistic.is_none() && observed.is_ok())
}

/// Counts the draws that fit as well, alone and by the best of the measures.
fn summarize(
    observed: &[Result<f64, Undefined>],
    draws: &[&blocked::Draw],
    alternative: Alternative,
) -> Vec<Result<MeasureTest, Undefined>> {
    // An undefined draw is as extreme as can be.
    let extremity = |statistic: Option<f64>| match (statistic, alternative) {
        (None, _) => f64::INFINITY,
        (Some(s), Alternative::Greater) => s,
        (Some(s), Alternative::TwoSided) => s.abs(),
    };
    let best: Vec<f64> = draws
        .iter()
        .map(|draw| {
            let tested = draw.statistics.iter().zip(observed).filter(|(_, observed)| observed.is_ok());
            tested.map(|(&s, _)| extremity(s)).fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    let p = |n_as_extreme: usize| (1 + n_as_extreme) as f64 / (1 + draws.len()) as f64;
    let test = |(m, observed): (usize, &Result<f64, Undefined>)| {
        let estimate = (*observed)?;
        let threshold = extremity(Some(estimate)) - TOLERANCE;
        let alone = draws.iter().filter(|draw| extremity(draw.statistics[m]) >= threshold).count();
        let p_familywise = p(best.iter().filter(|&&b| b >= threshold).count());
        Ok(MeasureTest { estimate, p_value: p(alone), p_familywise })
    };
    observed.iter().enumerate().map(test).collect()
}
