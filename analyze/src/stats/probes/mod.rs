//! Linear probes: what can be read from pooled vectors by a linear model on prompts it has not seen.
//!
//! [`fit_probes`] takes the vectors of one layer and condition once, and any number of targets: classes
//! (multinomial logistic regression) or values (ridge). It standardises inside each training fold, keeps
//! groups whole, chooses the penalty by nested cross-validation, and returns for every score the
//! baseline, a control task and the selectivity between them, a permutation p-value and an interval over
//! groups, with the held-out score of every prompt. [`fit_transfer_probes`] trains on the vectors of one
//! condition and tests on those of another; [`compute_online_code`] gives a minimum description length.
//!
//! Everything is computed in f64 on the calling thread and depends only on the arguments, so callers may
//! spread layers over threads as they like. Reading vectors, evaluating target expressions, correcting
//! across layers and storing results is left to others.

mod classification;
mod design;
mod exchange;
mod folds;
mod inference;
mod logistic;
mod metrics;
mod online_code;
mod random;
mod regression;
mod result;
mod ridge;
mod rotation;
mod settings;
mod target;

#[cfg(test)]
mod tests;

pub use design::Design;
pub use folds::FoldPlan;
pub use hypercolumn_schemas::Undefined;
pub use metrics::Metric;
pub use online_code::{OnlineCode, compute_online_code};
pub use result::{MetricResult, Predictions, ProbeResult};
pub use rotation::Vectors;
pub use settings::ProbeSettings;
pub use target::{Target, encode};

use classification::{Classified, cross_validate_classes};
use exchange::{Identity, draw_control};
use random::{Purpose, stream};
use regression::cross_validate_values;
use result::assess;
use target::{CodedClasses, check_values};

/// Fewest prompts for which a probe is fitted.
pub const MIN_PROMPTS: usize = 4;

/// Draws after which a control task that leaves no class out of a training fold is given up.
const CONTROL_DRAWS: usize = 100;

/// The vectors of one layer and condition with the group of each prompt.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// One vector a prompt.
    pub vectors: Vectors<'a>,
    /// Group code of each prompt (see [`encode`]); a group is never on both sides of a split.
    pub groups: &'a [usize],
}

/// Fits one probe; see [`fit_probes`].
///
/// # Errors
/// The reason for which the probe is undefined.
///
/// # Panics
/// If vectors, groups and target differ in length, or the settings have no penalties.
pub fn fit_probe(sample: Sample, target: Target, settings: &ProbeSettings) -> Result<ProbeResult, Undefined> {
    let mut results = fit_probes(sample, &[target], settings);
    results.pop().expect("one result for one target")
}

/// Fits a probe for every target, in order. Targets whose folds agree (all regressions do) and control
/// tasks share the standardised and rotated vectors.
///
/// # Panics
/// If vectors, groups and targets differ in length, or the settings have no penalties.
pub fn fit_probes(
    sample: Sample,
    targets: &[Target],
    settings: &ProbeSettings,
) -> Vec<Result<ProbeResult, Undefined>> {
    let pairs: Vec<(Target, Target)> = targets.iter().map(|&target| (target, target)).collect();
    fit_transfer_probes(sample, sample, &pairs, settings)
}

/// Trains on `train` and tests on `eval`, in folds of the same groups: a group is predicted by a model
/// that has seen it in neither. Vectors are standardised by the training fold of `train`, so a shift
/// between the conditions counts against the transfer. Each target is given for both sides.
///
/// # Panics
/// If vectors, groups and targets of a side differ in length, the sides differ in dimensions, the two
/// halves of a target are of different kinds, or the settings have no penalties.
pub fn fit_transfer_probes(
    train: Sample,
    eval: Sample,
    targets: &[(Target, Target)],
    settings: &ProbeSettings,
) -> Vec<Result<ProbeResult, Undefined>> {
    let mut designs = Vec::new();
    let fit = |target: &(Target, Target)| {
        check_lengths(train, target.0);
        check_lengths(eval, target.1);
        let plan = plan_folds(train, eval, *target, settings)?;
        let known = designs.iter().position(|design: &Design| design.plan == plan);
        let known = match known {
            Some(known) => known,
            None => {
                designs.push(Design::new(train.vectors, eval.vectors, plan)?);
                designs.len() - 1
            }
        };
        fit_design(&designs[known], (train.groups, eval.groups), *target, settings)
    };
    targets.iter().map(fit).collect()
}

/// Fits one target on a design made beforehand, whose folds may be any. `groups` and `target` are given
/// for training and evaluated rows.
///
/// # Errors
/// The reason for which the probe is undefined.
///
/// # Panics
/// As [`fit_transfer_probes`].
pub fn fit_design(
    design: &Design,
    groups: (&[usize], &[usize]),
    target: (Target, Target),
    settings: &ProbeSettings,
) -> Result<ProbeResult, Undefined> {
    match target {
        (Target::Classes(train), Target::Classes(eval)) => {
            fit_classes(design, groups, (train, eval), settings)
        }
        (Target::Values(train), Target::Values(eval)) => fit_values(design, groups, (train, eval), settings),
        _ => panic!("a target must be classes on both sides or values on both"),
    }
}

/// Panics on lengths that disagree: a mistake of the caller, not of the data.
fn check_lengths(sample: Sample, target: Target) {
    assert_eq!(sample.groups.len(), sample.vectors.n_prompts(), "groups of prompts");
    assert_eq!(target.len(), sample.vectors.n_prompts(), "targets of prompts");
}

