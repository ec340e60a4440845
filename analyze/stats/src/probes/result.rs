//! What a probe gives back, and how scores, baselines, chance levels, p-values and intervals are put together.

use super::inference::{NullScores, gain, jackknife_intervals, mean_scores};
use super::metrics::{Metric, Scored};
use super::settings::ProbeSettings;
use crate::summary::{Interval, mean};
use hypercolumn_schemas::Undefined;

/// One score of a probe with what it is to be compared with. A number that is undefined is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricResult {
    /// Which score.
    pub metric: Metric,
    /// Its value over all held-out prompts, the mean over fold plans.
    pub score: Option<f64>,
    /// Why there is no value.
    pub undefined: Option<Undefined>,
    /// The same score of the training fold's majority class (its class frequencies, for log-loss) or
    /// mean. `None` for a correlation: what is constant in a fold correlates with nothing.
    pub baseline: Option<f64>,
    /// The score that the probe has by chance: the mean of its refits to permuted labels.
    pub chance: Option<f64>,
    /// How much better the score is than chance; positive is better, for losses too.
    pub above_chance: Option<f64>,
    /// One-sided p-value of the refits to permuted labels.
    pub p_value: Option<f64>,
    /// The refits themselves, for a correction over layers.
    pub null: Option<NullScores>,
    /// Interval over groups and training sets.
    pub interval: Option<Interval>,
}

/// Held-out predictions of the first fold plan, one a prompt, in the order of the evaluated rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    /// Of a logistic probe.
    Classes {
        /// The class codes that occur, ascending: the columns of `log_probabilities`.
        classes: Vec<usize>,
        /// Likeliest class.
        predicted: Vec<usize>,
        /// Natural log-probabilities, row-major, `n_prompts × classes.len()`.
        log_probabilities: Vec<f64>,
    },
    /// Of a ridge probe, in the target's unit.
    Values(Vec<f64>),
}

/// The outcome of one probe.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeResult {
    /// Scores, the main one (balanced accuracy or R²) first.
    pub metrics: Vec<MetricResult>,
    /// Held-out predictions.
    pub predictions: Predictions,
    /// Held-out score of each prompt, the mean over fold plans: log-probability of the true class (nats), or minus the
    /// absolute error (target's unit). Larger is better.
    pub prompt_scores: Vec<f64>,
    /// Outer fold of the first plan that predicted each prompt.
    pub prompt_folds: Vec<usize>,
    /// Relative penalty chosen in each outer fold of the first plan.
    pub penalties: Vec<f64>,
    /// Whether every final fit reached its tolerance.
    pub converged: bool,
    /// Prompts evaluated.
    pub n_prompts: usize,
    /// Distinct groups among them.
    pub n_groups: usize,
}

impl ProbeResult {
    /// The result of one metric, if this kind of probe has it.
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<&MetricResult> {
        self.metrics.iter().find(|result| result.metric == metric)
    }
}

/// Predictions that are to be scored, and the refits that say what chance is.
pub(super) struct Assessed<'a, S: Scored> {
    /// Of the probe, one a fold plan.
    pub repeats: Vec<&'a S>,
    /// Of its baseline, one a fold plan.
    pub baselines: Vec<&'a S>,
    /// Scores of the test: with the true labels, as the refits compute them, then of each refit.
    pub refits: Vec<Vec<Option<f64>>>,
    /// Scores of refits on folds that are made as the probe's are, whose mean is the chance level.
    pub by_chance: Vec<Vec<Option<f64>>>,
    /// True labels, `[n_prompts]`.
    pub labels: &'a [S::Label],
    /// Groups, `[n_prompts]`.
    pub groups: &'a [usize],
}

impl<S: Scored> Assessed<'_, S> {
    /// The results by metric.
    pub fn results(&self, settings: &ProbeSettings) -> Vec<MetricResult> {
        let once = vec![1.0; self.labels.len()];
        let scores = mean_scores(&self.repeats, self.labels, &once);
        let baselines = mean_scores(&self.baselines, self.labels, &once);
        let folds = (settings.n_folds, settings.confidence);
        let intervals = jackknife_intervals(&self.repeats, self.labels, self.groups, folds);
        let result = |(j, &metric): (usize, &Metric)| {
            let score = scores[j];
            let null = self.null(j, metric).filter(|_| score.is_some());
            let by_chance: Vec<f64> = self.by_chance.iter().filter_map(|scores| scores[j]).collect();
            let chance = score.and(mean(&by_chance));
            MetricResult {
                metric,
                score,
                undefined: if score.is_none() { Some(reason(metric)) } else { None },
                baseline: match metric {
                    Metric::PearsonR => None,
                    // Folds pooled, their class frequencies would rank prompts, and wrongly.
                    Metric::Auroc => score.and(Some(0.5)),
                    _ => baselines[j],
                },
                chance,
                above_chance: score.zip(chance).map(|(score, chance)| metric.gain(score, chance)),
                p_value: null.as_ref().map(NullScores::p_value),
                null,
                interval: score.and(intervals[j]),
            }
        };
        self.repeats[0].metrics().iter().enumerate().map(result).collect()
    }

    fn null(&self, j: usize, metric: Metric) -> Option<NullScores> {
        let (observed, permuted) = self.refits.split_first()?;
        observed[j]?;
        let permuted = permuted.iter().map(|scores| gain(metric, scores[j])).collect();
        Some(NullScores { observed: gain(metric, observed[j]), permuted })
    }
}

/// Why a metric has no value. Targets that vary are checked before anything is fitted, so what is left is
/// a correlation with constant predictions, or probabilities that underflowed to none.
fn reason(metric: Metric) -> Undefined {
    match metric {
        Metric::LogLoss => Undefined::ProbabilityUnderflow,
        _ => Undefined::ConstantPrediction,
    }
}
