//! Scores of held-out predictions, each prompt with a weight (a jackknife leaves groups out by weights of zero).
//!
//! The definitions are scikit-learn's. Accuracy, balanced accuracy (mean recall over the classes that
//! occur among the labels) and macro F1 (mean over the classes that occur among labels or predictions)
//! come from one confusion matrix; log-loss is in nats. R² is 1 − Σ(y − ŷ)² / Σ(y − ȳ)², with ȳ over
//! the held-out prompts.

use serde::{Deserialize, Serialize};

/// A score of held-out predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of correct predictions.
    Accuracy,
    /// Mean recall over classes.
    BalancedAccuracy,
    /// Mean F1 over classes.
    MacroF1,
    /// Mean negative log-probability of the true class, in nats.
    LogLoss,
    /// Of two classes: how often a prompt of the second is given more log-odds for it than one of the first, ties counting one
    /// half (area under the receiver operating characteristic).
    Auroc,
    /// Coefficient of determination; negative when the mean predicts better.
    R2,
    /// Mean absolute error, in the target's unit.
    MeanAbsoluteError,
    /// Pearson correlation of predictions and target.
    PearsonR,
}

impl Metric {
    /// The scores of a logistic probe, the main one first.
    pub const CLASSIFICATION: [Self; 4] =
        [Self::BalancedAccuracy, Self::Accuracy, Self::MacroF1, Self::LogLoss];
    /// Those of a logistic probe of two classes.
    pub const BINARY: [Self; 5] =
        [Self::BalancedAccuracy, Self::Accuracy, Self::MacroF1, Self::LogLoss, Self::Auroc];
    /// The scores of a ridge probe, the main one first.
    pub const REGRESSION: [Self; 3] = [Self::R2, Self::MeanAbsoluteError, Self::PearsonR];

    /// The name that tables store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::MacroF1 => "macro_f1",
            Self::LogLoss => "log_loss",
            Self::Auroc => "auroc",
            Self::R2 => "r2",
            Self::MeanAbsoluteError => "mean_absolute_error",
            Self::PearsonR => "pearson_r",
        }
    }

    /// Whether a larger value is a better one.
    #[must_use]
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Self::LogLoss | Self::MeanAbsoluteError)
    }

    /// The least and the largest value that the metric can have.
    pub(super) fn range(self) -> (f64, f64) {
        match self {
            Self::Accuracy | Self::BalancedAccuracy | Self::MacroF1 | Self::Auroc => (0.0, 1.0),
            Self::LogLoss | Self::MeanAbsoluteError => (0.0, f64::INFINITY),
            Self::R2 => (f64::NEG_INFINITY, 1.0),
            Self::PearsonR => (-1.0, 1.0),
        }
    }

    /// How much better `score` is than `reference`: their difference, with the sign turned for losses.
    #[must_use]
    pub fn gain(self, score: f64, reference: f64) -> f64 {
        if self.higher_is_better() { score - reference } else { reference - score }
    }
}

/// Predictions that can be scored against labels under weights, again and again.
pub(super) trait Scored {
    /// What is predicted.
    type Label: Copy;
    /// The metrics, in the order in which [`evaluate`](Self::evaluate) gives them.
    fn metrics(&self) -> &'static [Metric];
    /// One value a metric, none where it is undefined. `labels` and `weights` have one entry a prompt.
    fn evaluate(&self, labels: &[Self::Label], weights: &[f64]) -> Vec<Option<f64>>;
}

/// Held-out predictions of a classifier.
#[derive(Debug, Clone)]
pub(super) struct ClassScores {
    /// Number of classes.
    pub n_classes: usize,
    /// Predicted class of each prompt.
    pub predicted: Vec<usize>,
    /// Log-probabilities, row-major, `n_prompts × n_classes`.
    pub log_probabilities: Vec<f64>,
}

