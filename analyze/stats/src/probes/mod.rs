//! Linear probes: what can be read from pooled vectors by a linear model on prompts it has not seen.
//!
//! [`fit_probes`] takes the vectors of one layer and condition once, and any number of targets: classes
//! (multinomial logistic regression) or values (ridge). It standardises inside each training fold, keeps
//! groups whole, chooses the penalty by nested cross-validation, repeats that over several fold plans, and returns for
//! every score its baseline, the level and p-value of refits to permuted labels, and an interval over groups and training
//! sets, with the held-out score of every prompt. [`fit_transfer_probes`] trains on the vectors of one
//! condition and tests on those of another; [`compute_online_code`] gives a minimum description length.
//!
//! Everything is computed in f64 on the calling thread and depends only on the arguments, so callers may
//! spread layers over threads as they like. Reading vectors, evaluating target expressions, correcting
//! across layers and storing results is left to others.

mod classification;
mod control;
mod design;
mod exponential;
mod folds;
mod inference;
mod logistic;
mod metrics;
mod online_code;
mod pca;
mod permuted_labels;
mod refits;
mod regression;
mod result;
mod ridge;
mod settings;
mod smoother;
mod target;

#[cfg(test)]
mod tests;

pub use control::Labels;
pub use design::Design;
pub use folds::{FoldCounts, FoldPlan};
pub use hypercolumn_schemas::Undefined;
pub use inference::{NullScores, familywise_p_values};
pub use metrics::Metric;
pub use online_code::{OnlineCode, compute_online_code};
pub use pca::Vectors;
pub use result::{MetricResult, Predictions, ProbeResult};
pub use settings::ProbeSettings;
pub use target::{Target, encode};

use std::cell::OnceCell;

use crate::random::Purpose;
use classification::{Classified, cross_validate_classes};
use metrics::Scored;
use permuted_labels::{Identity, PermutedLabels};
use refits::{refit_classes, refit_values};
use regression::{Regressed, cross_validate_values};
use result::Assessed;
use smoother::{Smoother, TestDesign};
use target::{CodedClasses, check_values};

/// Fewest prompts for which a probe is fitted.
pub const MIN_PROMPTS: usize = 4;

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

/// Fits a probe for every target, in order. Targets whose folds agree (all regressions do) share the standardised vectors
/// and their principal components.
///
/// # Panics
/// If vectors, groups and targets differ in length, or the settings have no penalties.
pub fn fit_probes(
    sample: Sample,
    targets: &[Target],
    settings: &ProbeSettings,
) -> Vec<Result<ProbeResult, Undefined>> {
    let pairs: Vec<(Target, Target)> = targets.iter().map(|&target| (target, target)).collect();
    Fitter { train: sample, eval: sample, rows: EvaluatedRows::Same, settings }.fit(&pairs)
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
    Fitter { train, eval, rows: EvaluatedRows::Other, settings }.fit(targets)
}

/// How evaluated rows stand to training rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EvaluatedRows {
    /// They are the same rows, whose labels are permuted as one.
    Same,
    /// They are those of another condition.
    Other,
}

/// Probes of one pair of samples.
struct Fitter<'a> {
    train: Sample<'a>,
    eval: Sample<'a>,
    rows: EvaluatedRows,
    settings: &'a ProbeSettings,
}

/// Panics on lengths that disagree: a mistake of the caller, not of the data.
fn check_lengths(sample: Sample, target: Target) {
    assert_eq!(sample.groups.len(), sample.vectors.n_prompts(), "groups of prompts");
    assert_eq!(target.len(), sample.vectors.n_prompts(), "targets of prompts");
}

