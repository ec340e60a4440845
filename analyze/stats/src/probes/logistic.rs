//! Multinomial logistic regression with an L2 penalty and a free intercept, on principal components.
//!
//! Minimises Σᵢ −log p(yᵢ | xᵢ) + ½ λ ‖W‖², the objective of scikit-learn's `LogisticRegression` with
//! C = 1/λ. Two classes are given the penalty of the single-vector (binomial) form, as there: the
//! softmax weights are ±w/2, so ½ λ ‖w‖² is ½ · 2λ ‖W‖².
//!
//! The solver is L-BFGS (Nocedal & Wright 2006, algorithm 7.4) with three things that a general one
//! does not know:
//! - On principal axes the Hessian is close to diagonal, c·λⱼ + λ with c the mean softmax curvature (at
//!   W = 0 this is exact); its inverse is the initial matrix of every two-loop recursion.
//! - Along a direction the logits are linear, so a line search costs exponentials but no product, and an
//!   iteration costs two products whatever the number of steps tried.
//! - From one penalty to the next, gradient differences change by exactly (λ' − λ) s, so the curvature
//!   history is carried along the penalty path.

use std::collections::VecDeque;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use super::exponential::exp_nonpositive;
use super::pca::PcaBasis;

/// Step and gradient pairs kept: few, because the diagonal does most of the work and each pair costs as
/// much as a product.
const MEMORY: usize = 5;
/// Iterations after which a fit is given up as not converged.
const MAX_ITERATIONS: usize = 1_000;
/// Steps tried along one direction.
const MAX_STEPS: usize = 30;
/// Armijo and curvature constants of the weak Wolfe conditions.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
/// Convergence of a final fit: √(gᵀD⁻¹g / n), about the root mean square error left in a logit. The
/// diagonal D makes too much of the curvature where classes separate, hence the margin: probabilities are
/// right to 1e-6.
pub(super) const TIGHT: f64 = 1e-9;
/// Convergence while penalties are compared. Over 200 training folds of mixed signal strength this chose
/// the same penalty as a tolerance of 1e-8, in a quarter of the time.
pub(super) const LOOSE: f64 = 3e-3;

/// Training coordinates with labels, and everything a fit needs to remember.
pub(super) struct Logistic<'a> {
    basis: &'a PcaBasis,
    labels: &'a [usize],
    n_classes: usize,
    penalty: f64,
    /// Weights, `(rank + 1) × n_classes`; the last row is the intercept.
    weights: Mat<f64>,
    gradient: Mat<f64>,
    direction: Mat<f64>,
    /// Inverse of the diagonal of the approximate Hessian.
    inverse_diagonal: Vec<f64>,
    /// Logits at the weights, `n_train × n_classes`, and along the direction.
    logits: Mat<f64>,
    logit_direction: Mat<f64>,
    trial: Trial,
    history: VecDeque<Pair>,
    /// Pairs whose storage is free to be written again.
    spare: Vec<Pair>,
}

/// A step, the change of the gradient over it, and 1 / (step · change).
struct Pair {
    step: Mat<f64>,
    change: Mat<f64>,
    inverse_product: f64,
}

/// The loss at a trial point.
struct Trial {
    logits: Mat<f64>,
    /// Probabilities minus one-hot labels.
    residual: Mat<f64>,
    /// Row maxima, then row sums: one number a prompt.
    row: Vec<f64>,
    loss: f64,
}

impl<'a> Logistic<'a> {
    /// A problem with all weights zero. `labels` are `0..n_classes`, one a training row, and every class
    /// occurs.
    pub fn new(basis: &'a PcaBasis, labels: &'a [usize], n_classes: usize) -> Self {
        let (n, p) = (basis.train.nrows(), basis.train.ncols());
        assert_eq!(labels.len(), n, "labels of training rows");
        let by_row = || Mat::zeros(n, n_classes);
        let by_axis = || Mat::zeros(p, n_classes);
        let pair = |_| Pair { step: by_axis(), change: by_axis(), inverse_product: 0.0 };
        Self {
            basis,
            labels,
            n_classes,
            penalty: 0.0,
            weights: by_axis(),
            gradient: by_axis(),
            direction: by_axis(),
            inverse_diagonal: vec![1.0; p],
            logits: by_row(),
            logit_direction: by_row(),
            trial: Trial { logits: by_row(), residual: by_row(), row: vec![0.0; n], loss: 0.0 },
            history: VecDeque::with_capacity(MEMORY),
            spare: (0..MEMORY).map(pair).collect(),
        }
    }

