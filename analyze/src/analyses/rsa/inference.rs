//! Estimates, tests and intervals of one entry, all layers of a condition together.

use super::condition_subset::ConditionSubset;
use super::similarities::{Measure, Measured};
use super::{Alignment, Hypothesis};
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use crate::settings::AnalysisSettings;
use crate::states::LayerSite;
use crate::stats::bootstrap::{
    BootstrapDraws, BootstrapSettings, ItemDesign, bootstrap_all_comparisons, paired_differences,
};
use crate::stats::comparison::compare;
use crate::stats::permutation::{
    Alternative, Exchangeability, MeasureTest, PermutationSettings, permutation_test,
};
use crate::stats::summary::percentile_interval;
use crate::stats::{Comparison, ModelRdm, Normalization, PairList, Similarity, Undefined};
use hypercolumn_schemas::tables::RsaRow;
use hypercolumn_schemas::{Pooling, Progress};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the rows of one entry have in common.
pub(super) struct Scope<'a> {
    /// The study's entry.
    pub entry: &'a Hypothesis,
    /// The pooling, one of the entry's.
    pub pooling: Pooling,
    /// Whether this pooling gives the measure that is set against behaviour.
    pub is_first_pooling: bool,
    /// Draws and seed.
    pub settings: &'a AnalysisSettings,
}

/// One entry about to be computed.
pub(super) struct Inference<'a> {
    /// What its rows have in common.
    pub scope: Scope<'a>,
    /// The task's prompts.
    pub prompts: &'a TaskPrompts,
    /// Similarities of the prompts of all subsets.
    pub measured: &'a Measured,
}

/// How vectors and matrices are compared.
#[derive(Clone, Copy)]
struct Way {
    normalization: Normalization,
    similarity: Similarity,
    comparison: Comparison,
}

/// One layer_site's numbers in one subset.
#[derive(Clone, Default)]
struct Aligned {
    estimate: Option<f64>,
    p_value: Option<f64>,
    p_familywise: Option<f64>,
    draws: Vec<Option<f64>>,
    reason: Option<String>,
}

/// A change against the reference condition.
#[derive(Clone, Copy, Default)]
struct Change {
    estimate: Option<f64>,
    p_value: Option<f64>,
    interval: Option<(f64, f64)>,
}

