//! Associations: do changes in a measure go with changes in behaviour, item by item?
//!
//! Items of a cluster are not independent, so every test is over clusters. Where clusters have several items, a correlation
//! may be between clusters (easy lines have clear representations), within them, or both, and all three are given.

use super::entry::{Named, NoEntry};
use super::measures::{ALIGNMENT, ATTENTION};
use super::{Analysis, Correction, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::answer::{Answer, ask};
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
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Changes of measures against changes of behaviour: table `associations`.
pub(crate) struct Associations;

impl Analysis for Associations {
    type Entry = NoEntry;
    type Prepared = ();

    fn name(&self) -> &'static str {
        "associations"
    }

    fn code_version(&self) -> u32 {
        4
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

/// The measure that stands for behaviour itself.
const BEHAVIOR: &str = "behavior";

/// The changes of all items in one measure, layer, condition and metric.
#[derive(Clone, PartialEq)]
struct Changes {
    condition: String,
    measure: String,
    layer: i16,
    metric: String,
    /// Cluster of each item.
    clusters: Vec<u32>,
    /// Of the measure, by item.
    changes: Vec<f64>,
    /// Of behaviour, by item; positive is better.
    improvements: Vec<f64>,
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
    let Inputs { catalog, study, model, prompts, design, settings, progress } = inputs;
    let task = prompts.task.as_str();
    let sql = include_str!("../../queries/conditions_with_behavior.sql");
    let scored = ask(catalog.connection(), sql, &[&model, &task, &study], "look for behaviour")?;
    let scored = scored.column::<String>("condition")?;
    let is_scored = |condition: &&std::sync::Arc<str>| scored.iter().any(|s| **s == ***condition);
    let declared = design.reference.map(|reference| &prompts.conditions[reference]);
    let reference = declared.filter(is_scored).or_else(|| prompts.conditions.iter().find(is_scored));
    let sql = include_str!("../../queries/controlled_ratios.sql");
    let controlled = ask(catalog.connection(), sql, &[&model, &task], "look for matched controls")?;
    let controlled: BTreeSet<String> =
        controlled.column::<String>("name")?.iter().map(|name| format!("{ATTENTION}{name}")).collect();
    let clusters = design.clusters();
    let cluster_of: HashMap<&str, u32> =
        prompts.items.iter().zip(&clusters.of).map(|(item, cluster)| (&**item, *cluster)).collect();
    let changes_from = |reference: &str| {
        let sql = include_str!("../../queries/item_changes.sql");
        let parameters: [&dyn duckdb::ToSql; 4] = [&model, &task, &reference, &study];
        let answer = ask(catalog.connection(), sql, &parameters, "compare conditions item by item")?;
        group(&answer, &cluster_of)
    };
    let mut groups: Vec<(Changes, Pair<'_>)> = Vec::new();
    if let Some(reference) = reference {
        let pair = Pair { reference, contrast: None };
        groups.extend(changes_from(reference)?.into_iter().map(|changes| (changes, pair)));
    }
    for contrast in &design.contrasts {
        let [condition, from] = [contrast.condition, contrast.reference].map(|c| &*prompts.conditions[c]);
        if reference.is_some_and(|reference| **reference == *from) {
            continue;
        }
        let pair = Pair { reference: from, contrast: Some(&contrast.name) };
        let own = changes_from(from)?.into_iter().filter(|changes| changes.condition == condition);
        groups.extend(own.map(|changes| (changes, pair)));
    }
    progress.start(&format!("associations: {task}"), groups.len() as u64, "measures");
    let rows: Vec<Vec<AssociationRow>> = groups
        .par_iter()
        .map(|(changes, pair)| {
            let rows = Association {
                changes,
                pair: *pair,
                controlled: &controlled,
                cluster: &clusters.sql,
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

/// Rows that follow one another and agree in all but the item are one group.
fn group(answer: &Answer, cluster_of: &HashMap<&str, u32>) -> Result<Vec<Changes>, AnalyzeError> {
    let conditions = answer.column::<String>("condition")?;
    let measures = answer.column::<String>("measure")?;
    let layers = answer.column::<i64>("layer")?;
    let metrics = answer.column::<String>("metric")?;
    let items = answer.column::<String>("item_id")?;
    let changes = answer.column::<Option<f64>>("change")?;
    let improvements = answer.column::<Option<f64>>("improvement")?;
    let mut groups: Vec<Changes> = Vec::new();
    for i in 0..conditions.len() {
        let (Some(change), Some(improvement)) = (changes[i], improvements[i]) else { continue };
        let layer = layers[i] as i16;
        let fits = |g: &Changes| {
            g.condition == conditions[i]
                && g.measure == measures[i]
                && g.layer == layer
                && g.metric == metrics[i]
        };
        if !groups.last().is_some_and(fits) {
            groups.push(Changes {
                condition: conditions[i].clone(),
                measure: measures[i].clone(),
                layer,
                metric: metrics[i].clone(),
                clusters: Vec::new(),
                changes: Vec::new(),
                improvements: Vec::new(),
            });
        }
        let group = groups.last_mut().expect("a group was just made");
        group.clusters.push(cluster_of.get(items[i].as_str()).copied().unwrap_or(u32::MAX));
        group.changes.push(change);
        group.improvements.push(improvement);
    }
    Ok(groups)
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
    /// Measures with a matched control.
    controlled: &'a BTreeSet<String>,
    cluster: &'a str,
    settings: &'a AnalysisSettings,
}

impl Association<'_> {
    fn rows(&self) -> Result<Vec<AssociationRow>, AnalyzeError> {
        let mut rows = Vec::new();
        let Changes { clusters, changes, improvements, .. } = self.changes;
        let confidence = self.settings.confidence;
        if self.changes.measure != BEHAVIOR {
            for kind in [CorrelationKind::Spearman, CorrelationKind::Pearson] {
                let correlate = |x: &[f64], y: &[f64], clusters: &[u32]| {
                    Found::or_reason(correlation_over_clusters(x, y, clusters, kind), |estimate| {
                        Found::correlation(estimate, confidence)
                    })
                };
                rows.push(self.row(&kind.to_string(), correlate(changes, improvements, clusters)?));
                if self.n_clusters() < changes.len() {
                    let (x, y) = (within(changes, clusters), within(improvements, clusters));
                    rows.push(self.row(&format!("{kind}_within"), correlate(&x, &y, clusters)?));
                    let (x, y) = (means(changes, clusters), means(improvements, clusters));
                    let own: Vec<u32> = (0..x.len() as u32).collect();
                    rows.push(self.row(&format!("{kind}_between"), correlate(&x, &y, &own)?));
                }
            }
        }
        rows.extend(self.changes()?);
        Ok(rows)
    }

    /// The measure's own change. The alignments of two prompts share their pair, and contrasts of attention their controls,
    /// so that items do not tell how their mean varies: its tests are those of `rsa` and `attention_ratios`.
    fn changes(&self) -> Result<[AssociationRow; 3], AnalyzeError> {
        let Changes { clusters, changes, .. } = self.changes;
        let confidence = self.settings.confidence;
        let elsewhere = match &self.changes.measure {
            measure if measure.starts_with(ALIGNMENT) => Some(Undefined::TestedInRsa),
            measure if self.controlled.contains(measure) => Some(Undefined::TestedInAttentionRatios),
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

    fn n_clusters(&self) -> usize {
        self.changes.clusters.iter().collect::<BTreeSet<_>>().len()
    }

    fn row(&self, statistic: &str, found: Found) -> AssociationRow {
        let Changes { condition, measure, layer, metric, changes, .. } = self.changes;
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
            n: changes.len() as i32,
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

/// The mean of each cluster, by its number; of `values` and `clusters`, both `[n_items]`.
fn mean_of_clusters(values: &[f64], clusters: &[u32]) -> BTreeMap<u32, f64> {
    let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for (value, cluster) in values.iter().zip(clusters) {
        let (sum, count) = sums.entry(*cluster).or_default();
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(cluster, (sum, count))| (cluster, sum / count)).collect()
}

/// `values` less the mean of their cluster, `[n_items]`.
fn within(values: &[f64], clusters: &[u32]) -> Vec<f64> {
    let means = mean_of_clusters(values, clusters);
    values.iter().zip(clusters).map(|(value, cluster)| value - means[cluster]).collect()
}

/// The means of clusters, `[n_clusters]`.
fn means(values: &[f64], clusters: &[u32]) -> Vec<f64> {
    mean_of_clusters(values, clusters).into_values().collect()
}