    /// Fits at `penalty`, starting from the weights as they are. Returns whether it converged to
    /// `tolerance`.
    pub fn fit(&mut self, penalty: f64, tolerance: f64) -> bool {
        self.change_penalty(if self.n_classes == 2 { 2.0 * penalty } else { penalty });
        let limit = tolerance * tolerance * self.labels.len() as f64;
        let mut objective = self.trial.loss + 0.5 * self.penalty * self.squared_weights();
        for _ in 0..MAX_ITERATIONS {
            if self.scaled_norm() <= limit {
                return true;
            }
            if !self.step(&mut objective) {
                // The direction no longer descends within rounding: start afresh along the scaled
                // gradient, once; if that fails too, this is as far as f64 goes.
                if self.history.is_empty() {
                    return self.scaled_norm() <= 1e4 * limit;
                }
                self.spare.extend(self.history.drain(..));
            }
        }
        false
    }

    /// Log-probabilities, `n_test × n_classes`, for the held-out rows of the basis.
    pub fn predict(&self) -> Mat<f64> {
        let test = &self.basis.test;
        let mut logits = Mat::zeros(test.nrows(), self.n_classes);
        matmul(logits.as_mut(), Accum::Replace, test, &self.weights, 1.0, Par::Seq);
        for i in 0..logits.nrows() {
            let max = (0..self.n_classes).fold(f64::NEG_INFINITY, |max, c| max.max(logits[(i, c)]));
            let sum: f64 = (0..self.n_classes).map(|c| (logits[(i, c)] - max).exp()).sum();
            let log_sum = max + sum.ln();
            (0..self.n_classes).for_each(|c| logits[(i, c)] -= log_sum);
        }
        logits
    }

    /// Weights, `(rank + 1) × n_classes`, the intercept last.
    #[cfg(test)]
    pub fn weights(&self) -> &Mat<f64> {
        &self.weights
    }

    /// Sets the penalty and brings the loss, the gradient, the preconditioner and the history up to it.
    fn change_penalty(&mut self, penalty: f64) {
        let change = penalty - self.penalty;
        self.penalty = penalty;
        self.trial.evaluate(&self.logits, &self.logit_direction, 0.0, self.labels);
        self.update_gradient();
        let curvature = self.trial.mean_curvature(self.labels);
        let intercept = self.inverse_diagonal.len() - 1;
        for (j, (inverse, size)) in
            self.inverse_diagonal.iter_mut().zip(&self.basis.squared_singular_values).enumerate()
        {
            let own = if j == intercept { 0.0 } else { penalty };
            *inverse = (curvature * size + own).recip();
        }
        for mut pair in std::mem::take(&mut self.history) {
            add_penalty(&mut pair.change, &pair.step, change);
            let product = dot(&pair.step, &pair.change);
            if product > 0.0 {
                pair.inverse_product = product.recip();
                self.history.push_back(pair);
            } else {
                self.spare.push(pair);
            }
        }
    }

    /// The gradient at the trial point, which must belong to the weights.
    fn update_gradient(&mut self) {
        let train = self.basis.train.transpose();
        matmul(self.gradient.as_mut(), Accum::Replace, train, &self.trial.residual, 1.0, Par::Seq);
        add_penalty(&mut self.gradient, &self.weights, self.penalty);
    }

    /// gᵀD⁻¹g, in nats: about twice what the objective can still fall.
    fn scaled_norm(&self) -> f64 {
        (0..self.n_classes)
            .map(|c| {
                let column = self.gradient.col_as_slice(c).iter().zip(&self.inverse_diagonal);
                column.map(|(g, inverse)| g * g * inverse).sum::<f64>()
            })
            .sum()
    }

    fn squared_weights(&self) -> f64 {
        (0..self.n_classes)
            .map(|c| {
                let column = self.weights.col_as_slice(c);
                column[..column.len() - 1].iter().map(|w| w * w).sum::<f64>()
            })
            .sum()
    }

