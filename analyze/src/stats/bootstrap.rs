//! How much a comparison varies over items: bootstrap intervals, and values with one prompt left out.
//!
//! Items are drawn with replacement, never pairs: pairs share prompts and are not independent. A pair of
//! an item with itself (two prompts of one item, or two copies of one prompt) is left out, because its
//! similarity says nothing about other items. A draw is a reweighting of the pairs, and the same draw
//! serves every measure, and every condition with the same items, so that differences between
//! conditions are paired.

use rand::RngExt;
use rayon::prelude::*;

use super::comparison::Comparison;
use super::draws::{Purpose, generator};
use super::error::{NumericsError, Undefined, check_finite, check_length, check_range};
use super::pairs::{ModelRdm, PairList};
use super::summary::{Interval, percentile_interval};
use super::weighted::{LANES, Lanes, WeightedComparison};

/// How many draws, from which random stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapSettings {
    /// Number of draws of items.
    pub n_draws: usize,
    /// Seed; store it with the result.
    pub seed: u64,
    /// Stream within the seed. Two calls with the same seed, stream and `n_items` use the same draws.
    pub stream: u64,
}

/// Which item each prompt belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemDesign<'a> {
    /// Item number of each prompt.
    pub items: &'a [u32],
    /// Number of items that are drawn from; conditions to be compared must number them alike. An item
    /// may have no prompt here.
    pub n_items: usize,
}

/// A statistic per measure and draw.
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrapDraws {
    n_draws: usize,
    /// Measure-major.
    values: Vec<Option<f64>>,
}

impl BootstrapDraws {
    /// The draws of measure `m`, in order of draw; `None` where the statistic is undefined.
    pub fn draws(&self, m: usize) -> &[Option<f64>] {
        &self.values[m * self.n_draws..(m + 1) * self.n_draws]
    }

    /// Percentile interval of measure `m` at this confidence (see [`super::summary::CONFIDENCE`]).
    ///
    /// # Errors
    /// [`Undefined::TooFewDefinedResamples`].
    pub fn interval(&self, m: usize, confidence: f64) -> Result<Interval, Undefined> {
        percentile_interval(self.draws(m), confidence)
    }
}

/// How often each item occurs in one draw: `n_items` draws with replacement.
pub fn draw_multiplicities(n_items: usize, settings: BootstrapSettings, draw: usize) -> Vec<u32> {
    let mut random = generator(settings.seed, settings.stream, Purpose::Bootstrap, draw);
    let mut multiplicities = vec![0; n_items];
    for _ in 0..n_items {
        multiplicities[random.random_range(0..n_items as u32) as usize] += 1;
    }
    multiplicities
}

/// Bootstraps the comparison of each measure (aligned with `pairs`) with the hypothesis.
///
/// Equal to repeating the prompts of every drawn item, dropping pairs within an item and comparing what
/// is left. Linear statistics cost one pass over the pairs per measure and draw; Kendall's tau is
/// computed by repetition and is much slower.
///
/// # Errors
/// [`Undefined::NoPairs`], [`Undefined::TooFewPrompts`]; malformed input. A draw without a statistic is
/// `None`.
pub fn bootstrap_comparisons(
    measures: &[&[f64]],
    hypothesis: &ModelRdm,
    pairs: &PairList,
    design: ItemDesign<'_>,
    comparison: Comparison,
    settings: BootstrapSettings,
) -> Result<BootstrapDraws, NumericsError> {
    let mut all = bootstrap_all_comparisons(measures, hypothesis, pairs, design, &[comparison], settings)?;
    Ok(all.swap_remove(0))
}

/// [`bootstrap_comparisons`] for several comparisons, in their order, on the same draws. Those of ranks
/// (rho-a, Spearman) are different scales of the same sums and cost one pass together.
///
/// # Errors
/// As [`bootstrap_comparisons`].
pub fn bootstrap_all_comparisons(
    measures: &[&[f64]],
    hypothesis: &ModelRdm,
    pairs: &PairList,
    design: ItemDesign<'_>,
    comparisons: &[Comparison],
    settings: BootstrapSettings,
) -> Result<Vec<BootstrapDraws>, NumericsError> {
    check_range("item", design.items.iter().map(|&i| i as usize), design.n_items)?;
    let (ranked, others): (Vec<_>, Vec<_>) = comparisons.iter().partition(|c| c.is_ranked());
    let groups = others.into_iter().map(|c| vec![c]).chain((!ranked.is_empty()).then_some(ranked));
    let mut found: Vec<(Comparison, BootstrapDraws)> = Vec::new();
    for group in groups {
        let weighted = weigh(measures, hypothesis, pairs, (design.items, design.items), group[0])?;
        let draws = evaluate_draws(&weighted, &group, settings.n_draws, design.n_items, |draw| {
            draw_multiplicities(design.n_items, settings, draw)
        });
        found.extend(group.into_iter().zip(draws));
    }
    let of = |c: &Comparison| found.iter().find(|(other, _)| other == c).map(|(_, draws)| draws.clone());
    Ok(comparisons.iter().filter_map(of).collect())
}