impl Inference<'_> {
    /// Computes the rows of all conditions and ways, and the measures.
    pub(super) fn run(
        &self,
        subsets: &[ConditionSubset],
        alignment: &mut Alignment,
        progress: &dyn Progress,
    ) -> Result<(), AnalyzeError> {
        let entry = self.scope.entry;
        for &normalization in &entry.normalization {
            for &similarity in &entry.similarity {
                self.run_geometry(subsets, normalization, similarity, alignment)?;
            }
        }
        if self.scope.is_first_pooling {
            for (f, subset) in subsets.iter().enumerate() {
                self.measure_prompts(f, subset, alignment);
            }
        }
        progress.advance(subsets.len() as u64);
        Ok(())
    }

    /// All comparisons of one kind of similarities.
    fn run_geometry(
        &self,
        subsets: &[ConditionSubset],
        normalization: Normalization,
        similarity: Similarity,
        alignment: &mut Alignment,
    ) -> Result<(), AnalyzeError> {
        let comparisons = &self.scope.entry.comparison;
        let mut by_subset: Vec<Vec<Vec<Aligned>>> = Vec::with_capacity(subsets.len());
        for (f, subset) in subsets.iter().enumerate() {
            by_subset.push(self.align(subset, self.measured.of(f, normalization, similarity))?);
        }
        for (c, &comparison) in comparisons.iter().enumerate() {
            let way = Way { normalization, similarity, comparison };
            let aligned: Vec<Vec<Aligned>> =
                by_subset.iter_mut().map(|subset| std::mem::take(&mut subset[c])).collect();
            self.push_rows(subsets, &aligned, way, alignment)?;
        }
        Ok(())
    }

    fn push_rows(
        &self,
        subsets: &[ConditionSubset],
        aligned: &[Vec<Aligned>],
        way: Way,
        alignment: &mut Alignment,
    ) -> Result<(), AnalyzeError> {
        for (f, subset) in subsets.iter().enumerate() {
            let reference = find_reference(subsets, f);
            let changes = match reference {
                Some(r) => self.changes(subsets, (r, f), aligned, way)?,
                None => vec![Change::default(); aligned[f].len()],
            };
            let reference = reference.map(|r| Arc::clone(&subsets[r].condition));
            let n_pairs = model_rdm(subset).defined_positions(&subset.pairs).len();
            for (p, (one, change)) in aligned[f].iter().zip(changes).enumerate() {
                let layer_site = &self.measured.layer_sites[p];
                let row = RowParts {
                    subset,
                    layer_site,
                    n_pairs,
                    way,
                    aligned: one,
                    reference: reference.as_ref(),
                    change,
                };
                alignment.rows.push(self.row(&row));
            }
        }
        Ok(())
    }

    /// Estimates, permutation tests and draws of every layer_site in one subset, by comparison.
    fn align(
        &self,
        subset: &ConditionSubset,
        measures: &[Measure],
    ) -> Result<Vec<Vec<Aligned>>, AnalyzeError> {
        let comparisons = &self.scope.entry.comparison;
        let mut blank = vec![Aligned::default(); measures.len()];
        let mut defined = Vec::new();
        for (p, measure) in measures.iter().enumerate() {
            match measure {
                Ok(values) => defined.push((p, values.as_slice())),
                Err(error) => blank[p].reason = Some(undefined(error.clone())?.to_string()),
            }
        }
        let (layer_sites, values): (Vec<usize>, Vec<&[f64]>) = defined.into_iter().unzip();
        let mut aligned = vec![blank; comparisons.len()];
        for (tests, aligned) in self.test_all(subset, &values)?.into_iter().zip(&mut aligned) {
            layer_sites.iter().zip(tests).for_each(|(&p, test)| aligned[p] = test);
        }
        let items = subset.distinct_items();
        if let Some(draws) = self.draw(subset, &subset.pairs, &values, comparisons, &items)? {
            for (draws, aligned) in draws.iter().zip(&mut aligned) {
                for (m, &p) in layer_sites.iter().enumerate() {
                    aligned[p].draws = draws.draws(m).to_vec();
                }
            }
        }
        Ok(aligned)
    }

    /// Tests by comparison, one a measure.
    fn test_all(
        &self,
        subset: &ConditionSubset,
        measures: &[&[f64]],
    ) -> Result<Vec<Vec<Aligned>>, AnalyzeError> {
        let mut ranked: Option<Vec<Aligned>> = None;
        let mut tests = Vec::new();
        for &comparison in &self.scope.entry.comparison {
            let is_ranked = matches!(comparison, Comparison::RhoA | Comparison::Spearman);
            let known = ranked.as_ref().filter(|_| is_ranked);
            let rescaled = match known {
                Some(known) => rescale(subset, measures, comparison, known),
                None => None,
            };
            let tested = match rescaled {
                Some(rescaled) => rescaled,
                None => {
                    let (tested, is_shareable) = self.test(subset, measures, comparison)?;
                    if is_ranked && is_shareable {
                        ranked = Some(tested.clone());
                    }
                    tested
                }
            };
            tests.push(tested);
        }
        Ok(tests)
    }

    /// The permutation test of each measure, and whether every draw compared the same pairs.
    fn test(
        &self,
        subset: &ConditionSubset,
        measures: &[&[f64]],
        comparison: Comparison,
    ) -> Result<(Vec<Aligned>, bool), AnalyzeError> {
        let n_draws = self.scope.settings.n_permutations as usize;
        let seed = self.scope.settings.seed;
        let settings = PermutationSettings { n_draws, seed, stream: 0, alternative: Alternative::Greater };
        let units = (!subset.is_rectangle && subset.has_repeated_items()).then_some(subset.items.as_slice());
        let allowed = Exchangeability { units, blocks: subset.blocks.as_deref() };
        let hypothesis = model_rdm(subset);
        let of_test = |test: Result<MeasureTest, Undefined>| match test {
            Ok(test) => Aligned {
                estimate: Some(test.estimate),
                p_value: (n_draws > 0).then_some(test.p_value),
                p_familywise: (n_draws > 0).then_some(test.p_familywise),
                ..Aligned::default()
            },
            Err(reason) => Aligned { reason: Some(reason.to_string()), ..Aligned::default() },
        };
        match permutation_test(measures, hypothesis, &subset.pairs, comparison, allowed, settings) {
            Ok(result) => {
                let is_shareable = result.n_remasked_draws == 0 && result.n_undefined_draws == 0;
                Ok((result.tests.into_iter().map(of_test).collect(), is_shareable))
            }
            Err(error) => {
                let reason = undefined(error)?;
                // Labels that cannot move leave the estimate as it is.
                let estimate = |measure: &&[f64]| {
                    let stands = reason == Undefined::NothingToPermute;
                    stands.then(|| compare(measure, hypothesis, &subset.pairs, comparison).ok()).flatten()
                };
                let aligned = |measure: &&[f64]| Aligned {
                    estimate: estimate(measure),
                    reason: Some(reason.to_string()),
                    ..Aligned::default()
                };
                Ok((measures.iter().map(aligned).collect(), false))
            }
        }
    }

    /// The draws of each measure over `items`, by comparison; `None` where there can be none.
    fn draw(
        &self,
        subset: &ConditionSubset,
        pairs: &PairList,
        measures: &[&[f64]],
        comparisons: &[Comparison],
        items: &BTreeSet<u32>,
    ) -> Result<Option<Vec<BootstrapDraws>>, AnalyzeError> {
        let n_draws = self.scope.settings.n_bootstraps as usize;
        if n_draws == 0 || measures.is_empty() {
            return Ok(None);
        }
        // Numbered by rank, so that two subsets with the same items get the same draws. An item that is
        // not drawn from has no pair here; its number is never read.
        let order: Vec<u32> = items.iter().copied().collect();
        let rank = |item: &u32| order.partition_point(|other| other < item).min(order.len() - 1) as u32;
        let ranks: Vec<u32> = subset.items.iter().map(rank).collect();
        let design = ItemDesign { items: &ranks, n_items: order.len() };
        let settings = BootstrapSettings { n_draws, seed: self.scope.settings.seed, stream: 0 };
        match bootstrap_all_comparisons(measures, model_rdm(subset), pairs, design, comparisons, settings) {
            Ok(draws) => Ok(Some(draws)),
            Err(error) => undefined(error).map(|_| None),
        }
    }

    /// The change of every layer_site from subset `r` to subset `f`, on the items that both have.
    fn changes(
        &self,
        subsets: &[ConditionSubset],
        (r, f): (usize, usize),
        aligned: &[Vec<Aligned>],
        way: Way,
    ) -> Result<Vec<Change>, AnalyzeError> {
        let (before, after) = (subsets[r].distinct_items(), subsets[f].distinct_items());
        let pair = if before == after {
            (aligned[r].clone(), aligned[f].clone())
        } else {
            let shared = before.intersection(&after).copied().collect();
            (self.restrict(subsets, r, &shared, way)?, self.restrict(subsets, f, &shared, way)?)
        };
        let confidence = self.scope.settings.confidence;
        let change = |(before, after): (&Aligned, &Aligned)| {
            let estimate = after.estimate.zip(before.estimate).map(|(a, b)| a - b);
            let draws = paired_differences(&after.draws, &before.draws).unwrap_or_default();
            let interval = percentile_interval(&draws, confidence).ok().map(|i| (i.low, i.high));
            let defined: Vec<f64> = draws.into_iter().flatten().collect();
            let p_value = interval.and(two_sided(&defined));
            Change { estimate, p_value, interval }
        };
        Ok(pair.0.iter().zip(&pair.1).map(change).collect())
    }

    /// Estimates and draws on some of a subset's items.
    fn restrict(
        &self,
        subsets: &[ConditionSubset],
        f: usize,
        items: &BTreeSet<u32>,
        way: Way,
    ) -> Result<Vec<Aligned>, AnalyzeError> {
        let subset = &subsets[f];
        let is_kept =
            |i: usize, j: usize| items.contains(&subset.items[i]) && items.contains(&subset.items[j]);
        let kept: Vec<usize> =
            subset.pairs.iter().enumerate().filter(|(_, (i, j))| is_kept(*i, *j)).map(|(k, _)| k).collect();
        let pairs = subset.pairs.select(&kept);
        let measures = self.measured.of(f, way.normalization, way.similarity);
        let mut aligned = vec![Aligned::default(); measures.len()];
        for (one, measure) in aligned.iter_mut().zip(measures) {
            let Ok(measure) = measure else { continue };
            let values: Vec<f64> = kept.iter().map(|&k| measure[k]).collect();
            one.estimate = compare(&values, model_rdm(subset), &pairs, way.comparison).ok();
            if let Some(draws) = self.draw(subset, &pairs, &[&values], &[way.comparison], items)? {
                one.draws = draws[0].draws(0).to_vec();
            }
        }
        Ok(aligned)
    }

    fn row(&self, parts: &RowParts<'_>) -> RsaRow {
        let (entry, settings) = (self.scope.entry, self.scope.settings);
        let RowParts { subset, layer_site, way, aligned, change, .. } = parts;
        let interval = percentile_interval(&aligned.draws, settings.confidence).ok();
        let interval = interval.filter(|_| aligned.estimate.is_some());
        RsaRow {
            condition: subset.condition.to_string(),
            layer: layer_site.layer,
            site: layer_site.site.to_string(),
            role: entry.segment.clone(),
            pooling: self.scope.pooling.name().to_owned(),
            normalization: way.normalization.to_string(),
            similarity: way.similarity.to_string(),
            hypothesis: entry.hypothesis.clone(),
            comparison: way.comparison.to_string(),
            estimate: aligned.estimate,
            p_value: aligned.p_value,
            q_value: None,
            p_value_max: aligned.p_familywise,
            ci_low: interval.map(|i| i.low),
            ci_high: interval.map(|i| i.high),
            n_prompts: subset.prompts.len() as i32,
            n_pairs: parts.n_pairs as i32,
            reference_condition: parts.reference.map(|r| r.to_string()),
            change: change.estimate,
            change_p_value: change.p_value,
            change_ci_low: change.interval.map(|i| i.0),
            change_ci_high: change.interval.map(|i| i.1),
            n_permutations: settings.n_permutations as i32,
            n_bootstraps: settings.n_bootstraps as i32,
            seed: settings.seed.to_string(),
            reason: aligned.reason.clone(),
        }
    }
}