    /// One iteration. Returns false, with nothing changed, when no step along the direction descends.
    fn step(&mut self, objective: &mut f64) -> bool {
        self.find_direction();
        let slope = dot(&self.gradient, &self.direction);
        if slope >= 0.0 {
            return false;
        }
        let train = &self.basis.train;
        matmul(self.logit_direction.as_mut(), Accum::Replace, train, &self.direction, 1.0, Par::Seq);
        let Some((length, reached)) = self.search_line(*objective, slope) else { return false };
        *objective = reached;
        let mut pair = match self.spare.pop() {
            Some(pair) => pair,
            None => self.history.pop_front().expect("a full history"),
        };
        copy_scaled(&mut pair.step, &self.direction, length);
        copy_scaled(&mut pair.change, &self.gradient, -1.0);
        add_scaled(&mut self.weights, &pair.step, 1.0);
        std::mem::swap(&mut self.logits, &mut self.trial.logits);
        self.update_gradient();
        add_scaled(&mut pair.change, &self.gradient, 1.0);
        let product = dot(&pair.step, &pair.change);
        // The objective is convex; a product this small is rounding and would spoil the recursion.
        if product > 1e-14 * slope.abs() * length {
            pair.inverse_product = product.recip();
            self.history.push_back(pair);
        } else {
            self.spare.push(pair);
        }
        true
    }

    /// The two-loop recursion: `direction` = −H⁻¹ gradient.
    fn find_direction(&mut self) {
        copy_scaled(&mut self.direction, &self.gradient, -1.0);
        let mut products = [0.0; MEMORY];
        for (pair, product) in self.history.iter().zip(&mut products).rev() {
            *product = pair.inverse_product * dot(&pair.step, &self.direction);
            add_scaled(&mut self.direction, &pair.change, -*product);
        }
        let gamma = self.history.back().map_or(1.0, |pair| {
            let n_classes = pair.change.ncols();
            let scaled: f64 = (0..n_classes)
                .map(|c| {
                    let column = pair.change.col_as_slice(c).iter().zip(&self.inverse_diagonal);
                    column.map(|(y, inverse)| y * y * inverse).sum::<f64>()
                })
                .sum();
            (pair.inverse_product * scaled).recip()
        });
        for c in 0..self.n_classes {
            let column = self.direction.col_as_slice_mut(c).iter_mut();
            column.zip(&self.inverse_diagonal).for_each(|(d, inverse)| *d *= gamma * inverse);
        }
        for (pair, product) in self.history.iter().zip(&products) {
            let correction = product - pair.inverse_product * dot(&pair.change, &self.direction);
            add_scaled(&mut self.direction, &pair.step, correction);
        }
    }

    /// A step length that meets the weak Wolfe conditions, and the objective there; the trial is left at
    /// that point. Bisects with secants: the slope of a convex function rises along the line.
    fn search_line(&mut self, objective: f64, slope: f64) -> Option<(f64, f64)> {
        let weights = self.squared_weights();
        let cross = penalized_dot(&self.weights, &self.direction);
        let square = penalized_dot(&self.direction, &self.direction);
        let rounding = 1e-14 * objective.abs();
        let (mut low, mut low_slope, mut high) = (0.0, slope, f64::INFINITY);
        let mut length = 1.0;
        for _ in 0..MAX_STEPS {
            self.trial.evaluate(&self.logits, &self.logit_direction, length, self.labels);
            let reached =
                self.trial.loss + 0.5 * self.penalty * (weights + length * (2.0 * cross + length * square));
            let reached_slope =
                dot(&self.trial.residual, &self.logit_direction) + self.penalty * (cross + length * square);
            if reached > objective + DECREASE * length * slope + rounding {
                high = length;
            } else if reached_slope < CURVATURE * slope {
                (low, low_slope) = (length, reached_slope);
            } else {
                return Some((length, reached));
            }
            let rise = reached_slope - low_slope;
            let secant = low - low_slope * (length - low) / rise;
            length = if high.is_infinite() {
                2.0 * length
            } else if rise > 0.0 && secant > low + 0.1 * (high - low) && secant < low + 0.9 * (high - low) {
                secant
            } else {
                0.5 * (low + high)
            };
        }
        None
    }
}

