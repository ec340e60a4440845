//! Restricted permutations of a target's labels, for permutation tests; and the labels of control tasks.
//!
//! **Permutation.** Where every group has one label, labels are permuted between whole groups, whatever their sizes.
//! Where labels vary inside a group, whole groups of equal size exchange theirs, and then prompts do within each group
//! (whole-block and within-block exchange: Winkler et al. 2015, NeuroImage 123:253). With one prompt a group both are
//! the plain permutation. Exchange between groups alone would not do: if each group holds the same labels in the same
//! order (every line asked for every query x, grouped by x), it changes nothing.
//!
//! Folds of a classification are stratified by the labels, and labels that are permuted across folds would be scored on
//! folds that are not stratified for them, hence below chance. So their groups exchange within their fold, which keeps the
//! classes of every fold.
//!
//! **Control task** (Hewitt & Liang 2019). A random label stands in for a true one wherever it stood inside a group: one
//! for each pair of group and label, without replacement from the empirical distribution over those pairs, so that the
//! control has the class balance of the task.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom;

use super::folds::rows_by_group;

/// A label with a total order, to tell equal labels from different ones.
pub(super) trait Identity: Copy {
    /// The same key for the same label.
    fn key(self) -> u64;
}

impl Identity for usize {
    fn key(self) -> u64 {
        self as u64
    }
}

impl Identity for f64 {
    fn key(self) -> u64 {
        // −0 and 0 are the same target value.
        if self == 0.0 { 0 } else { self.to_bits() }
    }
}

/// The label permutations that groups and folds allow.
pub(super) struct PermutedLabels {
    /// Rows of each group.
    members: Vec<Vec<usize>>,
    /// Groups (positions in `members`) that may exchange labels.
    classes: Vec<Vec<usize>>,
    labels: GroupLabels,
}

/// How labels stand to groups.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GroupLabels {
    /// One label a group.
    Constant,
    /// Labels vary inside some group.
    Varying,
}

impl PermutedLabels {
    /// Reads the structure off `groups` and `labels`, both `[n_rows]`; with `folds`, `[n_rows]`, groups stay in theirs.
    pub fn new<L: Identity>(groups: &[usize], labels: &[L], folds: Option<&[usize]>) -> Self {
        let members: Vec<Vec<usize>> = rows_by_group(groups).into_values().collect();
        let is_constant =
            members.iter().all(|rows| rows.iter().all(|&row| labels[row].key() == labels[rows[0]].key()));
        let mut classes: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (group, rows) in members.iter().enumerate() {
            let fold = folds.map_or(0, |folds| folds[rows[0]]);
            let size = if is_constant { 0 } else { rows.len() };
            classes.entry((fold, size)).or_default().push(group);
        }
        let labels = if is_constant { GroupLabels::Constant } else { GroupLabels::Varying };
        Self { members, classes: classes.into_values().collect(), labels }
    }

    /// A permutation: for each row the row whose label it takes, `[n_rows]`.
    pub fn permute(&self, rng: &mut impl Rng) -> Vec<usize> {
        let mut source = vec![0; self.members.iter().map(Vec::len).sum()];
        for class in &self.classes {
            let mut givers = class.clone();
            givers.shuffle(rng);
            for (&taker, &giver) in class.iter().zip(&givers) {
                let (to, from) = (&self.members[taker], &self.members[giver]);
                match self.labels {
                    GroupLabels::Constant => to.iter().for_each(|&row| source[row] = from[0]),
                    GroupLabels::Varying => {
                        let mut from = from.clone();
                        from.shuffle(rng);
                        to.iter().zip(from).for_each(|(&row, giver)| source[row] = giver);
                    }
                }
            }
        }
        source
    }
}

/// Control labels for `labels`: one draw for each pair of group and label.
pub(super) fn draw_control<L: Identity>(groups: &[usize], labels: &[L], rng: &mut impl Rng) -> Vec<L> {
    let mut cells: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
    for (row, (&group, label)) in groups.iter().zip(labels).enumerate() {
        cells.entry((group, label.key())).or_default().push(row);
    }
    let cells: Vec<Vec<usize>> = cells.into_values().collect();
    let mut drawn: Vec<L> = cells.iter().map(|rows| labels[rows[0]]).collect();
    drawn.shuffle(rng);
    let mut control = labels.to_vec();
    for (rows, &label) in cells.iter().zip(&drawn) {
        rows.iter().for_each(|&row| control[row] = label);
    }
    control
}
