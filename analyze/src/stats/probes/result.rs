//! What a probe gives back, and how scores, baselines, control, p-values and intervals are put together.

use super::exchange::Identity;
use super::inference::{bootstrap_intervals, permutation_p};
use super::metrics::{Metric, Scored};
use super::random::{Purpose, stream};
use super::settings::ProbeSettings;
use hypercolumn_schemas::Undefined;

/// One score of a probe with what it is to be compared with. A number that is undefined is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricResult {
    /// Which score.
    pub metric: Metric,
    /// Its value over all held-out prompts, pooled across folds.
    pub score: Option<f64>,
    /// Why there is no value.
    pub undefined: Option<Undefined>,
    /// The same score of the training fold's majority class (its class frequencies, for log-loss) or
    /// mean. `None` for a correlation: what is constant in a fold correlates with nothing.
    pub baseline: Option<f64>,
    /// The same score on the control task.
    pub control: Option<f64>,
    /// How much better the task is scored than its control; positive is better, for losses too.
    pub selectivity: Option<f64>,
    /// Permutation p-value, one-sided, conditional on the predictions.
    pub p_value: Option<f64>,
    /// Bootstrap interval over groups, low and high.
    pub interval: Option<(f64, f64)>,
}

/// Held-out predictions, one a prompt, in the order of the evaluated rows.
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
    /// Held-out score of each prompt: log-probability of the true class (nats), or minus the absolute
    /// error (target's unit). Larger is better.
    pub prompt_scores: Vec<f64>,
    /// Outer fold that predicted each prompt.
    pub prompt_folds: Vec<usize>,
    /// Relative penalty chosen in each outer fold.
    pub penalties: Vec<f64>,
    /// Why there is no control task although one was asked for.
    pub control_undefined: Option<Undefined>,
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

/// Why a metric has no value. Targets that vary are checked before anything is fitted, so what is left is
/// a correlation with constant predictions, or probabilities that underflowed to none.
fn reason(metric: Metric) -> Undefined {
    match metric {
        Metric::LogLoss => Undefined::ProbabilityUnderflow,
        _ => Undefined::ConstantPrediction,
    }
}

/// Scores predictions against the truth, their baseline and their control (predictions and labels).
pub(super) fn assess<S: Scored<Label: Identity>>(
    (scores, baseline): (&S, &S),
    control: Option<(&S, &[S::Label])>,
    labels: &[S::Label],
    groups: &[usize],
    settings: &ProbeSettings,
) -> Vec<MetricResult> {
    let once = vec![1.0; labels.len()];
    let observed = scores.evaluate(labels, &once);
    let baseline = baseline.evaluate(labels, &once);
    let control = control.map(|(scores, labels)| scores.evaluate(labels, &once));
    let mut rng = stream(settings.seed, Purpose::Permutation);
    let p_values = permutation_p(scores, labels, groups, settings.n_permutations, &mut rng);
    let mut rng = stream(settings.seed, Purpose::Bootstrap);
    let draws = (settings.n_bootstrap, settings.confidence);
    let intervals = bootstrap_intervals(scores, labels, groups, draws, &mut rng);
    let result = |(j, &metric): (usize, &Metric)| {
        let score = observed[j];
        let control = control.as_ref().and_then(|values| values[j]);
        MetricResult {
            metric,
            score,
            undefined: if score.is_none() { Some(reason(metric)) } else { None },
            baseline: baseline[j].filter(|_| metric != Metric::PearsonR),
            control,
            selectivity: score.zip(control).map(|(score, control)| metric.gain(score, control)),
            p_value: p_values[j],
            interval: score.and(intervals[j]),
        }
    };
    scores.metrics().iter().enumerate().map(result).collect()
}
