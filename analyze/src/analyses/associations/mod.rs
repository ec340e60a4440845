//! Associations: do changes in a measure go with changes in behaviour, item by item?
//!
//! Items of a cluster are not independent, so every test is over clusters. Where clusters have several items, a correlation
//! may be between clusters (easy lines have clear representations), within them, or both, and all three are given.

mod item_changes;

use super::entry::{Named, NoEntry};
use super::measures::{ALIGNMENT, ATTENTION};
use super::{Analysis, Correction, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::checked_questions::CheckedQuestions;
use crate::error::AnalyzeError;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, associations_section};
use crate::settings::AnalysisSettings;
use crate::stats::clusters::{
    ClusterEstimate, correlation_over_clusters, effect_size_over_clusters, mean_over_clusters,
};
use crate::stats::correlation::CorrelationKind;
use crate::stats::paired::signed_rank_over_clusters;
use crate::stats::summary::Interval;
use crate::stats::{NumericsError, Undefined};
use hypercolumn_schemas::Table;
use hypercolumn_schemas::tables::{self, AssociationRow};
use item_changes::{BEHAVIOR, Changes, ItemMeans, Paired, controlled_ratios};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Changes of measures against changes of behaviour: table `associations`.
pub(crate) struct Associations;

impl Analysis for Associations {
    type Entry = NoEntry;
    type Prepared = ();

    fn name(&self) -> &'static str {
        "associations"
    }

    fn code_version(&self) -> u32 {
        5
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 1] = [&tables::PROMPTS];
        &INPUTS
    }

    fn reads_results(&self) -> bool {
        true
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!({"confidence": shared.confidence})
    }

    fn check(
        &self,
        _: &CheckedTask<'_>,
        entry: &Named<NoEntry>,
        _: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        match *entry.entry {}
    }

    fn prepare(&self, _: Inputs<'_>, _: &[Named<NoEntry>]) -> Result<(), AnalyzeError> {
        Ok(())
    }

    fn compute(&self, inputs: Inputs<'_>, (): &()) -> Result<Vec<Results>, AnalyzeError> {
        Ok(vec![Results::corrected(&associate_all(inputs)?, &[Correction::LEVEL])?])
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        Ok(vec![associations_section(inputs)?])
    }
}

/// A statistic with what belongs to it.
#[derive(Default)]
struct Found {
    estimate: Option<f64>,
    p_value: Option<f64>,
    interval: Option<Interval>,
    reason: Option<String>,
}

impl Found {
    /// A null with its reason; any other error is a fault of this program.
    fn or_reason<T>(
        result: Result<T, NumericsError>,
        found: impl FnOnce(T) -> Self,
    ) -> Result<Self, AnalyzeError> {
        match result {
            Ok(value) => Ok(found(value)),
            Err(error) => {
                let reason: Undefined = error.undefined().ok_or(AnalyzeError::Numerics(error))?;
                Ok(Self { reason: Some(reason.to_string()), ..Self::default() })
            }
        }
    }

    fn correlation(estimate: ClusterEstimate, confidence: f64) -> Self {
        let interval = Some(estimate.correlation_interval(confidence));
        Self { estimate: Some(estimate.value), p_value: Some(estimate.p_value), interval, reason: None }
    }
}

/// Rows of `associations`, from what `behavior` and `measures` hold.
fn associate_all(inputs: Inputs<'_>) -> Result<Vec<AssociationRow>, AnalyzeError> {
    let Inputs { prompts, design, settings, progress, .. } = inputs;
    let means = ItemMeans::read(inputs)?;
    let scored = means.scored_conditions()?;
    let is_scored = |condition: &&std::sync::Arc<str>| scored.contains(&***condition);
    let declared = design.reference.map(|reference| &prompts.conditions[reference]);
    let reference = declared.filter(is_scored).or_else(|| prompts.conditions.iter().find(is_scored));
    let controlled = controlled_ratios(inputs)?;
    let mut groups: Vec<(Changes, Pair<'_>)> = Vec::new();
    if let Some(reference) = reference {
        let pair = Pair { reference, contrast: None };
        groups.extend(means.changes_from(reference)?.into_iter().map(|changes| (changes, pair)));
    }
    for contrast in &design.contrasts {
        let [condition, from] = [contrast.condition, contrast.reference].map(|c| &*prompts.conditions[c]);
        if reference.is_some_and(|reference| **reference == *from) {
            continue;
        }
        let pair = Pair { reference: from, contrast: Some(&contrast.name) };
        let own = means.changes_from(from)?.into_iter().filter(|changes| changes.condition == condition);
        groups.extend(own.map(|changes| (changes, pair)));
    }
    progress.start(&format!("associations: {}", prompts.task), groups.len() as u64, "measures");
    let rows: Vec<Vec<AssociationRow>> = groups
        .par_iter()
        .map(|(changes, pair)| {
            let rows = Association {
                changes,
                pair: *pair,
                controlled: &controlled,
                cluster: &design.clusters().sql,
                settings,
            }
            .rows();
            progress.advance(1);
            rows
        })
        .collect::<Result<_, _>>()?;
    progress.finish();
    Ok(rows.into_iter().flatten().collect())
}

/// What a condition is compared with.
#[derive(Clone, Copy)]
struct Pair<'a> {
    reference: &'a str,
    /// The declared contrast; `None` where the condition is the task's reference.
    contrast: Option<&'a str>,
}

