//! Refits of probes to many sets of permuted targets at once, in closed form.
//!
//! A ridge probe is refitted whole, its penalty chosen anew for every set of targets. A logistic probe is refitted by one
//! Newton step from weights of zero, where its Hessian is that of least squares: (s²/k + λ) along an axis of squared
//! singular value s², k being the number of classes. Its penalty is fixed: one that the true targets chose would suit them
//! and no permutation, and the test would not be exact. Of penalties that ignore the targets a strong one has the most
//! power (docs/inference.md). Either way the fit is linear in the targets, so that all sets share one matrix product.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use super::classification::{into_scores, strongest_first};
use super::design::{Design, FoldDesign};
use super::metrics::{ClassScores, ValueScores};
use super::pca::PcaBasis;

/// Relative penalty of a logistic probe's refits.
const PENALTY: f64 = 1.0;

/// Sets of targets in one product: enough for its speed, few enough to stay near the cache.
const BLOCK: usize = 64;

/// Held-out predictions of logistic refits to each of `sets`; a set has one label in `0..n_classes` a training row.
pub(super) fn refit_classes(design: &Design, sets: &[Vec<usize>], n_classes: usize) -> Vec<ClassScores> {
    let n_eval = design.plan.eval_fold.len();
    let mut scores = Vec::with_capacity(sets.len());
    for block in sets.chunks(BLOCK) {
        let mut logits = vec![vec![0.0; n_eval * n_classes]; block.len()];
        for fold in &design.folds {
            let shrinkage = PENALTY * fold.penalty_unit;
            // Columns are classes of one set, then of the next; each holds 1 - 1/k for its class and -1/k elsewhere.
            let residuals = Mat::from_fn(fold.train.len(), block.len() * n_classes, |i, column| {
                let (set, class) = (column / n_classes, column % n_classes);
                f64::from(u8::from(block[set][fold.train[i]] == class)) - (n_classes as f64).recip()
            });
            let weigh = |size: f64, is_intercept: bool| {
                let own = if is_intercept { 0.0 } else { shrinkage };
                (size / n_classes as f64 + own).recip()
            };
            let predicted = predict(&fold.basis, residuals.as_ref(), weigh);
            for (set, logits) in logits.iter_mut().enumerate() {
                for (i, &row) in fold.test.iter().enumerate() {
                    let out = &mut logits[row * n_classes..][..n_classes];
                    for (class, out) in out.iter_mut().enumerate() {
                        *out = predicted[(i, set * n_classes + class)];
                    }
                }
            }
        }
        scores
            .extend(logits.into_iter().map(|logits| into_scores(log_softmax(logits, n_classes), n_classes)));
    }
    scores
}

/// Logits as log-probabilities, both row-major `[n_rows, n_classes]`.
fn log_softmax(mut logits: Vec<f64>, n_classes: usize) -> Vec<f64> {
    for row in logits.chunks_exact_mut(n_classes) {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = max + row.iter().map(|v| (v - max).exp()).sum::<f64>().ln();
        row.iter_mut().for_each(|v| *v -= log_sum);
    }
    logits
}

/// Held-out predictions of ridge refits to each of `sets`, one value a training row, at the penalty of `penalties` that
/// each set chooses on the inner folds.
pub(super) fn refit_values(design: &Design, sets: &[Vec<f64>], penalties: &[f64]) -> Vec<ValueScores> {
    let path = strongest_first(penalties);
    let n_eval = design.plan.eval_fold.len();
    let mut scores = Vec::with_capacity(sets.len());
    for block in sets.chunks(BLOCK) {
        let mut predicted = vec![vec![0.0; n_eval]; block.len()];
        for fold in &design.folds {
            let targets = Mat::from_fn(fold.train.len(), block.len(), |i, set| block[set][fold.train[i]]);
            let chosen = choose_penalties(fold, targets.as_ref(), &path);
            for (at, penalty) in path.iter().enumerate() {
                if !chosen.contains(&at) {
                    continue;
                }
                let shrinkage = penalty * fold.penalty_unit;
                let of_penalty = predict(&fold.basis, targets.as_ref(), ridge_weight(shrinkage));
                for (set, predicted) in predicted.iter_mut().enumerate().filter(|(set, _)| chosen[*set] == at)
                {
                    fold.test.iter().enumerate().for_each(|(i, &row)| predicted[row] = of_penalty[(i, set)]);
                }
            }
        }
        scores.extend(predicted.into_iter().map(|predicted| ValueScores { predicted }));
    }
    scores
}

/// For each set of targets (a column) the penalty of `path` with the least inner squared error; of equals, the first.
fn choose_penalties(fold: &FoldDesign, targets: MatRef<f64>, path: &[f64]) -> Vec<usize> {
    let n_sets = targets.ncols();
    let mut errors = vec![vec![0.0; n_sets]; path.len()];
    for inner in &fold.inner {
        let own = Mat::from_fn(inner.train.len(), n_sets, |i, set| targets[(inner.train[i], set)]);
        for (penalty, errors) in path.iter().zip(&mut errors) {
            let predicted = predict(&inner.basis, own.as_ref(), ridge_weight(penalty * fold.penalty_unit));
            for (set, error) in errors.iter_mut().enumerate() {
                let column = predicted.col_as_slice(set);
                let held_out = inner.test.iter().zip(column);
                *error += held_out.map(|(&i, value)| (targets[(i, set)] - value).powi(2)).sum::<f64>();
            }
        }
    }
    let best = |set: usize| (0..path.len()).min_by(|&a, &b| errors[a][set].total_cmp(&errors[b][set]));
    (0..n_sets).map(|set| best(set).expect("at least one penalty")).collect()
}

/// The weight of an axis in a ridge fit.
fn ridge_weight(shrinkage: f64) -> impl Fn(f64, bool) -> f64 {
    move |size, is_intercept| (size + if is_intercept { 0.0 } else { shrinkage }).recip()
}

/// Held-out values of linear fits, `[n_test, n_columns]`: `targets`, `[n_train, n_columns]`, in the basis, each axis times
/// `weigh` of its squared singular value and of whether it is the intercept.
fn predict(basis: &PcaBasis, targets: MatRef<f64>, weigh: impl Fn(f64, bool) -> f64) -> Mat<f64> {
    let sizes = &basis.squared_singular_values;
    let mut weights = Mat::zeros(sizes.len(), targets.ncols());
    matmul(weights.as_mut(), Accum::Replace, basis.train.transpose(), targets, 1.0, Par::Seq);
    let factors: Vec<f64> = sizes.iter().enumerate().map(|(j, s)| weigh(*s, j + 1 == sizes.len())).collect();
    for column in 0..weights.ncols() {
        weights.col_as_slice_mut(column).iter_mut().zip(&factors).for_each(|(w, factor)| *w *= factor);
    }
    let mut predicted = Mat::zeros(basis.test.nrows(), targets.ncols());
    matmul(predicted.as_mut(), Accum::Replace, &basis.test, &weights, 1.0, Par::Seq);
    predicted
}
