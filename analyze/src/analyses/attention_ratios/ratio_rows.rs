//! Attention ratios as rows of their tables.

use super::Prepared;
use super::contrast::Contrasts;
use super::masses::{HeadReduction, Masses, RowPrompts};
use crate::analyses::TaskContext;
use crate::analyses::measures::Measure;
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use crate::stats::clusters::{ClusterEstimate, mean_over_clusters};
use crate::stats::summary::mean;
use crate::stats::{NumericsError, Undefined};
use hypercolumn_schemas::tables::{AttentionRatioRow, MeasureRow};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The rows of an entry.
pub(super) fn rows(
    context: TaskContext<'_>,
    one: &Prepared,
    groups: &[RowPrompts],
) -> Result<Vec<AttentionRatioRow>, AnalyzeError> {
    let contrasts: Vec<Contrasts> = groups
        .par_iter()
        .map(|group| Contrasts::new(group, &one.keys, one.entry.control.is_some()))
        .collect();
    let row = |at: usize| {
        let reference = find_reference(context, groups, at);
        Ratio { context, one, group: &groups[at], contrasts: &contrasts[at] }
            .row(reference.map(|r| (&groups[r], &contrasts[r])))
    };
    (0..groups.len()).into_par_iter().map(row).collect()
}

/// The same head and layer in the condition that a group's is compared with.
fn find_reference(context: TaskContext<'_>, groups: &[RowPrompts], at: usize) -> Option<usize> {
    let own = &groups[at];
    let is_same = |other: &RowPrompts| {
        other.layer == own.layer && other.head == own.head && other.reduction == own.reduction
    };
    let reference = match context.design.reference {
        Some(declared) => Some(declared),
        None => groups.iter().map(|group| group.condition).min(),
    };
    let reference = reference.filter(|reference| *reference != own.condition)?;
    groups.iter().position(|other| other.condition == reference && is_same(other))
}

/// One row about to be made.
struct Ratio<'a> {
    context: TaskContext<'a>,
    one: &'a Prepared,
    group: &'a RowPrompts,
    contrasts: &'a Contrasts,
}

