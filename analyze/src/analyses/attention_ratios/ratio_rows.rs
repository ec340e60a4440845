//! Attention ratios as rows of their tables.

use super::Prepared;
use super::contrast::{Contrasted, Contrasts};
use super::masses::{HeadReduction, Masses, RowPrompts, keys_without_first_token};
use super::tests_over_clusters::{GroupPair, Tested, Tests, defined};
use crate::analyses::measures::{ATTENTION, Measure};
use crate::error::AnalyzeError;
use crate::stats::Undefined;
use crate::stats::clusters::{ClusterEstimate, mean_over_clusters};
use crate::stats::summary::mean;
use hypercolumn_schemas::tables::{AttentionRatioRow, MeasureRow};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The contrasts of each group.
pub(super) fn contrasts(one: &Prepared, groups: &[RowPrompts]) -> Vec<Contrasts> {
    groups.par_iter().map(|group| Contrasts::new(group, &one.keys, one.is_controlled)).collect()
}

/// The rows of an entry.
pub(super) fn rows(tests: Tests<'_>) -> Result<Vec<AttentionRatioRow>, AnalyzeError> {
    let levels = tests.levels()?;
    let pair = |after| Some(GroupPair { before: find_reference(tests, after)?, after });
    let pairs: Vec<GroupPair> = (0..tests.groups.len()).filter_map(pair).collect();
    let mut changes: Vec<Option<(usize, Tested)>> = tests.groups.iter().map(|_| None).collect();
    for (pair, change) in pairs.iter().zip(tests.changes(&pairs, "reference")?) {
        changes[pair.after] = Some((pair.before, change));
    }
    let without = WithoutFirstToken::new(tests);
    let row = |(at, (level, change))| Ratio { tests, at, level, change, without: &without }.row();
    let tested: Vec<(Tested, Option<(usize, Tested)>)> = levels.into_iter().zip(changes).collect();
    tested.par_iter().map(|(level, change)| (level, change.as_ref())).enumerate().map(row).collect()
}

/// The same head and layer in the condition that a group's is compared with.
fn find_reference(tests: Tests<'_>, at: usize) -> Option<usize> {
    let reference = match tests.context.design.reference {
        Some(declared) => Some(declared),
        None => tests.groups.iter().map(|group| group.condition).min(),
    };
    tests.find(reference.filter(|reference| *reference != tests.groups[at].condition)?, at)
}

/// Ratio and contrast of each group with the first token left out; nothing where attention to it was not kept.
struct WithoutFirstToken {
    of: Vec<Option<(Option<f64>, Option<f64>)>>,
}

impl WithoutFirstToken {
    fn new(Tests { one, groups, .. }: Tests<'_>) -> Self {
        if !one.keeps_first_token || one.entry.leave_out_first_token {
            return Self { of: vec![None; groups.len()] };
        }
        let keys = keys_without_first_token(&one.keys);
        let of_group = |group: &RowPrompts| {
            let group = group.without_first_token(&one.keys);
            let ratios: Vec<f64> = group.masses.iter().filter_map(|m| m.log_ratio(&keys[m.prompt])).collect();
            let contrasts = Contrasts::new(&group, &keys, one.is_controlled);
            let contrasts: Vec<f64> = contrasts.of_prompts.iter().map(|(_, value)| *value).collect();
            Some((mean(&ratios), mean(&contrasts)))
        };
        Self { of: groups.par_iter().map(of_group).collect() }
    }
}

/// One row about to be made.
struct Ratio<'a> {
    tests: Tests<'a>,
    /// The row's group.
    at: usize,
    level: &'a Tested,
    /// The group that it is compared with, and the change from there.
    change: Option<&'a (usize, Tested)>,
    without: &'a WithoutFirstToken,
}