impl ClassScores {
    /// Area under the receiver operating characteristic of two classes, the folds pooled; none where a class has no weight.
    fn auroc(&self, labels: &[usize], weights: &[f64]) -> Option<f64> {
        let log_odds = |i: usize| self.log_probabilities[2 * i + 1] - self.log_probabilities[2 * i];
        let mut ranked: Vec<(f64, usize)> =
            (0..labels.len()).filter(|&i| weights[i] > 0.0).map(|i| (log_odds(i), i)).collect();
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut won, mut totals) = (0.0, [0.0, 0.0]);
        for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
            let mut own = [0.0, 0.0];
            tied.iter().for_each(|&(_, i)| own[labels[i]] += weights[i]);
            won += own[1] * (totals[0] + 0.5 * own[0]);
            totals = [totals[0] + own[0], totals[1] + own[1]];
        }
        let pairs = totals[0] * totals[1];
        (pairs > 0.0).then(|| won / pairs)
    }
}

impl Scored for ClassScores {
    type Label = usize;

    fn metrics(&self) -> &'static [Metric] {
        match self.n_classes {
            2 => &Metric::BINARY,
            _ => &Metric::CLASSIFICATION,
        }
    }

    fn evaluate(&self, labels: &[usize], weights: &[f64]) -> Vec<Option<f64>> {
        let k = self.n_classes;
        let (mut hits, mut actual, mut predicted) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        let (mut total, mut log_loss) = (0.0, 0.0);
        for (i, (&label, &weight)) in labels.iter().zip(weights).enumerate() {
            total += weight;
            actual[label] += weight;
            predicted[self.predicted[i]] += weight;
            if self.predicted[i] == label {
                hits[label] += weight;
            }
            // A weight of zero must not meet an infinite loss.
            if weight > 0.0 {
                log_loss -= weight * self.log_probabilities[i * k + label];
            }
        }
        if total == 0.0 {
            return vec![None; self.metrics().len()];
        }
        let mean = |terms: &mut dyn Iterator<Item = f64>| -> f64 {
            let (sum, count) = terms.fold((0.0, 0.0), |(sum, count), term| (sum + term, count + 1.0));
            sum / count
        };
        let recall = (0..k).filter(|&c| actual[c] > 0.0).map(|c| hits[c] / actual[c]);
        let f1 = (0..k)
            .filter(|&c| actual[c] + predicted[c] > 0.0)
            .map(|c| 2.0 * hits[c] / (actual[c] + predicted[c]));
        let mut scores = vec![
            Some(mean(&mut recall.into_iter())),
            Some(hits.iter().sum::<f64>() / total),
            Some(mean(&mut f1.into_iter())),
            Some(log_loss / total).filter(|loss| loss.is_finite()),
        ];
        if k == 2 {
            scores.push(self.auroc(labels, weights));
        }
        scores
    }
}

/// Held-out predictions of a regression.
#[derive(Debug, Clone)]
pub(super) struct ValueScores {
    /// Predicted value of each prompt.
    pub predicted: Vec<f64>,
}

impl Scored for ValueScores {
    type Label = f64;

    fn metrics(&self) -> &'static [Metric] {
        &Metric::REGRESSION
    }

    fn evaluate(&self, labels: &[f64], weights: &[f64]) -> Vec<Option<f64>> {
        let total: f64 = weights.iter().sum();
        if total == 0.0 {
            return vec![None; 3];
        }
        let mean = |values: &[f64]| -> f64 {
            values.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / total
        };
        let (label_mean, predicted_mean) = (mean(labels), mean(&self.predicted));
        let (mut squared, mut absolute) = (0.0, 0.0);
        let (mut label_square, mut predicted_square, mut cross) = (0.0, 0.0, 0.0);
        for ((&y, &predicted), &weight) in labels.iter().zip(&self.predicted).zip(weights) {
            squared += weight * (y - predicted).powi(2);
            absolute += weight * (y - predicted).abs();
            let (dy, dp) = (y - label_mean, predicted - predicted_mean);
            label_square += weight * dy * dy;
            predicted_square += weight * dp * dp;
            cross += weight * dy * dp;
        }
        // Sums this small against the mean are rounding of values that are all the same.
        let varies = |square: f64, mean: f64| square > total * (1e-13 * mean.abs()).powi(2);
        let labels_vary = varies(label_square, label_mean);
        let both_vary = labels_vary && varies(predicted_square, predicted_mean);
        vec![
            labels_vary.then(|| 1.0 - squared / label_square),
            Some(absolute / total),
            both_vary.then(|| (cross / (label_square * predicted_square).sqrt()).clamp(-1.0, 1.0)),
        ]
    }
}