/// Folds for a target, after the checks that need no vectors.
fn plan_folds(
    train: Sample,
    eval: Sample,
    target: (Target, Target),
    settings: &ProbeSettings,
) -> Result<FoldPlan, Undefined> {
    let n_prompts = train.groups.len().min(eval.groups.len());
    if n_prompts < MIN_PROMPTS {
        return Err(Undefined::TooFewPrompts);
    }
    let numbers = (settings.n_folds, settings.n_inner_folds);
    let (groups, held_out) = (train.groups, eval.groups);
    match target {
        (Target::Classes(own), Target::Classes(other)) => {
            let coded = CodedClasses::new(own, other)?;
            FoldPlan::new(groups, held_out, &coded.train, &coded.eval, numbers, settings.seed)
        }
        (Target::Values(own), Target::Values(other)) => {
            check_values(own, other)?;
            FoldPlan::new(groups, held_out, &[], &[], numbers, settings.seed)
        }
        _ => panic!("a target must be classes on both sides or values on both"),
    }
}

/// The logistic probe with its control.
fn fit_classes(
    design: &Design,
    groups: (&[usize], &[usize]),
    labels: (&[usize], &[usize]),
    settings: &ProbeSettings,
) -> Result<ProbeResult, Undefined> {
    let coded = CodedClasses::new(labels.0, labels.1)?;
    let n_classes = coded.classes.len();
    let penalties = &settings.logistic_penalties;
    let fit = cross_validate_classes(design, &coded.train, n_classes, penalties)?;
    let (control, control_undefined) = match fit_class_control(design, groups, &coded, settings) {
        Some(Ok(control)) => (Some(control), None),
        Some(Err(reason)) => (None, Some(reason)),
        None => (None, None),
    };
    let control = control.as_ref().map(|(fit, labels)| (&fit.scores, labels.as_slice()));
    let metrics = assess((&fit.scores, &fit.baseline), control, &coded.eval, groups.1, settings);
    let log_probabilities = fit.scores.log_probabilities;
    let truth = coded.eval.iter().enumerate();
    Ok(ProbeResult {
        metrics,
        prompt_scores: truth.map(|(i, class)| log_probabilities[i * n_classes + class]).collect(),
        predictions: Predictions::Classes {
            predicted: fit.scores.predicted.iter().map(|&class| coded.classes[class]).collect(),
            classes: coded.classes,
            log_probabilities,
        },
        prompt_folds: design.plan.eval_fold.clone(),
        penalties: fit.penalties,
        control_undefined,
        converged: fit.converged,
        n_prompts: labels.1.len(),
        n_groups: folds::rows_by_group(groups.1).len(),
    })
}

/// The control task of a logistic probe with its evaluated labels; `None` where none is asked for.
fn fit_class_control(
    design: &Design,
    groups: (&[usize], &[usize]),
    coded: &CodedClasses,
    settings: &ProbeSettings,
) -> Option<Result<(Classified, Vec<usize>), Undefined>> {
    if !settings.control {
        return None;
    }
    let mut rng = stream(settings.seed, Purpose::Control);
    for _ in 0..CONTROL_DRAWS {
        let (train, eval) = draw_both(groups, (&coded.train, &coded.eval), &mut rng);
        let penalties = &settings.logistic_penalties;
        match cross_validate_classes(design, &train, coded.classes.len(), penalties) {
            Ok(fit) => return Some(Ok((fit, eval))),
            Err(Undefined::ClassAbsentFromTrainingFold) => {}
            Err(other) => return Some(Err(other)),
        }
    }
    Some(Err(Undefined::ClassAbsentFromTrainingFold))
}

/// The ridge probe with its control.
fn fit_values(
    design: &Design,
    groups: (&[usize], &[usize]),
    values: (&[f64], &[f64]),
    settings: &ProbeSettings,
) -> Result<ProbeResult, Undefined> {
    check_values(values.0, values.1)?;
    let fit = cross_validate_values(design, values.0, &settings.ridge_penalties);
    let control = settings.control.then(|| {
        let mut rng = stream(settings.seed, Purpose::Control);
        let (train, eval) = draw_both(groups, values, &mut rng);
        (cross_validate_values(design, &train, &settings.ridge_penalties), eval)
    });
    let control = control.as_ref().map(|(fit, labels)| (&fit.scores, labels.as_slice()));
    let metrics = assess((&fit.scores, &fit.baseline), control, values.1, groups.1, settings);
    let predicted = fit.scores.predicted;
    Ok(ProbeResult {
        metrics,
        prompt_scores: values.1.iter().zip(&predicted).map(|(y, value)| -(y - value).abs()).collect(),
        predictions: Predictions::Values(predicted),
        prompt_folds: design.plan.eval_fold.clone(),
        penalties: fit.penalties,
        control_undefined: None,
        converged: true,
        n_prompts: values.1.len(),
        n_groups: folds::rows_by_group(groups.1).len(),
    })
}

/// One draw of control labels for both sides: a group's labels stand for the same ones on either.
fn draw_both<L: Identity>(
    groups: (&[usize], &[usize]),
    labels: (&[L], &[L]),
    rng: &mut impl rand::Rng,
) -> (Vec<L>, Vec<L>) {
    let n_train = labels.0.len();
    let groups = [groups.0, groups.1].concat();
    let labels: Vec<L> = [labels.0, labels.1].concat();
    let mut train = draw_control(&groups, &labels, rng);
    let eval = train.split_off(n_train);
    (train, eval)
}
