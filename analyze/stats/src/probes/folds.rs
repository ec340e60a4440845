//! Grouped folds: a group is never on both sides of a split.
//!
//! Groups are dealt one at a time, largest first, to the fold where they unbalance sizes and class
//! frequencies least. For classes this is the aim of scikit-learn's `StratifiedGroupKFold`, with a
//! sum-of-squares criterion that costs only the classes of the group being dealt. The seed decides the
//! order among groups of equal size. The outcome depends on the group codes and the labels, not on the
//! order of the rows.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::RandomStream;
use crate::random::Purpose;
use hypercolumn_schemas::Undefined;

/// The rows of each group, by ascending group code.
pub(super) fn rows_by_group(groups: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, &group) in groups.iter().enumerate() {
        rows.entry(group).or_default().push(row);
    }
    rows
}

/// How many folds there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldCounts {
    /// Outer folds.
    pub n_folds: usize,
    /// Inner folds of each outer training part.
    pub n_inner_folds: usize,
}

/// Which rows train and which are held out, in every outer fold and in the inner folds of each.
///
/// Probes that train and test in one condition use the same rows on both sides; a transfer probe trains
/// on rows of one matrix and is tested on rows of another, split by the same groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldPlan {
    /// For each training row, the outer fold that leaves it out.
    pub train_fold: Vec<usize>,
    /// For each evaluated row, the outer fold that predicts it.
    pub eval_fold: Vec<usize>,
    /// For each outer fold and each training row, its inner fold; empty where there are none. Entries of rows that the outer
    /// fold leaves out are not read.
    pub inner_fold: Vec<Vec<usize>>,
}

impl FoldPlan {
    /// Plans folds for `train_groups` and `eval_groups` (one code a row). `train_classes` and
    /// `eval_classes` are empty for regression; otherwise folds are stratified by them. Pass the same
    /// slices twice to train and test on the same rows. The plan is the `repeat`-th of its random stream.
    ///
    /// # Errors
    /// [`Undefined::FewerGroupsThanFolds`] and [`Undefined::FewerGroupsThanInnerFolds`].
    pub fn new(
        train_groups: &[usize],
        eval_groups: &[usize],
        train_classes: &[usize],
        eval_classes: &[usize],
        FoldCounts { n_folds, n_inner_folds }: FoldCounts,
        (stream, repeat): (RandomStream, usize),
    ) -> Result<Self, Undefined> {
        let groups = [train_groups, eval_groups].concat();
        let classes = [train_classes, eval_classes].concat();
        let mut rng = stream.generator(Purpose::OuterFolds, repeat);
        let mut folds =
            deal_groups(&groups, &classes, n_folds, &mut rng).ok_or(Undefined::FewerGroupsThanFolds)?;
        let eval_fold = folds.split_off(train_groups.len());
        let inner_fold = (0..n_folds)
            .map(|fold| {
                let mut rng = stream.generator(Purpose::InnerFolds, repeat * n_folds + fold);
                let rows: Vec<usize> = (0..folds.len()).filter(|&row| folds[row] != fold).collect();
                deal_rows(&rows, train_groups, train_classes, n_inner_folds, &mut rng)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { train_fold: folds, eval_fold, inner_fold })
    }

    /// A plan without inner folds that depends on no label, for refits at a penalty that is fixed.
    ///
    /// # Errors
    /// [`Undefined::FewerGroupsThanFolds`].
    pub(super) fn of_groups(
        train_groups: &[usize],
        eval_groups: &[usize],
        n_folds: usize,
        (stream, repeat): (RandomStream, usize),
    ) -> Result<Self, Undefined> {
        let groups = [train_groups, eval_groups].concat();
        let mut rng = stream.generator(Purpose::TestFolds, repeat);
        let mut folds =
            deal_groups(&groups, &[], n_folds, &mut rng).ok_or(Undefined::FewerGroupsThanFolds)?;
        let eval_fold = folds.split_off(train_groups.len());
        Ok(Self { train_fold: folds, eval_fold, inner_fold: vec![Vec::new(); n_folds] })
    }

    /// Number of outer folds.
    #[must_use]
    pub fn n_folds(&self) -> usize {
        self.inner_fold.len()
    }

    /// Training rows and held-out rows of an outer fold.
    #[must_use]
    pub fn split(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        let train = (0..self.train_fold.len()).filter(|&row| self.train_fold[row] != fold).collect();
        let test = (0..self.eval_fold.len()).filter(|&row| self.eval_fold[row] == fold).collect();
        (train, test)
    }
}

/// Inner folds of some training rows, spread back over all rows of their matrix. `classes` is empty for
/// regression.
pub(super) fn deal_rows(
    rows: &[usize],
    groups: &[usize],
    classes: &[usize],
    n_inner_folds: usize,
    rng: &mut impl Rng,
) -> Result<Vec<usize>, Undefined> {
    let select = |codes: &[usize]| -> Vec<usize> {
        if codes.is_empty() { Vec::new() } else { rows.iter().map(|&row| codes[row]).collect() }
    };
    let dealt = deal_groups(&select(groups), &select(classes), n_inner_folds, rng)
        .ok_or(Undefined::FewerGroupsThanInnerFolds)?;
    let mut inner = vec![0; groups.len()];
    for (&row, &inner_fold) in rows.iter().zip(&dealt) {
        inner[row] = inner_fold;
    }
    Ok(inner)
}

/// The fold of each row; `None` if there are fewer groups than folds.
///
/// Dealing group g to fold f adds Σ_c (2 n_fc g_c + g_c²) / N_c² to the sum of squared class shares and
/// the like for sizes; the second terms do not depend on f, so only the cross terms are compared. An
/// empty fold has none, hence no fold stays empty.
pub(super) fn deal_groups(
    groups: &[usize],
    classes: &[usize],
    n_folds: usize,
    rng: &mut impl Rng,
) -> Option<Vec<usize>> {
    let mut members: Vec<Vec<usize>> = rows_by_group(groups).into_values().collect();
    if members.len() < n_folds || n_folds < 2 {
        return None;
    }
    members.shuffle(rng);
    members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let n_classes = classes.iter().max().map_or(0, |&class| class + 1);
    let totals = count_classes(classes.iter().copied(), n_classes);
    let mut class_counts = vec![vec![0.0; n_classes]; n_folds];
    let mut sizes = vec![0.0; n_folds];
    let mut fold_of = vec![0; groups.len()];
    for rows in &members {
        let own = if classes.is_empty() {
            Vec::new()
        } else {
            count_classes(rows.iter().map(|&row| classes[row]), n_classes)
        };
        let cost = |fold: usize| -> f64 {
            let by_class = own.iter().zip(&class_counts[fold]).zip(&totals);
            let classes: f64 = by_class
                .filter(|((own, _), _)| **own > 0.0)
                .map(|((own, count), total)| own * count / (total * total))
                .sum();
            classes + sizes[fold] * rows.len() as f64 / (groups.len() * groups.len()) as f64
        };
        let best = (0..n_folds).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(0);
        sizes[best] += rows.len() as f64;
        class_counts[best].iter_mut().zip(&own).for_each(|(count, own)| *count += own);
        rows.iter().for_each(|&row| fold_of[row] = best);
    }
    Some(fold_of)
}

/// How often each class occurs.
fn count_classes(classes: impl Iterator<Item = usize>, n_classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n_classes];
    classes.for_each(|class| counts[class] += 1.0);
    counts
}
