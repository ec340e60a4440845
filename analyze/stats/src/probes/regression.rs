//! Nested cross-validation of ridge probes: the penalty is chosen by squared error on the inner folds,
//! the model refitted on the outer training fold and its values taken for the held-out prompts.

use super::classification::strongest_first;
use super::design::{Design, FoldDesign};
use super::metrics::ValueScores;
use super::ridge::predict_ridge_path;

/// Held-out predictions of the probe and of its baseline.
pub(super) struct Regressed {
    pub scores: ValueScores,
    /// The training fold's mean.
    pub baseline: ValueScores,
    /// Penalty of each outer fold, relative to its unit.
    pub penalties: Vec<f64>,
}

/// Runs every outer fold. `target` has one finite value a training row.
pub(super) fn cross_validate_values(design: &Design, target: &[f64], penalties: &[f64]) -> Regressed {
    let n_eval = design.plan.eval_fold.len();
    let mut scores = ValueScores { predicted: vec![0.0; n_eval] };
    let mut baseline = scores.clone();
    let mut chosen = Vec::new();
    for fold in &design.folds {
        let own: Vec<f64> = fold.train.iter().map(|&row| target[row]).collect();
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        let penalty = select_value_penalty(fold, &own, penalties);
        let predicted = predict_ridge_path(&fold.basis, &own, &[penalty * fold.penalty_unit]);
        for (i, &row) in fold.test.iter().enumerate() {
            scores.predicted[row] = predicted[(i, 0)];
            baseline.predicted[row] = mean;
        }
        chosen.push(penalty);
    }
    Regressed { scores, baseline, penalties: chosen }
}

/// The relative penalty with the least inner squared error; of equals, the strongest.
fn select_value_penalty(fold: &FoldDesign, target: &[f64], penalties: &[f64]) -> f64 {
    let path = strongest_first(penalties);
    let absolute: Vec<f64> = path.iter().map(|penalty| penalty * fold.penalty_unit).collect();
    let mut errors = vec![0.0; path.len()];
    for inner in &fold.inner {
        let own: Vec<f64> = inner.train.iter().map(|&position| target[position]).collect();
        let predicted = predict_ridge_path(&inner.basis, &own, &absolute);
        for (column, error) in errors.iter_mut().enumerate() {
            let held_out = inner.test.iter().zip(predicted.col_as_slice(column));
            *error += held_out.map(|(&i, value)| (target[i] - value).powi(2)).sum::<f64>();
        }
    }
    // The first of equals wins, and the path starts with the strongest.
    let best = (0..path.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
    path[best.expect("at least one penalty")]
}
