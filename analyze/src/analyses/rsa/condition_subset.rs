//! A condition subset: the prompts of one condition that an entry compares, with their pairs, units and clusters.

use crate::design::Grouping;
use crate::prompts::TaskPrompts;
use crate::stats::permutation::UnitLabels;
use crate::stats::{ModelRdm, PairList};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The pairs of shared items in each replicate of a condition, as positions among the subset's pairs; `[n_replicates,
/// n_shared_pairs]`.
pub(super) type ReplicatePairs = Vec<Vec<usize>>;

/// Which prompts of the task an entry speaks of.
pub(super) struct Selected {
    /// Prompts `a` of a rectangle, or both sides of a square; `[n_prompts]`.
    pub rows: Vec<bool>,
    /// Prompts `b` of a rectangle; `[n_prompts]`.
    pub columns: Option<Vec<bool>>,
    /// Block of each prompt, as text; `[n_prompts]`.
    pub blocks: Option<Vec<Option<String>>>,
}

/// The prompts of one condition, rows first, numbered from 0 within the subset.
pub(super) struct ConditionSubset {
    /// The condition, by its number in the task.
    pub condition: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Prompts by their number in the task.
    pub prompts: Vec<usize>,
    /// How many of them are rows; all of them in a square.
    pub n_rows: usize,
    /// Whether rows are compared with columns, and not all with all.
    pub is_rectangle: bool,
    /// Items, by their number in the task; `[n_prompts]`.
    pub items: Vec<u32>,
    /// What a permutation moves as a whole; `[n_prompts]`.
    pub units: Vec<u32>,
    /// Number of units; of a rectangle those of its smaller side.
    pub n_units: usize,
    /// Whether the prompts of a unit have one label.
    pub unit_labels: UnitLabels,
    /// What a resample draws as a whole, by its number in the task; `[n_prompts]`.
    pub clusters: Vec<u32>,
    /// Block of each prompt: side and the entry's `blocks`.
    pub blocks: Option<Vec<u32>>,
    /// The pairs compared.
    pub pairs: PairList,
    /// The hypothesis; filled by [`super::model_rdm::evaluate`].
    pub hypothesis: Option<ModelRdm>,
    /// A hypothesis that it is compared with; filled where the entry has one.
    pub rival: Option<ModelRdm>,
    /// Pairs of the items that replicates share; filled by [`super::replicates::find`] where the entry has them.
    pub replicates: ReplicatePairs,
    /// What is held constant; filled by [`super::nuisances::evaluate`].
    pub nuisances: Vec<Nuisance>,
}

/// A nuisance, evaluated over the prompts of a condition.
pub(super) enum Nuisance {
    /// A value for each pair.
    Pairs(ModelRdm),
    /// The similarities at layer 0.
    LayerZero,
}

impl Nuisance {
    /// Values at `pairs`, null where there is none; `layer_zero`, `[n_pairs]`, is `None` where layer 0 is undefined.
    pub(super) fn values(&self, pairs: &PairList, layer_zero: Option<&[f64]>) -> Vec<Option<f64>> {
        match self {
            Self::Pairs(rdm) => pairs.iter().map(|(i, j)| rdm.value(i, j)).collect(),
            Self::LayerZero => match layer_zero {
                Some(values) => values.iter().copied().map(Some).collect(),
                None => vec![None; pairs.len()],
            },
        }
    }
}

/// Whether pairs within a unit take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithinUnits {
    /// They do not: that prompts of a unit are alike is no evidence for the hypothesis.
    Out,
    /// They do: the hypothesis is about them, and constant between units.
    In,
}

impl ConditionSubset {
    /// Whether the subsets compare the same pairs of prompts.
    pub(super) fn compares_same_prompts(&self, other: &Self) -> bool {
        self.prompts == other.prompts && self.n_rows == other.n_rows && self.pairs == other.pairs
    }

    /// The items that occur.
    pub(super) fn distinct_items(&self) -> BTreeSet<u32> {
        self.items.iter().copied().collect()
    }

    fn hypothesis(&self) -> &ModelRdm {
        self.hypothesis.as_ref().expect("subsets are evaluated before they are compared")
    }