impl Fitter<'_> {
    fn fit(&self, targets: &[(Target, Target)]) -> Vec<Result<ProbeResult, Undefined>> {
        let mut designs: Vec<Design> = Vec::new();
        let test: OnceCell<Result<Vec<TestDesign>, Undefined>> = OnceCell::new();
        let fit = |target: &(Target, Target)| {
            check_lengths(self.train, target.0);
            check_lengths(self.eval, target.1);
            let chosen = self.prepare(&mut designs, self.plan_folds(*target)?)?;
            let chosen: Vec<&Design> = chosen.into_iter().map(|at| &designs[at]).collect();
            let test: &[TestDesign] = match target.0 {
                Target::Classes(_) => {
                    test.get_or_init(|| self.prepare_test()).as_ref().map_err(|reason| *reason)?
                }
                Target::Values(_) => &[],
            };
            self.fit_designs(&chosen, test, *target)
        };
        targets.iter().map(fit).collect()
    }

    /// Where in `designs` those of some plans are; what is not there yet is added.
    fn prepare(&self, designs: &mut Vec<Design>, plans: Vec<FoldPlan>) -> Result<Vec<usize>, Undefined> {
        let mut places = Vec::with_capacity(plans.len());
        for plan in plans {
            let known = designs.iter().position(|design| design.plan == plan);
            places.push(match known {
                Some(known) => known,
                None => {
                    designs.push(Design::new(self.train.vectors, self.eval.vectors, plan)?);
                    designs.len() - 1
                }
            });
        }
        Ok(places)
    }

    /// Designs of the refits of logistic probes, whatever their labels, for vectors that [`Design::new`] has checked; none
    /// where no refit is asked for.
    fn prepare_test(&self) -> Result<Vec<TestDesign>, Undefined> {
        let ProbeSettings { n_folds, n_repeats, n_permutations, stream, .. } = *self.settings;
        let n_plans = if n_permutations == 0 { 0 } else { n_repeats };
        (0..n_plans)
            .map(|repeat| {
                let plan =
                    FoldPlan::of_groups(self.train.groups, self.eval.groups, n_folds, (stream, repeat))?;
                Ok(TestDesign::new(self.train.vectors, self.eval.vectors, &plan))
            })
            .collect()
    }

    /// Fold plans for a target, after the checks that need no vectors.
    fn plan_folds(&self, target: (Target, Target)) -> Result<Vec<FoldPlan>, Undefined> {
        let (groups, held_out) = (self.train.groups, self.eval.groups);
        if groups.len().min(held_out.len()) < MIN_PROMPTS {
            return Err(Undefined::TooFewPrompts);
        }
        let (own, other) = match target {
            (Target::Classes(own), Target::Classes(other)) => {
                let coded = CodedClasses::new(own, other)?;
                (coded.train, coded.eval)
            }
            (Target::Values(own), Target::Values(other)) => {
                check_values(own, other)?;
                (Vec::new(), Vec::new())
            }
            _ => panic!("a target must be classes on both sides or values on both"),
        };
        let ProbeSettings { n_folds, n_inner_folds, n_repeats, stream, .. } = *self.settings;
        let counts = FoldCounts { n_folds, n_inner_folds };
        let plan = |repeat| FoldPlan::new(groups, held_out, &own, &other, counts, (stream, repeat));
        (0..n_repeats).map(plan).collect()
    }

    /// Fits one target on designs made beforehand, one a fold plan, and tests it on those of `test`.
    fn fit_designs(
        &self,
        designs: &[&Design],
        test: &[TestDesign],
        target: (Target, Target),
    ) -> Result<ProbeResult, Undefined> {
        match target {
            (Target::Classes(train), Target::Classes(eval)) => {
                self.fit_classes(designs, test, CodedClasses::new(train, eval)?)
            }
            (Target::Values(train), Target::Values(eval)) => self.fit_values(designs, train, eval),
            _ => panic!("a target must be classes on both sides or values on both"),
        }
    }

    fn fit_classes(
        &self,
        designs: &[&Design],
        test: &[TestDesign],
        coded: CodedClasses,
    ) -> Result<ProbeResult, Undefined> {
        let n_classes = coded.classes.len();
        let penalties = &self.settings.logistic_penalties;
        let fits: Vec<Classified> = designs
            .iter()
            .map(|design| cross_validate_classes(design, &coded.train, n_classes, penalties))
            .collect::<Result<_, _>>()?;
        let refit = |smoothers: &[Smoother], sets: &LabelSets<usize>| {
            evaluate_all(&refit_classes(smoothers, &sets.train, n_classes, coded.eval.len()), &sets.eval)
        };
        let sets = self.permute(&coded.train, &coded.eval, None);
        let smoothers: Vec<Vec<Smoother>> =
            test.iter().map(|design| design.smoothers(n_classes)).collect::<Result<_, _>>()?;
        let refits = mean_of_plans(smoothers.iter().map(|smoothers| refit(smoothers, &sets)));
        let smoothers: Vec<Smoother> =
            designs[0].folds.iter().map(|fold| Smoother::of_basis(fold, n_classes)).collect();
        let by_chance = refit(&smoothers, &self.permute(&coded.train, &coded.eval, Some(&designs[0].plan)));
        let assessed = Assessed {
            repeats: fits.iter().map(|fit| &fit.scores).collect(),
            baselines: fits.iter().map(|fit| &fit.baseline).collect(),
            refits,
            by_chance: by_chance.into_iter().skip(1).collect(),
            labels: &coded.eval,
            groups: self.eval.groups,
        };
        let score_of = |row: usize| {
            let class = coded.eval[row];
            mean_over(&fits, |fit| fit.scores.log_probabilities[row * n_classes + class])
        };
        let first = &fits[0].scores;
        Ok(ProbeResult {
            metrics: assessed.results(self.settings),
            prompt_scores: (0..coded.eval.len()).map(score_of).collect(),
            predictions: Predictions::Classes {
                predicted: first.predicted.iter().map(|&class| coded.classes[class]).collect(),
                log_probabilities: first.log_probabilities.clone(),
                classes: coded.classes.clone(),
            },
            prompt_folds: designs[0].plan.eval_fold.clone(),
            penalties: fits[0].penalties.clone(),
            converged: fits.iter().all(|fit| fit.converged),
            n_prompts: coded.eval.len(),
            n_groups: folds::rows_by_group(self.eval.groups).len(),
        })
    }

    fn fit_values(&self, designs: &[&Design], train: &[f64], eval: &[f64]) -> Result<ProbeResult, Undefined> {
        check_values(train, eval)?;
        let penalties = &self.settings.ridge_penalties;
        let fits: Vec<Regressed> =
            designs.iter().map(|design| cross_validate_values(design, train, penalties)).collect();
        let sets = self.permute(train, eval, None);
        // Folds ignore the targets here, so that every fold plan takes the same permutations and the test their mean.
        let refits = mean_of_plans(
            designs
                .iter()
                .map(|design| evaluate_all(&refit_values(design, &sets.train, penalties), &sets.eval)),
        );
        let assessed = Assessed {
            repeats: fits.iter().map(|fit| &fit.scores).collect(),
            baselines: fits.iter().map(|fit| &fit.baseline).collect(),
            by_chance: refits.iter().skip(1).cloned().collect(),
            refits,
            labels: eval,
            groups: self.eval.groups,
        };
        let score_of = |row: usize| mean_over(&fits, |fit| -(eval[row] - fit.scores.predicted[row]).abs());
        Ok(ProbeResult {
            metrics: assessed.results(self.settings),
            prompt_scores: (0..eval.len()).map(score_of).collect(),
            predictions: Predictions::Values(fits[0].scores.predicted.clone()),
            prompt_folds: designs[0].plan.eval_fold.clone(),
            penalties: fits[0].penalties.clone(),
            converged: true,
            n_prompts: eval.len(),
            n_groups: folds::rows_by_group(self.eval.groups).len(),
        })
    }

    /// The true labels, then each permutation of them; none where no refit is asked for. `stratified` gives the folds
    /// within which labels are permuted.
    fn permute<L: Identity>(&self, train: &[L], eval: &[L], stratified: Option<&FoldPlan>) -> LabelSets<L> {
        if self.settings.n_permutations == 0 {
            return LabelSets { train: Vec::new(), eval: Vec::new() };
        }
        let is_same = self.rows == EvaluatedRows::Same;
        let both = |train: &[usize], eval: &[usize]| match is_same {
            true => train.to_vec(),
            false => [train, eval].concat(),
        };
        let labels = if is_same { train.to_vec() } else { [train, eval].concat() };
        let folds = stratified.map(|plan| both(&plan.train_fold, &plan.eval_fold));
        let groups = both(self.train.groups, self.eval.groups);
        let permuted = PermutedLabels::new(&groups, &labels, folds.as_deref());
        // Targets of one sample share fold plans, and no permutations.
        let stream = self.settings.stream.of_values(labels.iter().map(|label| label.key()));
        let mut sets = LabelSets { train: vec![train.to_vec()], eval: vec![eval.to_vec()] };
        for permutation in 0..self.settings.n_permutations {
            let mut rng = stream.generator(Purpose::Permutation, permutation);
            let labels: Vec<L> = permuted.permute(&mut rng).into_iter().map(|row| labels[row]).collect();
            let eval_from = if is_same { 0 } else { train.len() };
            sets.eval.push(labels[eval_from..].to_vec());
            sets.train.push(labels[..train.len()].to_vec());
        }
        sets
    }
}

