//! Results of probes as rows of their tables.

use super::batch::{Fitted, ProbeBatch};
use super::{Prepared, Targets};
use crate::analyses::measures::Measure;
use crate::prompts::TaskPrompts;
use crate::settings::AnalysisSettings;
use crate::states::LayerSite;
use crate::stats::probes::{Metric, NullScores, OnlineCode, Predictions, ProbeResult, familywise_p_values};
use hypercolumn_schemas::tables::{MeasureRow, PredictionRow, ProbeRow};
use hypercolumn_schemas::{Pooling, Undefined};
use std::collections::{BTreeMap, BTreeSet};

/// The metric of an online code.
const COMPRESSION: &str = "compression";

/// Rows of the tables.
#[derive(Default)]
pub(super) struct Scores {
    scored: Vec<(ProbeRow, Option<NullScores>)>,
    pub(super) measures: Vec<MeasureRow>,
    pub(super) predictions: Vec<PredictionRow>,
}

impl Scores {
    /// The scores, corrected over the layers and sites of a condition, which share their permutations.
    pub(super) fn rows(&self) -> Vec<ProbeRow> {
        let mut together: BTreeMap<[&str; 6], Vec<usize>> = BTreeMap::new();
        for (at, (row, null)) in self.scored.iter().enumerate() {
            if null.is_some() {
                let key = [&row.condition, &row.role, &row.pooling, &row.target, &row.probe, &row.metric];
                together.entry(key.map(String::as_str)).or_default().push(at);
            }
        }
        let mut rows: Vec<ProbeRow> = self.scored.iter().map(|(row, _)| row.clone()).collect();
        for members in together.values() {
            let nulls: Vec<&NullScores> =
                members.iter().filter_map(|&at| self.scored[at].1.as_ref()).collect();
            members
                .iter()
                .zip(familywise_p_values(&nulls))
                .for_each(|(&at, p)| rows[at].p_value_fwer = Some(p));
        }
        rows
    }
}

/// Where a result belongs.
pub(super) struct Scope<'a> {
    pub(super) prompts: &'a TaskPrompts,
    pub(super) layer_site: &'a LayerSite,
    pub(super) pooling: Pooling,
    pub(super) settings: &'a AnalysisSettings,
}