/// What one row says.
struct RowParts<'a> {
    subset: &'a ConditionSubset,
    layer_site: &'a LayerSite,
    /// Pairs that the hypothesis says something of.
    n_pairs: usize,
    way: Way,
    aligned: &'a Aligned,
    reference: Option<&'a Arc<str>>,
    change: Change,
}

/// The tests of one comparison of ranks from those of another. Where every draw compares the same pairs,
/// one is a constant times the other, so that draws exceed the observed value in both or in neither. The
/// largest over measures agrees only if the constant is the same for all (no measure has more ties than
/// another); `None` where it is not.
fn rescale(
    subset: &ConditionSubset,
    measures: &[&[f64]],
    comparison: Comparison,
    known: &[Aligned],
) -> Option<Vec<Aligned>> {
    let estimate = |measure: &&[f64]| compare(measure, model_rdm(subset), &subset.pairs, comparison).ok();
    let estimates: Vec<Option<f64>> = measures.par_iter().map(estimate).collect();
    let factor = |(estimate, known): (&Option<f64>, &Aligned)| Some((*estimate)? / known.estimate?);
    let factors: Vec<f64> = estimates.iter().zip(known).filter_map(factor).collect();
    let is_constant = factors.iter().all(|f| (f - factors[0]).abs() <= SAME_FACTOR * factors[0].abs());
    let rescale = |(one, estimate): (&Aligned, Option<f64>)| Aligned { estimate, ..one.clone() };
    is_constant.then(|| known.iter().zip(estimates).map(rescale).collect())
}

/// Factors that differ by less than this share differ by rounding.
const SAME_FACTOR: f64 = 1e-9;

/// The subset before `f` in the task's order (fewest examples first) that shares items with it.
fn find_reference(subsets: &[ConditionSubset], f: usize) -> Option<usize> {
    let own = subsets[f].distinct_items();
    (0..f).find(|&r| !subsets[r].distinct_items().is_disjoint(&own))
}

pub(super) fn model_rdm(subset: &ConditionSubset) -> &ModelRdm {
    subset.hypothesis.as_ref().expect("subsets are evaluated before they are compared")
}

/// The reason for a null; any other error is a fault of this program.
fn undefined(error: crate::stats::NumericsError) -> Result<Undefined, AnalyzeError> {
    error.undefined().ok_or(AnalyzeError::Numerics(error))
}

/// Twice the share of draws on the far side of zero, the observed one counted.
fn two_sided(draws: &[f64]) -> Option<f64> {
    if draws.is_empty() {
        return None;
    }
    let below = draws.iter().filter(|&&d| d <= 0.0).count();
    let above = draws.iter().filter(|&&d| d >= 0.0).count();
    let share = (1 + below.min(above)) as f64 / (1 + draws.len()) as f64;
    Some((2.0 * share).min(1.0))
}
