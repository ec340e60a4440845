//! Associations: do changes in a measure go with changes in behaviour, item by item?

use super::entry::{Named, NoEntry};
use super::{Analysis, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::answer::{Answer, ask};
use crate::error::AnalyzeError;
use crate::settings::AnalysisSettings;
use crate::stats::bootstrap::{BootstrapSettings, ItemDesign};
use crate::stats::correlation::{CorrelationKind, bootstrap_correlation, correlate};
use crate::stats::paired::{one_sample_t, wilcoxon_signed_rank};
use crate::stats::resampling::bootstrap_rows;
use crate::stats::summary::{mean, percentile_interval, standard_deviation};
use crate::stats::{NumericsError, Undefined};
use hypercolumn_schemas::Table;
use hypercolumn_schemas::tables::{self, AssociationRow};
use rayon::prelude::*;
use serde_json::{Value, json};

/// Changes of measures against changes of behaviour: table `associations`.
pub(crate) struct Associations;

impl Analysis for Associations {
    type Entry = NoEntry;
    type Prepared = ();

    fn name(&self) -> &'static str {
        "associations"
    }

    fn code_version(&self) -> u32 {
        1
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 1] = [&tables::PROMPTS];
        &INPUTS
    }

    fn reads_results(&self) -> bool {
        true
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!({"n_bootstraps": shared.n_bootstraps, "seed": shared.seed, "confidence": shared.confidence})
    }

    fn check(&self, _: &CheckedTask<'_>, entry: &Named<NoEntry>) -> Result<(), AnalyzeError> {
        match *entry.entry {}
    }

    fn prepare(&self, _: Inputs<'_>, _: &[Named<NoEntry>]) -> Result<(), AnalyzeError> {
        Ok(())
    }

    fn compute(&self, inputs: Inputs<'_>, (): &()) -> Result<Vec<Results>, AnalyzeError> {
        Ok(vec![Results::corrected(&associate_all(inputs)?, &FAMILY)?])
    }
}

/// Rows that are corrected together agree in these columns: all layers and conditions.
const FAMILY: [&str; 3] = ["measure", "behavior_metric", "statistic"];

/// The measure that stands for behaviour itself.
const BEHAVIOR: &str = "behavior";

/// The changes of all items in one measure, layer, condition and metric.
#[derive(Clone, PartialEq)]
struct Changes {
    condition: String,
    measure: String,
    layer: i16,
    metric: String,
    /// Of the measure.
    changes: Vec<f64>,
    /// Of behaviour; positive is better.
    improvements: Vec<f64>,
}

/// A statistic with what belongs to it.
#[derive(Default)]
struct Found {
    estimate: Option<f64>,
    p_value: Option<f64>,
    interval: Option<(f64, f64)>,
    reason: Option<String>,
}

/// Rows of `associations`, from what `behavior` and `measures` hold.
fn associate_all(inputs: Inputs<'_>) -> Result<Vec<AssociationRow>, AnalyzeError> {
    let Inputs { catalog, model, prompts, settings, progress } = inputs;
    let task = prompts.task.as_str();
    let sql = include_str!("../../queries/conditions_with_behavior.sql");
    let scored = ask(catalog.connection(), sql, &[&model, &task], "look for behaviour")?;
    let scored = scored.column::<String>("condition")?;
    let Some(reference) = prompts.conditions.iter().find(|c| scored.iter().any(|s| **s == ***c)) else {
        return Ok(Vec::new());
    };
    let sql = include_str!("../../queries/item_changes.sql");
    let parameters: [&dyn duckdb::ToSql; 3] = [&model, &task, &&**reference];
    let groups = group(&ask(catalog.connection(), sql, &parameters, "compare conditions item by item")?)?;
    progress.start(&format!("associations: {task}"), groups.len() as u64, "measures");
    let rows: Vec<Vec<AssociationRow>> = groups
        .par_iter()
        .map(|changes| {
            let rows = associate(changes, reference, settings);
            progress.advance(1);
            rows
        })
        .collect::<Result<_, _>>()?;
    progress.finish();
    Ok(rows.into_iter().flatten().collect())
}

/// Rows that follow one another and agree in all but the item are one group.
fn group(answer: &Answer) -> Result<Vec<Changes>, AnalyzeError> {
    let conditions = answer.column::<String>("condition")?;
    let measures = answer.column::<String>("measure")?;
    let layers = answer.column::<i64>("layer")?;
    let metrics = answer.column::<String>("metric")?;
    let changes = answer.column::<Option<f64>>("change")?;
    let improvements = answer.column::<Option<f64>>("improvement")?;
    let mut groups: Vec<Changes> = Vec::new();
    for i in 0..conditions.len() {
        let (Some(change), Some(improvement)) = (changes[i], improvements[i]) else { continue };
        let layer = layers[i] as i16;
        let fits = |g: &&mut Changes| {
            g.condition == conditions[i]
                && g.measure == measures[i]
                && g.layer == layer
                && g.metric == metrics[i]
        };
        match groups.last_mut().filter(fits) {
            Some(group) => {
                group.changes.push(change);
                group.improvements.push(improvement);
            }
            None => groups.push(Changes {
                condition: conditions[i].clone(),
                measure: measures[i].clone(),
                layer,
                metric: metrics[i].clone(),
                changes: vec![change],
                improvements: vec![improvement],
            }),
        }
    }
    Ok(groups)
}

