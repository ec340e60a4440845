//! Refits of probes to many sets of permuted targets at once, in closed form.
//!
//! A ridge probe is refitted whole, its penalty chosen anew for every set of targets; the fits of one penalty to all sets
//! are one matrix product. A logistic probe is refitted by one Newton step from weights of zero, where its Hessian is that of
//! least squares: (s²/k + λ) along an axis of squared singular value s², k being the number of classes. Its penalty is
//! fixed: one that the true targets chose would suit them and no permutation, and the test would not be exact. Of penalties
//! that ignore the targets a strong one has the most power (docs/inference.md). [`super::smoother`] has the matrix that
//! gives its logits.

use faer::{Mat, MatRef};

use super::classification::{into_scores, strongest_first};
use super::design::{Design, FoldDesign};
use super::exponential::exp_nonpositive;
use super::metrics::{ClassScores, ValueScores};
use super::pca::{PcaBasis, product};
use super::smoother::Smoother;

/// Sets of targets in one product: enough for its speed, few enough to stay near the cache.
const BLOCK: usize = 64;

/// Held-out predictions of logistic refits to each of `sets`, through the smoothers of a plan's folds; a set has one label in
/// `0..n_classes` a training row. `n_eval` rows are evaluated.
pub(super) fn refit_classes(
    smoothers: &[Smoother],
    sets: &[Vec<usize>],
    n_classes: usize,
    n_eval: usize,
) -> Vec<ClassScores> {
    let refit = |labels: &Vec<usize>| {
        let mut logits = vec![0.0; n_eval * n_classes];
        for fold in smoothers {
            // [n_test, n_classes]. What labels are less than one-hot is the same for all classes, and no probability sees it.
            let mut sums = Mat::zeros(fold.test.len(), n_classes);
            for (column, &row) in fold.train.iter().enumerate() {
                let sum = sums.col_as_slice_mut(labels[row]).iter_mut();
                sum.zip(fold.matrix.col_as_slice(column)).for_each(|(sum, value)| *sum += value);
            }
            for class in 0..n_classes {
                let sum = sums.col_as_slice(class);
                fold.test.iter().zip(sum).for_each(|(&row, sum)| logits[row * n_classes + class] = *sum);
            }
        }
        into_scores(log_softmax(logits, n_classes), n_classes)
    };
    sets.iter().map(refit).collect()
}

/// Logits as log-probabilities, both row-major `[n_rows, n_classes]`.
fn log_softmax(mut logits: Vec<f64>, n_classes: usize) -> Vec<f64> {
    let mut terms = vec![0.0; n_classes];
    for row in logits.chunks_exact_mut(n_classes) {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        terms.iter_mut().zip(&*row).for_each(|(term, v)| *term = exp_nonpositive(v - max));
        let log_sum = max + terms.iter().sum::<f64>().ln();
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
            let projected = Projected::new(&fold.basis, targets.as_ref());
            for (at, penalty) in path.iter().enumerate() {
                if !chosen.contains(&at) {
                    continue;
                }
                let of_penalty = projected.predict(penalty * fold.penalty_unit);
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
        let projected = Projected::new(&inner.basis, own.as_ref());
        for (penalty, errors) in path.iter().zip(&mut errors) {
            let predicted = projected.predict(penalty * fold.penalty_unit);
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

/// Sets of targets, `[n_train, n_sets]`, on the axes of a basis, which all penalties share.
struct Projected<'a> {
    basis: &'a PcaBasis,
    /// `[rank + 1, n_sets]`.
    products: Mat<f64>,
}

impl<'a> Projected<'a> {
    fn new(basis: &'a PcaBasis, targets: MatRef<f64>) -> Self {
        Self { basis, products: product(basis.train.transpose(), targets) }
    }

    /// Held-out values of ridge fits at a penalty, `[n_test, n_sets]`.
    fn predict(&self, penalty: f64) -> Mat<f64> {
        let sizes = &self.basis.squared_singular_values;
        let weigh = |j: usize| (sizes[j] + if j + 1 == sizes.len() { 0.0 } else { penalty }).recip();
        let factors: Vec<f64> = (0..sizes.len()).map(weigh).collect();
        let mut weights = self.products.clone();
        for column in 0..weights.ncols() {
            weights.col_as_slice_mut(column).iter_mut().zip(&factors).for_each(|(w, factor)| *w *= factor);
        }
        product(self.basis.test.as_ref(), weights.as_ref())
    }
}