/// Sets of labels of training and of evaluated rows.
struct LabelSets<L> {
    train: Vec<Vec<L>>,
    eval: Vec<Vec<L>>,
}

/// Scores by metric of predictions, each against its own labels.
fn evaluate_all<S: Scored>(predictions: &[S], labels: &[Vec<S::Label>]) -> Vec<Vec<Option<f64>>> {
    let weights = vec![1.0; labels.first().map_or(0, Vec::len)];
    predictions.iter().zip(labels).map(|(scores, labels)| scores.evaluate(labels, &weights)).collect()
}

/// Means over fold plans of scores by set and metric; none where some plan leaves one undefined.
fn mean_of_plans(plans: impl Iterator<Item = Vec<Vec<Option<f64>>>>) -> Vec<Vec<Option<f64>>> {
    let plans: Vec<_> = plans.collect();
    let mean = |set: usize, metric: usize| {
        let scores: Vec<f64> = plans.iter().map(|plan| plan[set][metric]).collect::<Option<_>>()?;
        crate::summary::mean(&scores)
    };
    let first = plans.first().map_or(&[][..], Vec::as_slice);
    let n_metrics = first.first().map_or(0, Vec::len);
    (0..first.len()).map(|set| (0..n_metrics).map(|metric| mean(set, metric)).collect()).collect()
}

fn mean_over<F>(fits: &[F], value: impl Fn(&F) -> f64) -> f64 {
    fits.iter().map(value).sum::<f64>() / fits.len() as f64
}