impl Scope<'_> {
    /// Adds the results of a batch's entries.
    pub(super) fn push(&self, batch: &ProbeBatch<'_>, fitted: Vec<Fitted>, scores: &mut Scores) {
        for (one, fitted) in batch.entries.iter().zip(fitted) {
            let sites = one.entry.site.as_deref();
            if sites.is_some_and(|sites| sites.iter().all(|s| *s.name() != *self.layer_site.site)) {
                continue;
            }
            for &metric in metrics_of(one.n_classes(&batch.prompts)) {
                scores.scored.push(self.score(batch, one, &fitted, metric));
            }
            if let Some(code) = &fitted.code {
                scores.scored.push((self.compression(batch, one, code), None));
            }
            let is_measure =
                one.entry.pooling.first() == Some(&self.pooling) && self.layer_site.is_measured(sites);
            if let Ok(result) = &fitted.probe {
                self.push_predictions(batch, one, result, scores);
                if is_measure {
                    self.push_measures(batch, one, result, scores);
                }
            }
        }
    }

    fn score(
        &self,
        batch: &ProbeBatch<'_>,
        one: &Prepared,
        fitted: &Fitted,
        metric: Metric,
    ) -> (ProbeRow, Option<NullScores>) {
        let result = fitted.probe.as_ref().ok();
        let scored = result.and_then(|result| result.metric(metric));
        let reason = match &fitted.probe {
            Ok(_) => scored.and_then(|m| m.undefined),
            Err(reason) => Some(*reason),
        };
        let score = scored.and_then(|m| m.score);
        let control =
            fitted.control.as_ref().and_then(|control| control.as_ref().ok()?.metric(metric)?.score);
        let row = ProbeRow {
            score,
            baseline: scored.and_then(|m| m.baseline),
            chance: scored.and_then(|m| m.chance),
            above_chance: scored.and_then(|m| m.above_chance),
            control,
            selectivity: score.zip(control).map(|(score, control)| metric.gain(score, control)),
            p_value: scored.and_then(|m| m.p_value),
            ci_low: scored.and_then(|m| m.interval).map(|i| i.low),
            ci_high: scored.and_then(|m| m.interval).map(|i| i.high),
            converged: result.map(|result| result.converged),
            reason: reason.map(|r| r.to_string()),
            ..self.unscored(batch, one, metric.name())
        };
        (row, scored.and_then(|m| m.null.clone()))
    }

    /// The row of the minimum description length.
    fn compression(
        &self,
        batch: &ProbeBatch<'_>,
        one: &Prepared,
        code: &Result<OnlineCode, Undefined>,
    ) -> ProbeRow {
        let row = self.unscored(batch, one, COMPRESSION);
        match code {
            Err(reason) => ProbeRow { reason: Some(reason.to_string()), ..row },
            Ok(code) => {
                let chance = code.uniform_bits / code.control_bits;
                ProbeRow {
                    score: Some(code.compression),
                    baseline: Some(1.0),
                    chance: Some(chance),
                    above_chance: Some(code.compression - chance),
                    ..row
                }
            }
        }
    }

    /// A row that says what is scored and has no score.
    fn unscored(&self, batch: &ProbeBatch<'_>, one: &Prepared, metric: &str) -> ProbeRow {
        let n_groups = batch.groups.iter().collect::<BTreeSet<_>>().len() as i32;
        ProbeRow {
            condition: self.prompts.conditions[batch.condition].to_string(),
            train_condition: one.train.map(|train| self.prompts.conditions[train].to_string()),
            layer: self.layer_site.layer,
            site: self.layer_site.site.to_string(),
            role: one.entry.segment.clone(),
            pooling: self.pooling.name().to_owned(),
            target: one.entry.label().to_owned(),
            probe: one.kind.name().to_owned(),
            metric: metric.to_owned(),
            score: None,
            baseline: None,
            chance: None,
            above_chance: None,
            control: None,
            selectivity: None,
            p_value: None,
            q_value: None,
            p_value_fwer: None,
            ci_low: None,
            ci_high: None,
            n_prompts: batch.prompts.len() as i32,
            n_groups: Some(n_groups),
            units: one.group.sql.clone(),
            n_units: n_groups,
            n_clusters: n_groups,
            n_classes: one.n_classes(&batch.prompts),
            n_folds: self.settings.n_folds as i32,
            n_repeats: self.settings.n_repeats as i32,
            n_permutations: self.settings.n_refits as i32,
            converged: None,
            family: self.family(one, metric),
            confidence: self.settings.confidence,
            seed: self.settings.seed.to_string(),
            reason: None,
        }
    }

    fn family(&self, one: &Prepared, metric: &str) -> String {
        one.entry.family.clone().unwrap_or_else(|| {
            let (target, role, pooling) = (one.entry.label(), &one.entry.segment, self.pooling.name());
            format!("{target} ({role}, {pooling}, {}, {metric})", one.kind.name())
        })
    }

    fn push_measures(
        &self,
        batch: &ProbeBatch<'_>,
        one: &Prepared,
        result: &ProbeResult,
        scores: &mut Scores,
    ) {
        let name = match one.entry.segment.as_str() {
            "prompt" => format!("probe: {}", one.entry.label()),
            role => format!("probe: {} ({role})", one.entry.label()),
        };
        let measure = Measure { name: &name, layer: self.layer_site.layer };
        for (&prompt, &score) in batch.prompts.iter().zip(&result.prompt_scores) {
            scores.measures.push(measure.row(self.prompts, prompt, Some(score)));
        }
    }

    fn push_predictions(
        &self,
        batch: &ProbeBatch<'_>,
        one: &Prepared,
        result: &ProbeResult,
        scores: &mut Scores,
    ) {
        for (i, &prompt) in batch.prompts.iter().enumerate() {
            let Predicted { predicted, target, log_probability } = predicted(one, result, i, prompt);
            scores.predictions.push(PredictionRow {
                prompt_id: self.prompts.ids[prompt].to_string(),
                predicted,
                r#true: target,
                log_probability,
                fold: result.prompt_folds[i] as i32,
                target: one.entry.label().to_owned(),
                probe: one.kind.name().to_owned(),
                condition: self.prompts.conditions[batch.condition].to_string(),
                role: one.entry.segment.clone(),
                pooling: self.pooling.name().to_owned(),
                layer: self.layer_site.layer,
                site: self.layer_site.site.to_string(),
            });
        }
    }
}

/// A prediction in words.
struct Predicted {
    predicted: String,
    target: String,
    log_probability: Option<f64>,
}

/// The prediction of the `i`-th evaluated prompt.
fn predicted(one: &Prepared, result: &ProbeResult, i: usize, prompt: usize) -> Predicted {
    match (&result.predictions, &one.targets) {
        (
            Predictions::Classes { classes, predicted, log_probabilities },
            Targets::Classes { codes, names },
        ) => {
            let column = classes.binary_search(&codes[prompt]).ok();
            Predicted {
                predicted: names[predicted[i]].clone(),
                target: names[codes[prompt]].clone(),
                log_probability: column.map(|column| log_probabilities[i * classes.len() + column]),
            }
        }
        (Predictions::Values(predicted), Targets::Values(values)) => Predicted {
            predicted: predicted[i].to_string(),
            target: values[prompt].to_string(),
            log_probability: None,
        },
        _ => unreachable!("predictions are of the targets' kind"),
    }
}

impl Prepared {
    /// Classes among these prompts; none for a ridge probe.
    fn n_classes(&self, prompts: &[usize]) -> Option<i32> {
        let Targets::Classes { codes, .. } = &self.targets else { return None };
        let classes: BTreeSet<usize> = prompts.iter().map(|&p| codes[p]).collect();
        Some(classes.len() as i32)
    }
}

/// The scores of a target of so many classes, or of a number.
fn metrics_of(n_classes: Option<i32>) -> &'static [Metric] {
    match n_classes {
        Some(2) => &Metric::BINARY,
        Some(_) => &Metric::CLASSIFICATION,
        None => &Metric::REGRESSION,
    }
}