    /// Whether the hypothesis of a pair between groups depends on their groups alone, and differs between pairs of groups.
    pub(super) fn is_carried_by(&self, groups: &Grouping) -> bool {
        let of = |i: usize| groups.of[self.prompts[i]];
        let mut known: HashMap<(u32, u32), Option<u64>> = HashMap::new();
        for (i, j) in self.pairs.iter().filter(|(i, j)| of(*i) != of(*j)) {
            let (g, h) = (of(i), of(j));
            let key = if self.is_rectangle || g < h { (g, h) } else { (h, g) };
            let value = self.hypothesis().value(i, j).map(f64::to_bits);
            if *known.entry(key).or_insert(value) != value {
                return false;
            }
        }
        known.values().flatten().collect::<BTreeSet<_>>().len() > 1
    }

    /// Whether the hypothesis differs between pairs of different groups.
    pub(super) fn varies_between(&self, groups: &Grouping) -> bool {
        let of = |i: usize| groups.of[self.prompts[i]];
        let between = self.pairs.iter().filter(|(i, j)| of(*i) != of(*j));
        let values = between.filter_map(|(i, j)| self.hypothesis().value(i, j)).map(f64::to_bits);
        values.collect::<BTreeSet<_>>().len() > 1
    }

    /// Decides which pairs take part and what a permutation moves.
    pub(super) fn settle(&mut self, units: &Grouping, clusters: &Grouping, within: WithinUnits) {
        self.clusters = self.prompts.iter().map(|&p| clusters.of[p]).collect();
        self.unit_labels = if self.is_carried_by(units) { UnitLabels::Shared } else { UnitLabels::ByPrompt };
        let of_task: Vec<u32> = self.prompts.iter().map(|&p| units.of[p]).collect();
        match within {
            WithinUnits::Out => {
                let between = self.pairs.positions_where(|i, j| of_task[i] != of_task[j]);
                self.pairs = self.pairs.select(&between);
                self.units = of_task;
            }
            // Rows and columns of one unit are told apart, or permuting would change nothing; so are the prompts of a
            // square's unit.
            WithinUnits::In if self.is_rectangle => {
                let side = |i: usize| u32::from(i >= self.n_rows);
                self.units =
                    number(&of_task.iter().enumerate().map(|(i, &u)| (side(i), u)).collect::<Vec<_>>());
                self.unit_labels = UnitLabels::ByPrompt;
            }
            WithinUnits::In => {
                self.units = (0..self.prompts.len() as u32).collect();
                self.unit_labels = UnitLabels::ByPrompt;
            }
        }
        let count = |range: std::ops::Range<usize>| self.units[range].iter().collect::<BTreeSet<_>>().len();
        self.n_units = match self.is_rectangle {
            true => count(0..self.n_rows).min(count(self.n_rows..self.prompts.len())),
            false => count(0..self.prompts.len()),
        };
    }
}

/// The subsets of an entry, one a condition in the task's order; prompts without states are left out.
pub(super) fn split(
    prompts: &TaskPrompts,
    items: &Grouping,
    selected: &Selected,
    is_present: &[bool],
) -> Vec<ConditionSubset> {
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
        let mut subset = build(&rows, columns.as_deref(), selected, items);
        (subset.condition, subset.name) = (c, Arc::clone(condition));
        subsets.push(subset);
    }
    subsets
}

fn build(
    rows: &[usize],
    columns: Option<&[usize]>,
    selected: &Selected,
    items: &Grouping,
) -> ConditionSubset {
    let prompts = [rows, columns.unwrap_or_default()].concat();
    let n = prompts.len();
    let pairs = match columns {
        None => PairList::upper_triangle(n),
        Some(_) => {
            let sides: (Vec<usize>, Vec<usize>) = ((0..rows.len()).collect(), (rows.len()..n).collect());
            PairList::rectangle(n, &sides.0, &sides.1).expect("rows and columns are different prompts")
        }
    };
    let blocks = block_numbers(&prompts, rows.len(), columns.is_some(), selected.blocks.as_deref());
    ConditionSubset {
        condition: 0,
        name: Arc::from(""),
        n_rows: rows.len(),
        is_rectangle: columns.is_some(),
        items: prompts.iter().map(|&p| items.of[p]).collect(),
        units: Vec::new(),
        n_units: 0,
        unit_labels: UnitLabels::ByPrompt,
        clusters: Vec::new(),
        blocks,
        pairs,
        hypothesis: None,
        rival: None,
        replicates: Vec::new(),
        nuisances: Vec::new(),
        prompts,
    }
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