/// The comparison of each measure with one prompt left out at a time: `result.draws(m)[prompt]`.
///
/// The drop when a prompt is left out is that prompt's share in the alignment, the quantity to
/// set against its behaviour. Pairs within an item are left out throughout.
///
/// # Errors
/// As [`bootstrap_comparisons`].
pub fn leave_one_prompt_out(
    measures: &[&[f64]],
    hypothesis: &ModelRdm,
    pairs: &PairList,
    items: &[u32],
    comparison: Comparison,
) -> Result<BootstrapDraws, NumericsError> {
    let n = pairs.n_prompts();
    let prompts: Vec<u32> = (0..n as u32).collect();
    let weighted = weigh(measures, hypothesis, pairs, (items, &prompts), comparison)?;
    let mut draws = evaluate_draws(&weighted, &[comparison], n, n, |left_out| {
        (0..n).map(|prompt| u32::from(prompt != left_out)).collect()
    });
    Ok(draws.swap_remove(0))
}

/// Draw by draw, `after - before`; undefined where either is. Both must come from the same draws.
///
/// # Errors
/// [`NumericsError::LengthMismatch`].
pub fn paired_differences(
    after: &[Option<f64>],
    before: &[Option<f64>],
) -> Result<Vec<Option<f64>>, NumericsError> {
    check_length("draws", after.len(), before.len())?;
    Ok(after.iter().zip(before).map(|(a, b)| Some((*a)? - (*b)?)).collect())
}

/// Keeps the pairs across items at which the hypothesis is defined; their ends are numbered by `ends`.
fn weigh(
    measures: &[&[f64]],
    hypothesis: &ModelRdm,
    pairs: &PairList,
    (items, ends): (&[u32], &[u32]),
    comparison: Comparison,
) -> Result<WeightedComparison, NumericsError> {
    check_length("hypothesis", pairs.n_prompts(), hypothesis.n_prompts())?;
    check_length("items", pairs.n_prompts(), items.len())?;
    for measure in measures {
        check_length("measure", pairs.len(), measure.len())?;
        check_finite("measure", measure)?;
    }
    let is_included = |i: usize, j: usize| items[i] != items[j] && hypothesis.value(i, j).is_some();
    let positions = pairs.positions_where(is_included);
    let kept = pairs.select(&positions);
    kept.check_enough()?;
    let y: Vec<f64> = kept.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
    let select = |measure: &&[f64]| positions.iter().map(|&p| measure[p]).collect();
    let measures = measures.iter().map(select).collect();
    let ends = kept.iter().map(|(i, j)| (ends[i], ends[j])).collect();
    Ok(WeightedComparison::new(ends, &y, measures, comparison))
}

/// Evaluates draws in blocks of lanes, spread over threads; one result a comparison.
fn evaluate_draws(
    weighted: &WeightedComparison,
    comparisons: &[Comparison],
    n_draws: usize,
    n_ends: usize,
    weights_of: impl Fn(usize) -> Vec<u32> + Sync,
) -> Vec<BootstrapDraws> {
    let evaluate_block = |block: usize| {
        let draws = block * LANES..((block + 1) * LANES).min(n_draws);
        let draws: Vec<Vec<u32>> = draws.map(&weights_of).collect();
        // Lanes beyond the last draw weigh nothing, and their results are not taken.
        let weight = |end: usize, lane: usize| draws.get(lane).map_or(0.0, |draw| f64::from(draw[end]));
        let weights: Vec<Lanes> = (0..n_ends).map(|end| Lanes::from_fn(|lane| weight(end, lane))).collect();
        weighted.evaluate(&weights, comparisons)
    };
    let blocks: Vec<_> = (0..n_draws.div_ceil(LANES)).into_par_iter().map(evaluate_block).collect();
    let n_measures = weighted.n_measures();
    let gather = |c: usize| {
        let of_measure = |m: usize| blocks.iter().flat_map(move |block| block[c][m]).take(n_draws);
        BootstrapDraws { n_draws, values: (0..n_measures).flat_map(of_measure).collect() }
    };
    (0..comparisons.len()).map(gather).collect()
}