/// One group of changes about to be tested.
struct Association<'a> {
    changes: &'a Changes,
    pair: Pair<'a>,
    /// Attention ratios with a matched control.
    controlled: &'a BTreeSet<String>,
    cluster: &'a str,
    settings: &'a AnalysisSettings,
}

impl Association<'_> {
    fn rows(&self) -> Result<Vec<AssociationRow>, AnalyzeError> {
        let mut rows = Vec::new();
        let Changes { clusters, items, within, between, .. } = self.changes;
        let confidence = self.settings.confidence;
        if self.changes.measure != BEHAVIOR {
            for kind in [CorrelationKind::Spearman, CorrelationKind::Pearson] {
                let correlate = |of: &Paired, clusters: &[u32]| {
                    let found = correlation_over_clusters(&of.changes, &of.improvements, clusters, kind);
                    Found::or_reason(found, |estimate| Found::correlation(estimate, confidence))
                };
                rows.push(self.row(&kind.to_string(), correlate(items, clusters)?));
                if self.n_clusters() < clusters.len() {
                    rows.push(self.row(&format!("{kind}_within"), correlate(within, clusters)?));
                    let own: Vec<u32> = (0..between.changes.len() as u32).collect();
                    rows.push(self.row(&format!("{kind}_between"), correlate(between, &own)?));
                }
            }
        }
        rows.extend(self.changes()?);
        Ok(rows)
    }

    /// The measure's own change. The alignments of two prompts share their pair, and contrasts of attention their controls,
    /// so that items do not tell how their mean varies: its tests are those of `rsa` and `attention_ratios`.
    fn changes(&self) -> Result<[AssociationRow; 3], AnalyzeError> {
        let Changes { clusters, items, .. } = self.changes;
        let changes = &items.changes;
        let confidence = self.settings.confidence;
        let elsewhere = match &self.changes.measure {
            measure if measure.starts_with(ALIGNMENT) => Some(Undefined::TestedInRsa),
            measure if self.is_controlled(measure) => Some(Undefined::TestedInAttentionRatios),
            _ => None,
        };
        let tested = |found: Found| match elsewhere {
            None => found,
            Some(reason) => Found {
                estimate: found.estimate,
                reason: found.reason.or_else(|| Some(reason.to_string())),
                ..Found::default()
            },
        };
        let mean = Found::or_reason(mean_over_clusters(changes, clusters), |estimate| Found {
            estimate: Some(estimate.value),
            p_value: Some(estimate.p_value),
            interval: Some(estimate.interval(confidence)),
            reason: None,
        })?;
        let ranks = Found::or_reason(signed_rank_over_clusters(changes, clusters), |test| Found {
            estimate: Some(test.rank_biserial()),
            p_value: Some(test.p_value),
            ..Found::default()
        })?;
        let size = Found::or_reason(effect_size_over_clusters(changes, clusters), |estimate| Found {
            estimate: Some(estimate.value),
            interval: Some(estimate.interval(confidence)),
            ..Found::default()
        })?;
        Ok([("paired_t", mean), ("wilcoxon", ranks), ("cohens_dz", size)]
            .map(|(statistic, found)| self.row(statistic, tested(found))))
    }

    /// Whether `measure` is the contrast of an attention ratio that has a matched control.
    fn is_controlled(&self, measure: &str) -> bool {
        measure.strip_prefix(ATTENTION).is_some_and(|name| self.controlled.contains(name))
    }

    fn n_clusters(&self) -> usize {
        self.changes.clusters.iter().collect::<BTreeSet<_>>().len()
    }

    fn row(&self, statistic: &str, found: Found) -> AssociationRow {
        let Changes { condition, measure, layer, metric, clusters, .. } = self.changes;
        let settings = self.settings;
        let n_clusters = self.n_clusters() as i32;
        AssociationRow {
            condition: condition.clone(),
            reference_condition: self.pair.reference.to_owned(),
            contrast: self.pair.contrast.map(str::to_owned),
            measure: measure.clone(),
            layer: *layer,
            behavior_metric: metric.clone(),
            statistic: statistic.to_owned(),
            estimate: found.estimate,
            p_value: found.p_value,
            q_value: None,
            ci_low: found.interval.map(|i| i.low),
            ci_high: found.interval.map(|i| i.high),
            n: clusters.len() as i32,
            n_units: n_clusters,
            n_clusters,
            cluster: self.cluster.to_owned(),
            family: match self.pair.contrast {
                None => format!("{measure} and {metric} ({statistic})"),
                Some(contrast) => format!("{contrast}: {measure} and {metric} ({statistic})"),
            },
            confidence: settings.confidence,
            seed: settings.seed.to_string(),
            reason: found.reason,
        }
    }
}