fn associate(
    group: &Changes,
    reference: &str,
    settings: &AnalysisSettings,
) -> Result<Vec<AssociationRow>, AnalyzeError> {
    let mut rows = Vec::new();
    let mut push = |statistic: &str, found: Found| {
        rows.push(AssociationRow {
            condition: group.condition.clone(),
            reference_condition: reference.to_owned(),
            measure: group.measure.clone(),
            layer: group.layer,
            behavior_metric: group.metric.clone(),
            statistic: statistic.to_owned(),
            estimate: found.estimate,
            p_value: found.p_value,
            q_value: None,
            ci_low: found.interval.map(|i| i.0),
            ci_high: found.interval.map(|i| i.1),
            n: group.changes.len() as i32,
            reason: found.reason,
        });
    };
    if group.measure != BEHAVIOR {
        for kind in [CorrelationKind::Spearman, CorrelationKind::Pearson] {
            push(&kind.to_string(), correlation(group, kind, settings)?);
        }
    }
    push("paired_t", paired_t(group, settings)?);
    push("wilcoxon", wilcoxon(group)?);
    push("cohens_dz", effect_size(group, settings)?);
    Ok(rows)
}

fn correlation(
    group: &Changes,
    kind: CorrelationKind,
    settings: &AnalysisSettings,
) -> Result<Found, AnalyzeError> {
    let (x, y) = (&group.changes, &group.improvements);
    let correlation = match correlate(x, y, kind) {
        Ok(correlation) => correlation,
        Err(error) => return undefined(error),
    };
    let items: Vec<u32> = (0..x.len() as u32).collect();
    let design = ItemDesign { items: &items, n_items: x.len() };
    let interval = (settings.n_bootstraps > 0)
        .then(|| bootstrap_correlation(x, y, kind, design, draws(settings), settings.confidence).ok())
        .flatten();
    Ok(Found {
        estimate: Some(correlation.estimate),
        p_value: Some(correlation.p_value),
        interval: interval.map(|i| (i.low, i.high)),
        reason: None,
    })
}

fn paired_t(group: &Changes, settings: &AnalysisSettings) -> Result<Found, AnalyzeError> {
    let test = match one_sample_t(&group.changes, 0.0) {
        Ok(test) => test,
        Err(error) => return undefined(error),
    };
    let interval = bootstrap(&group.changes, settings, mean)?;
    Ok(Found { estimate: Some(test.mean_difference), p_value: Some(test.p_value), interval, reason: None })
}

/// The rank-biserial correlation (Kerby 2014): the difference of the shares of positive and negative ranks.
fn wilcoxon(group: &Changes) -> Result<Found, AnalyzeError> {
    let zeros = vec![0.0; group.changes.len()];
    let test = match wilcoxon_signed_rank(&group.changes, &zeros) {
        Ok(test) => test,
        Err(error) => return undefined(error),
    };
    let total = test.rank_sum_positive + test.rank_sum_negative;
    let estimate = Some((test.rank_sum_positive - test.rank_sum_negative) / total);
    Ok(Found { estimate, p_value: Some(test.p_value), ..Found::default() })
}

fn effect_size(group: &Changes, settings: &AnalysisSettings) -> Result<Found, AnalyzeError> {
    let test = match one_sample_t(&group.changes, 0.0) {
        Ok(test) => test,
        Err(error) => return undefined(error),
    };
    let effect = |values: &[f64]| {
        let spread = standard_deviation(values).filter(|s| *s > 0.0)?;
        Some(mean(values)? / spread)
    };
    let interval = bootstrap(&group.changes, settings, effect)?;
    Ok(Found { estimate: Some(test.effect_size), interval, ..Found::default() })
}

fn bootstrap(
    values: &[f64],
    settings: &AnalysisSettings,
    statistic: impl Fn(&[f64]) -> Option<f64> + Sync,
) -> Result<Option<(f64, f64)>, AnalyzeError> {
    if settings.n_bootstraps == 0 {
        return Ok(None);
    }
    let items: Vec<u32> = (0..values.len() as u32).collect();
    let design = ItemDesign { items: &items, n_items: values.len() };
    let draws = bootstrap_rows(design, draws(settings), |rows| {
        statistic(&rows.iter().map(|&row| values[row]).collect::<Vec<f64>>())
    })?;
    Ok(percentile_interval(&draws, settings.confidence).ok().map(|i| (i.low, i.high)))
}

fn draws(settings: &AnalysisSettings) -> BootstrapSettings {
    BootstrapSettings { n_draws: settings.n_bootstraps as usize, seed: settings.seed, stream: 0 }
}

/// A null with its reason; any other error is a fault of this program.
fn undefined(error: NumericsError) -> Result<Found, AnalyzeError> {
    let reason: Undefined = error.undefined().ok_or(AnalyzeError::Numerics(error))?;
    Ok(Found { reason: Some(reason.to_string()), ..Found::default() })
}