impl Ratio<'_> {
    fn row(&self) -> Result<AttentionRatioRow, AnalyzeError> {
        let Tests { context, one, groups, contrasts } = self.tests;
        let (group, contrasts) = (&groups[self.at], &contrasts[self.at]);
        let (entry, settings) = (&one.entry, context.settings);
        let keys = |m: &Masses| &one.keys[m.prompt];
        let usable: Vec<&Masses> = group.masses.iter().filter(|m| m.log_ratio(keys(m)).is_some()).collect();
        let average = |of: &dyn Fn(&Masses) -> f64| mean(&usable.iter().map(|m| of(m)).collect::<Vec<_>>());
        let relevant = |m: &Masses| m.part(keys(m), |key| key.is_relevant);
        let irrelevant = |m: &Masses| m.part(keys(m), |key| key.is_irrelevant);
        let log_ratio = average(&|m| m.log_ratio(keys(m)).unwrap_or_default());
        let log_ratio_raw = average(&|m| m.log_ratio_raw(keys(m)).unwrap_or_default());
        let log_ratios: Vec<f64> = usable.iter().filter_map(|m| m.log_ratio(keys(m))).collect();
        let clusters: Vec<u32> = usable.iter().map(|m| one.cluster.of[m.prompt]).collect();
        let level = defined(mean_over_clusters(&log_ratios, &clusters))?;
        let contrast = self.level.found.as_ref().ok().map(|found| found.estimate);
        let change = self.change.and_then(|(_, change)| change.found.as_ref().ok());
        let change = change.map(|found: &Contrasted| found.estimate);
        let is_tested = group.reduction != HeadReduction::Max;
        let interval = |estimate: Option<ClusterEstimate>| estimate.map(|e| e.interval(settings.confidence));
        let p_value = |estimate: Option<ClusterEstimate>| estimate.filter(|_| is_tested).map(|e| e.p_value);
        let (without_ratio, without_contrast) = match self.without.of[self.at] {
            Some(without) => without,
            None if entry.leave_out_first_token => (log_ratio, contrast.map(|e| e.value)),
            None => (None, None),
        };
        let first: Option<Vec<f64>> = usable.iter().map(|m| m.of_first_token(keys(m))).collect();
        let n_clusters = clusters.iter().collect::<BTreeSet<_>>().len() as i32;
        let conditions = &context.prompts.conditions;
        Ok(AttentionRatioRow {
            condition: conditions[group.condition].to_string(),
            layer: group.layer,
            head: group.head,
            head_reduction: group.reduction.name().to_owned(),
            name: entry.label(),
            query: entry.query.clone(),
            relevant: entry.relevant.clone(),
            irrelevant: entry.irrelevant.clone(),
            ratio: log_ratio.map(f64::exp),
            log_ratio,
            ci_low: interval(level.ok()).map(|i| i.low),
            ci_high: interval(level.ok()).map(|i| i.high),
            ratio_raw: log_ratio_raw.map(f64::exp),
            log_ratio_raw,
            contrast: contrast.map(|e| e.value),
            contrast_with: if one.is_controlled { "matched control" } else { "irrelevant segments" }
                .to_owned(),
            contrast_ci_low: interval(contrast).map(|i| i.low),
            contrast_ci_high: interval(contrast).map(|i| i.high),
            p_value: p_value(contrast),
            q_value: None,
            p_value_fwer: self.level.p_value_fwer,
            reference_condition: self
                .change
                .map(|(before, _)| conditions[groups[*before].condition].to_string()),
            change: change.map(|e| e.value),
            change_ci_low: interval(change).map(|i| i.low),
            change_ci_high: interval(change).map(|i| i.high),
            change_p_value: p_value(change),
            change_q_value: None,
            change_p_value_fwer: self.change.and_then(|(_, change)| change.p_value_fwer),
            first_token_mass: first.filter(|_| one.keeps_first_token).and_then(|masses| mean(&masses)),
            log_ratio_without_first_token: without_ratio,
            contrast_without_first_token: without_contrast,
            relevant_mass: average(&|m| relevant(m).mass),
            irrelevant_mass: average(&|m| irrelevant(m).mass),
            relevant_tokens: average(&|m| relevant(m).n_tokens),
            irrelevant_tokens: average(&|m| irrelevant(m).n_tokens),
            top_head: top_head(group, &usable),
            n_prompts: usable.len() as i32,
            n_contrasted: contrasts.of_prompts.len() as i32,
            n_zero_mass: self.n_zero_mass(),
            n_excluded: self.n_with_segments() - usable.len() as i32,
            n_units: n_clusters,
            n_clusters,
            cluster: one.cluster.sql.clone(),
            family: entry
                .family
                .clone()
                .unwrap_or_else(|| format!("{} ({})", entry.label(), group.reduction.name())),
            confidence: settings.confidence,
            n_bootstraps: settings.n_bootstraps as i32,
            seed: settings.seed.to_string(),
            reason: log_ratio.is_none().then(|| Undefined::NoAttention.to_string()),
        })
    }

    /// Prompts with attention that have no ratio or no contrast for want of mass on a segment.
    fn n_zero_mass(&self) -> i32 {
        let Tests { one, groups, contrasts, .. } = self.tests;
        let (masses, contrasts) = (&groups[self.at].masses, &contrasts[self.at]);
        let has_ratio = |m: &&Masses| m.log_ratio(&one.keys[m.prompt]).is_some();
        let n_without_ratio = masses.len() - masses.iter().filter(has_ratio).count();
        let n_without_contrast = masses.len() - contrasts.of_prompts.len() - contrasts.n_without_control;
        n_without_ratio.max(n_without_contrast) as i32
    }

    /// Prompts of the condition that have segments of both sides.
    fn n_with_segments(&self) -> i32 {
        let (prompts, condition) = (self.tests.context.prompts, self.tests.groups[self.at].condition);
        let own = (0..prompts.len()).filter(|&p| prompts.condition_of[p] == condition);
        own.filter(|&p| self.tests.one.has_segments(p)).count() as i32
    }
}

/// Where heads are combined by max: the head that most often gave the max, the lowest if tied.
fn top_head(group: &RowPrompts, usable: &[&Masses]) -> Option<i16> {
    if group.reduction != HeadReduction::Max {
        return None;
    }
    let mut counts: BTreeMap<i16, usize> = BTreeMap::new();
    usable.iter().for_each(|m| *counts.entry(m.head).or_default() += 1);
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(head, _)| head)
}

/// Each prompt's contrast, heads combined by mean. That of a response is no measure to set against behaviour: attention of
/// an answer to the statement that it copies is the answer, measured twice. The ratio is none either: with a segment that
/// holds the first token it measures where the statement stands.
pub(super) fn push_measures(
    Tests { context, one, groups, contrasts }: Tests<'_>,
    measures: &mut Vec<MeasureRow>,
) {
    if one.entry.query.contains("'response'") {
        return;
    }
    let name = format!("{ATTENTION}{}", one.entry.label());
    for (group, contrasts) in groups.iter().zip(contrasts).filter(|(g, _)| g.reduction == HeadReduction::Mean)
    {
        let measure = Measure { name: &name, layer: group.layer };
        let values: BTreeMap<usize, f64> = contrasts.of_prompts.iter().copied().collect();
        let row = |m: &Masses| measure.row(context.prompts, m.prompt, values.get(&m.prompt).copied());
        measures.extend(group.masses.iter().map(row));
    }
}