impl Trial {
    /// Loss and residuals at `logits + length · direction`. Works a class at a time, so that every loop
    /// runs over contiguous prompts.
    fn evaluate(&mut self, logits: &Mat<f64>, direction: &Mat<f64>, length: f64, labels: &[usize]) {
        let n_classes = logits.ncols();
        self.row.fill(f64::NEG_INFINITY);
        for c in 0..n_classes {
            let from = logits.col_as_slice(c).iter().zip(direction.col_as_slice(c));
            let to = self.logits.col_as_slice_mut(c).iter_mut().zip(&mut self.row);
            for ((out, max), (at, along)) in to.zip(from) {
                *out = at + length * along;
                *max = if *out > *max { *out } else { *max };
            }
        }
        self.loss = self.row.iter().sum();
        self.loss -= labels.iter().enumerate().map(|(i, &class)| self.logits[(i, class)]).sum::<f64>();
        for c in 0..n_classes {
            let from = self.logits.col_as_slice(c).iter().zip(&self.row);
            for (out, (at, max)) in self.residual.col_as_slice_mut(c).iter_mut().zip(from) {
                *out = exp_nonpositive(at - max);
            }
        }
        self.row.fill(0.0);
        for c in 0..n_classes {
            let column = self.residual.col_as_slice(c);
            self.row.iter_mut().zip(column).for_each(|(sum, value)| *sum += value);
        }
        self.loss += self.row.iter().map(|sum| sum.ln()).sum::<f64>();
        self.row.iter_mut().for_each(|sum| *sum = sum.recip());
        for c in 0..n_classes {
            let column = self.residual.col_as_slice_mut(c).iter_mut();
            column.zip(&self.row).for_each(|(value, inverse)| *value *= inverse);
        }
        labels.iter().enumerate().for_each(|(i, &class)| self.residual[(i, class)] -= 1.0);
    }

    /// Mean over prompts of Σ_c p_c (1 − p_c) / (n_classes − 1): the mean eigenvalue of the softmax
    /// Hessian diag(p) − ppᵀ, the zero one left out. Bounded below, lest a separated problem leave the
    /// preconditioner to the penalty alone.
    fn mean_curvature(&self, labels: &[usize]) -> f64 {
        let n_classes = self.residual.ncols();
        let squares: f64 = (0..n_classes)
            .map(|c| {
                let column = self.residual.col_as_slice(c).iter().zip(labels);
                column.map(|(r, &class)| (r + f64::from(u8::from(class == c))).powi(2)).sum::<f64>()
            })
            .sum();
        let n = labels.len() as f64;
        ((n - squares) / (n * (n_classes - 1) as f64)).max(1e-3 / n_classes as f64)
    }
}

/// Σ a∘b over all entries.
fn dot(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    (0..a.ncols()).map(|c| slice_dot(a.col_as_slice(c), b.col_as_slice(c))).sum()
}

/// Σ a∘b without the intercepts, which no penalty touches.
fn penalized_dot(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let rank = a.nrows() - 1;
    (0..a.ncols()).map(|c| slice_dot(&a.col_as_slice(c)[..rank], &b.col_as_slice(c)[..rank])).sum()
}

/// Four running sums: one alone would chain every addition to the last.
fn slice_dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let tail: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum += x * y);
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + tail
}

fn add_scaled(to: &mut Mat<f64>, from: &Mat<f64>, factor: f64) {
    for c in 0..from.ncols() {
        let column = to.col_as_slice_mut(c).iter_mut();
        column.zip(from.col_as_slice(c)).for_each(|(to, from)| *to += factor * from);
    }
}

fn copy_scaled(to: &mut Mat<f64>, from: &Mat<f64>, factor: f64) {
    for c in 0..from.ncols() {
        let column = to.col_as_slice_mut(c).iter_mut();
        column.zip(from.col_as_slice(c)).for_each(|(to, from)| *to = factor * from);
    }
}

/// Adds `penalty · from` to every row but the intercept's.
fn add_penalty(to: &mut Mat<f64>, from: &Mat<f64>, penalty: f64) {
    let rank = from.nrows() - 1;
    for c in 0..from.ncols() {
        let column = to.col_as_slice_mut(c)[..rank].iter_mut();
        column.zip(&from.col_as_slice(c)[..rank]).for_each(|(to, from)| *to += penalty * from);
    }
}
