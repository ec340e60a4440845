//! Nested cross-validation of logistic probes: the penalty is chosen by log-loss on the inner folds, the
//! model refitted on the outer training fold and its probabilities taken for the held-out prompts.

use std::cmp::Ordering;

use faer::Mat;

use super::design::{Design, FoldDesign, InnerFold};
use super::logistic::{LOOSE, Logistic, TIGHT};
use super::metrics::ClassScores;
use hypercolumn_schemas::Undefined;

/// Held-out predictions of the probe and of its baseline.
pub(super) struct Classified {
    pub scores: ClassScores,
    /// The training fold's class frequencies, which predict its majority class (of equals, the first).
    pub baseline: ClassScores,
    /// Penalty of each outer fold, relative to its unit.
    pub penalties: Vec<f64>,
    pub converged: bool,
}

/// Runs every outer fold. `labels` are `0..n_classes`, one a training row.
pub(super) fn cross_validate_classes(
    design: &Design,
    labels: &[usize],
    n_classes: usize,
    penalties: &[f64],
) -> Result<Classified, Undefined> {
    check_classes(design, labels, n_classes)?;
    let n_eval = design.plan.eval_fold.len();
    let mut log_probabilities = vec![0.0; n_eval * n_classes];
    let mut frequencies = vec![0.0; n_eval * n_classes];
    let (mut chosen, mut converged) = (Vec::new(), true);
    for fold in &design.folds {
        let own: Vec<usize> = fold.train.iter().map(|&row| labels[row]).collect();
        let counts = count(&own, n_classes);
        let penalty = select_class_penalty(fold, &own, n_classes, penalties);
        let mut model = Logistic::new(&fold.basis, &own, n_classes);
        converged &= model.fit(penalty * fold.penalty_unit, TIGHT);
        let predicted = model.predict();
        for (i, &row) in fold.test.iter().enumerate() {
            for class in 0..n_classes {
                log_probabilities[row * n_classes + class] = predicted[(i, class)];
                let share = counts[class] as f64 / own.len() as f64;
                frequencies[row * n_classes + class] = share.ln();
            }
        }
        chosen.push(penalty);
    }
    Ok(Classified {
        scores: into_scores(log_probabilities, n_classes),
        baseline: into_scores(frequencies, n_classes),
        penalties: chosen,
        converged,
    })
}

/// Refuses labels that leave a training fold without one of the classes.
fn check_classes(design: &Design, labels: &[usize], n_classes: usize) -> Result<(), Undefined> {
    for fold in &design.folds {
        let own: Vec<usize> = fold.train.iter().map(|&row| labels[row]).collect();
        if count(&own, n_classes).contains(&0) {
            return Err(Undefined::ClassAbsentFromTrainingFold);
        }
    }
    Ok(())
}

/// The relative penalty with the least inner log-loss; of equals, the strongest.
pub(super) fn select_class_penalty(
    fold: &FoldDesign,
    labels: &[usize],
    n_classes: usize,
    penalties: &[f64],
) -> f64 {
    let path = strongest_first(penalties);
    let mut losses = vec![0.0; path.len()];
    for inner in &fold.inner {
        add_inner_losses(inner, labels, n_classes, &path, fold.penalty_unit, &mut losses);
    }
    // The first of equals wins, and the path starts with the strongest.
    let best = (0..path.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
    path[best.expect("at least one penalty")]
}

/// Adds the log-loss of one inner fold at every penalty of the path.
///
/// A class may be absent from an inner training fold though not from the outer one. Such a fold fits the
/// classes it has, and held-out prompts of the others are left out of the comparison, for all penalties
/// alike.
fn add_inner_losses(
    inner: &InnerFold,
    labels: &[usize],
    n_classes: usize,
    path: &[f64],
    unit: f64,
    losses: &mut [f64],
) {
    let own: Vec<usize> = inner.train.iter().map(|&position| labels[position]).collect();
    let counts = count(&own, n_classes);
    let present: Vec<usize> = (0..n_classes).filter(|&class| counts[class] > 0).collect();
    if present.len() < 2 {
        return;
    }
    let code = |class: usize| present.binary_search(&class).ok();
    let own: Vec<usize> = own.iter().filter_map(|&class| code(class)).collect();
    let mut model = Logistic::new(&inner.basis, &own, present.len());
    for (penalty, loss) in path.iter().zip(losses) {
        model.fit(penalty * unit, LOOSE);
        let predicted: Mat<f64> = model.predict();
        for (i, &position) in inner.test.iter().enumerate() {
            if let Some(class) = code(labels[position]) {
                *loss -= predicted[(i, class)];
            }
        }
    }
}

/// Penalties in descending order: each fit starts from a smoother one.
pub(super) fn strongest_first(penalties: &[f64]) -> Vec<f64> {
    let mut path = penalties.to_vec();
    path.sort_by(|a, b| b.total_cmp(a));
    path
}

/// How often each class occurs.
pub(super) fn count(labels: &[usize], n_classes: usize) -> Vec<usize> {
    let mut counts = vec![0; n_classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    counts
}

/// Adds the likeliest class of each prompt (of equals, the first).
pub(super) fn into_scores(log_probabilities: Vec<f64>, n_classes: usize) -> ClassScores {
    let likeliest = |row: &[f64]| {
        let better = |best: usize, class: usize| match row[class].total_cmp(&row[best]) {
            Ordering::Greater => class,
            _ => best,
        };
        (1..row.len()).fold(0, better)
    };
    let predicted = log_probabilities.chunks_exact(n_classes).map(likeliest).collect();
    ClassScores { n_classes, predicted, log_probabilities }
}
