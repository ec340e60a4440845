//! A subset: the prompts of one condition that an entry compares, their pairs and their items.

use crate::prompts::TaskPrompts;
use crate::stats::{ModelRdm, PairList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which prompts of the task an entry speaks of.
pub(super) struct Selected {
    /// Prompts `a` of a rectangle, or both sides of a square.
    pub rows: Vec<bool>,
    /// Prompts `b` of a rectangle.
    pub columns: Option<Vec<bool>>,
    /// Block of each prompt, as text.
    pub blocks: Option<Vec<Option<String>>>,
}

/// The prompts of one condition, rows first, numbered from 0 within the subset.
pub(super) struct ConditionSubset {
    /// Name of the condition.
    pub condition: Arc<str>,
    /// Prompts by their number in the task.
    pub prompts: Vec<usize>,
    /// How many of them are rows; all of them in a square.
    pub n_rows: usize,
    /// Whether rows are compared with columns, and not all with all.
    pub is_rectangle: bool,
    /// Unit that is drawn in the bootstrap: the item, told apart on the two sides of a rectangle.
    pub items: Vec<u32>,
    /// Block of each prompt: side and the entry's `blocks`.
    pub blocks: Option<Vec<u32>>,
    /// The pairs compared: across items in a square, all in a rectangle.
    pub pairs: PairList,
    /// The hypothesis; filled by [`super::model_rdm::evaluate`].
    pub hypothesis: Option<ModelRdm>,
}

impl ConditionSubset {
    /// Whether the subsets list the same prompts in the same places.
    pub(super) fn compares_same_prompts(&self, other: &Self) -> bool {
        self.prompts == other.prompts
            && self.n_rows == other.n_rows
            && self.is_rectangle == other.is_rectangle
    }

    /// The units that occur.
    pub(super) fn distinct_items(&self) -> BTreeSet<u32> {
        self.items.iter().copied().collect()
    }

    /// Whether an item has several prompts here, so that labels must move item by item.
    pub(super) fn has_repeated_items(&self) -> bool {
        self.distinct_items().len() < self.items.len()
    }
}

/// The subsets of an entry, one a condition in the task's order; prompts without states are left out.
pub(super) fn split(prompts: &TaskPrompts, selected: &Selected, is_present: &[bool]) -> Vec<ConditionSubset> {
    let item_numbers = number(&prompts.items);
    let of = |chosen: &[bool], condition: Option<usize>| -> Vec<usize> {
        let fits =
            |&p: &usize| chosen[p] && is_present[p] && condition.is_none_or(|c| prompts.condition_of[p] == c);
        (0..prompts.len()).filter(fits).collect()
    };
    let mut subsets = Vec::new();
    for (c, condition) in prompts.conditions.iter().enumerate() {
        let rows = of(&selected.rows, Some(c));
        if rows.is_empty() {
            continue;
        }
        let columns = selected.columns.as_ref().map(|chosen| {
            let own = of(chosen, Some(c));
            if own.is_empty() { of(chosen, None) } else { own }
        });
        subsets.push(build(Arc::clone(condition), &rows, columns.as_deref(), selected, &item_numbers));
    }
    subsets
}

fn build(
    condition: Arc<str>,
    rows: &[usize],
    columns: Option<&[usize]>,
    selected: &Selected,
    item_numbers: &[u32],
) -> ConditionSubset {
    let prompts = [rows, columns.unwrap_or_default()].concat();
    let n_items = item_numbers.iter().max().map_or(0, |n| n + 1);
    // Rows and columns are drawn apart: a row with the column of its own item is no repetition.
    let side = |i: usize| if i < rows.len() { 0 } else { n_items };
    let items: Vec<u32> = prompts.iter().enumerate().map(|(i, &p)| item_numbers[p] + side(i)).collect();
    let n = prompts.len();
    let pairs: Vec<(usize, usize)> = match columns {
        None => (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect(),
        Some(_) => (0..rows.len()).flat_map(|i| (rows.len()..n).map(move |j| (i, j))).collect(),
    };
    let is_compared = |&(i, j): &(usize, usize)| items[i] != items[j] && prompts[i] != prompts[j];
    let pairs = PairList::from_pairs(n, pairs.into_iter().filter(is_compared))
        .expect("pairs are of two prompts of the subset");
    let blocks = block_numbers(&prompts, rows.len(), columns.is_some(), selected.blocks.as_deref());
    let (n_rows, is_rectangle) = (rows.len(), columns.is_some());
    ConditionSubset { condition, prompts, n_rows, is_rectangle, items, blocks, pairs, hypothesis: None }
}

fn block_numbers(
    prompts: &[usize],
    n_rows: usize,
    is_rectangle: bool,
    blocks: Option<&[Option<String>]>,
) -> Option<Vec<u32>> {
    if !is_rectangle && blocks.is_none() {
        return None;
    }
    let block = |(i, &p): (usize, &usize)| (is_rectangle && i >= n_rows, blocks.map(|b| b[p].clone()));
    Some(number(&prompts.iter().enumerate().map(block).collect::<Vec<_>>()))
}

/// Numbers values by their rank among the distinct ones.
fn number<T: Ord>(values: &[T]) -> Vec<u32> {
    let distinct: BTreeSet<&T> = values.iter().collect();
    let numbers: BTreeMap<&T, u32> = distinct.into_iter().zip(0..).collect();
    values.iter().map(|value| numbers[value]).collect()
}
