//! Which labels may be exchanged with which, for permutation tests and control tasks.
//!
//! **Permutation.** Where every group has one label, labels are permuted between whole groups, whatever
//! their sizes. Where labels vary inside a group, whole groups of equal size are exchanged and the labels
//! are then shuffled within each group (whole-block and within-block exchange: Winkler et al. 2015,
//! NeuroImage 123:253). With one prompt a group both are the plain permutation. Exchange between groups
//! alone would not do: if each group holds the same labels in the same order (every line asked for every
//! query x, grouped by x), it changes nothing.
//!
//! **Control task** (Hewitt & Liang 2019). A random label stands in for a true one wherever it stood
//! inside a group: one draw for each pair of group and label. With one label a group this is one draw a
//! group; where labels vary inside a group, prompts that shared a label go on sharing one, so the control
//! keeps what the labels owe to the design and loses what they mean. Draws are without replacement, from
//! the empirical distribution over those pairs, so the control has the class balance (and the baseline)
//! of the task.

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

/// The label permutations that a grouping allows.
pub(super) struct Exchange {
    members: Vec<Vec<usize>>,
    /// Groups (positions in `members`) that may trade places.
    blocks: Vec<Vec<usize>>,
    constant: bool,
}

impl Exchange {
    /// Reads the structure off groups and labels, one of each a prompt.
    pub fn new<L: Identity>(groups: &[usize], labels: &[L]) -> Self {
        let members: Vec<Vec<usize>> = rows_by_group(groups).into_values().collect();
        let constant =
            members.iter().all(|rows| rows.iter().all(|&row| labels[row].key() == labels[rows[0]].key()));
        let blocks = if constant {
            vec![(0..members.len()).collect()]
        } else {
            let mut by_size: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (group, rows) in members.iter().enumerate() {
                by_size.entry(rows.len()).or_default().push(group);
            }
            by_size.into_values().collect()
        };
        Self { members, blocks, constant }
    }

    /// Draws a permutation: the prompt whose label each prompt receives.
    pub fn draw(&self, rng: &mut impl Rng, source: &mut [usize]) {
        for block in &self.blocks {
            let mut givers = block.clone();
            givers.shuffle(rng);
            for (&taker, &giver) in block.iter().zip(&givers) {
                let (to, from) = (&self.members[taker], &self.members[giver]);
                if self.constant {
                    to.iter().for_each(|&row| source[row] = from[0]);
                } else {
                    let mut from = from.clone();
                    from.shuffle(rng);
                    to.iter().zip(from).for_each(|(&row, giver)| source[row] = giver);
                }
            }
        }
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