impl Ratio<'_> {
    fn row(&self, reference: Option<(&RowPrompts, &Contrasts)>) -> Result<AttentionRatioRow, AnalyzeError> {
        let Self { context, one, group, contrasts } = self;
        let (entry, settings) = (&one.entry, context.settings);
        let usable: Vec<&Masses> =
            group.masses.iter().filter(|m| m.log_ratio(&one.keys[m.prompt]).is_some()).collect();
        let average = |of: &dyn Fn(&Masses) -> f64| mean(&usable.iter().map(|m| of(m)).collect::<Vec<_>>());
        let keys = |m: &Masses| &one.keys[m.prompt];
        let relevant = |m: &Masses| m.part(keys(m), |key| key.is_relevant);
        let irrelevant = |m: &Masses| m.part(keys(m), |key| key.is_irrelevant);
        let log_ratio = average(&|m| m.log_ratio(keys(m)).unwrap_or_default());
        let log_ratio_raw = average(&|m| m.log_ratio_raw(keys(m)).unwrap_or_default());
        let log_ratios: Vec<f64> = usable.iter().filter_map(|m| m.log_ratio(keys(m))).collect();
        let clusters: Vec<u32> = usable.iter().map(|m| one.cluster.of[m.prompt]).collect();
        let level = defined(mean_over_clusters(&log_ratios, &clusters))?;
        let contrast = defined(contrasts.estimate(&one.cluster.of))?;
        let change = match reference {
            Some((_, before)) => defined(self.change(before))?,
            None => Err(Undefined::TooFewObservations),
        };
        let is_tested = group.reduction != HeadReduction::Max;
        let interval = |estimate: &Result<ClusterEstimate, Undefined>| {
            estimate.as_ref().ok().map(|e| e.interval(settings.confidence))
        };
        let value = |estimate: &Result<ClusterEstimate, Undefined>| estimate.as_ref().ok().map(|e| e.value);
        let p_value = |estimate: &Result<ClusterEstimate, Undefined>| {
            estimate.as_ref().ok().filter(|_| is_tested).map(|e| e.p_value)
        };
        let n_clusters = clusters.iter().collect::<BTreeSet<_>>().len() as i32;
        let conditions = &context.prompts.conditions;
        Ok(AttentionRatioRow {
            condition: conditions[group.condition].to_string(),
            layer: group.layer,
            head: group.head,
            head_reduction: group.reduction.name().to_owned(),
            query: entry.query.clone(),
            relevant: entry.relevant.clone(),
            irrelevant: entry.irrelevant.clone(),
            ratio: log_ratio.map(f64::exp),
            log_ratio,
            ci_low: interval(&level).map(|i| i.low),
            ci_high: interval(&level).map(|i| i.high),
            ratio_raw: log_ratio_raw.map(f64::exp),
            log_ratio_raw,
            contrast: value(&contrast),
            contrast_with: if entry.control.is_some() { "matched control" } else { "irrelevant segments" }
                .to_owned(),
            contrast_ci_low: interval(&contrast).map(|i| i.low),
            contrast_ci_high: interval(&contrast).map(|i| i.high),
            p_value: p_value(&contrast),
            q_value: None,
            reference_condition: reference.map(|(group, _)| conditions[group.condition].to_string()),
            change: value(&change),
            change_ci_low: interval(&change).map(|i| i.low),
            change_ci_high: interval(&change).map(|i| i.high),
            change_p_value: p_value(&change),
            change_q_value: None,
            relevant_mass: average(&|m| relevant(m).mass),
            irrelevant_mass: average(&|m| irrelevant(m).mass),
            relevant_tokens: average(&|m| relevant(m).n_tokens),
            irrelevant_tokens: average(&|m| irrelevant(m).n_tokens),
            top_head: top_head(group, &usable),
            n_prompts: usable.len() as i32,
            n_excluded: self.n_with_segments() - usable.len() as i32,
            n_units: n_clusters,
            n_clusters,
            cluster: one.cluster.sql.clone(),
            family: entry
                .family
                .clone()
                .unwrap_or_else(|| format!("{} ({})", entry.label(), group.reduction.name())),
            confidence: settings.confidence,
            seed: settings.seed.to_string(),
            reason: log_ratio.is_none().then(|| Undefined::NoAttention.to_string()),
        })
    }

    /// Mean over items of the contrast less that of the same item before.
    fn change(&self, before: &Contrasts) -> Result<ClusterEstimate, NumericsError> {
        let prompts = self.context.prompts;
        let by_item = |contrasts: &Contrasts| {
            let mut sums: BTreeMap<&str, (f64, f64, u32)> = BTreeMap::new();
            for (prompt, value) in &contrasts.of_prompts {
                let cluster = self.one.cluster.of[*prompt];
                let (sum, count, _) = sums.entry(&prompts.items[*prompt]).or_insert((0.0, 0.0, cluster));
                *sum += value;
                *count += 1.0;
            }
            sums
        };
        let (before, after) = (by_item(before), by_item(self.contrasts));
        let change = |(item, (sum, count, cluster)): (&&str, &(f64, f64, u32))| {
            let (sum_before, count_before, _) = before.get(item)?;
            Some((sum / count - sum_before / count_before, *cluster))
        };
        let (changes, clusters): (Vec<f64>, Vec<u32>) = after.iter().filter_map(change).unzip();
        mean_over_clusters(&changes, &clusters)
    }

    /// Prompts of the condition that have segments of both sides.
    fn n_with_segments(&self) -> i32 {
        let prompts = self.context.prompts;
        let own = (0..prompts.len()).filter(|&p| prompts.condition_of[p] == self.group.condition);
        own.filter(|&p| self.one.has_segments(p)).count() as i32
    }
}

/// What a statistic found, or why it is undefined; any other error is a fault of this program.
fn defined(
    estimate: Result<ClusterEstimate, NumericsError>,
) -> Result<Result<ClusterEstimate, Undefined>, AnalyzeError> {
    match estimate {
        Ok(estimate) => Ok(Ok(estimate)),
        Err(error) => error.undefined().map(Err).ok_or(AnalyzeError::Numerics(error)),
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

/// Each prompt's log ratio, heads combined by mean. That of a response is no measure to set against behaviour: attention of
/// an answer to the statement that it copies is the answer, measured twice.
pub(super) fn push_measures(
    prompts: &TaskPrompts,
    one: &Prepared,
    groups: &[RowPrompts],
    measures: &mut Vec<MeasureRow>,
) {
    if one.entry.query.contains("'response'") {
        return;
    }
    let name = format!("attention: {}", one.entry.label());
    for group in groups.iter().filter(|g| g.reduction == HeadReduction::Mean) {
        let measure = Measure { name: &name, layer: group.layer };
        let value = |m: &Masses| measure.row(prompts, m.prompt, m.log_ratio(&one.keys[m.prompt]));
        measures.extend(group.masses.iter().map(value));
    }
}
