//! The statistics of many permutations at once.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::super::comparison::{Comparison, center, compare_vectors, dot, is_constant, is_usable_measure};
use super::super::held_constant::HeldConstant;
use super::super::matrix::Matrix;
use super::super::orthonormal::{OrthonormalBasis, is_negligible};
use super::super::pairs::{ModelRdm, PairList};
use super::super::prompt_effects::PromptEffects;
use super::super::ranking::{SortedOrder, mid_ranks};
use super::labels::UnitLabels;

/// One permutation's statistics.
pub(super) struct Permuted {
    /// One per measure; `None` where undefined.
    pub(super) statistics: Vec<Option<f64>>,
    /// Whether the pairs differed from the observed ones.
    pub(super) is_remasked: bool,
}

/// What is compared.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    /// Each `[n_pairs]`.
    pub(super) measures: &'a [&'a [f64]],
    pub(super) hypothesis: &'a ModelRdm,
    /// The pairs listed.
    pub(super) pairs: &'a PairList,
    pub(super) comparison: Comparison,
    /// What measures are free of, and permuted hypotheses are freed of.
    pub(super) held: &'a HeldConstant,
}

/// What all permutations share.
pub(super) struct PermutedStatistics<'a> {
    measures: &'a [&'a [f64]],
    hypothesis: &'a ModelRdm,
    comparison: Comparison,
    held: &'a HeldConstant,
    /// Directions of the nuisances, nuisances x pairs.
    directions: Matrix,
    /// Effects of prompts that a permuted hypothesis may have; none where permutations keep it free of them.
    effects: Option<&'a PromptEffects>,
    /// Pairs in the observed statistic.
    observed: PairList,
    /// Listed pairs that are not, because the hypothesis is undefined there.
    undefined: PairList,
    /// All listed pairs.
    listed: &'a PairList,
    /// Prepared measures over the observed pairs, measures x pairs; empty unless the statistic is linear.
    prepared: Matrix,
    /// Sum of squares of each prepared measure.
    squares: Vec<f64>,
    /// Sorted measures over the listed pairs, for permutations that need new ranks.
    orders: OnceLock<Vec<SortedOrder>>,
    /// The prepared hypothesis, if permuting cannot change which of its values occur.
    complete: Option<CompleteModelRdm>,
}

impl<'a> PermutedStatistics<'a> {
    pub(super) fn new(sides: Sides<'a>, observed_positions: &[usize], labels: UnitLabels) -> Self {
        let Sides { measures, hypothesis, pairs: listed, comparison, held } = sides;
        let observed = listed.select(observed_positions);
        let undefined =
            listed.select(&listed.positions_where(|i, j| hypothesis.level(i, j) == ModelRdm::NONE));
        let prepare = |measure: &&[f64]| {
            let values: Vec<f64> = observed_positions.iter().map(|&p| measure[p]).collect();
            // What a zero row gives is reported as a constant measure.
            match is_usable_measure(&values, comparison) {
                true if held.whitening.is_some() => values,
                true => comparison.prepare(&values),
                false => vec![0.0; values.len()],
            }
        };
        let linear = if comparison.is_linear() { measures } else { &[] };
        let mut rows: Vec<Vec<f64>> = linear.par_iter().map(prepare).collect();
        let squares = rows.iter().map(|row| dot(row, row)).collect();
        if let Some(whitening) = &held.whitening {
            // The measures are whitened: once more, and products with permutations that are not are those of both whitened.
            rows.par_iter_mut().for_each(|row| *row = whitening.whiten(row));
        }
        let prepared = Matrix::from_rows(rows, observed.len());
        let is_complete = observed == PairList::upper_triangle(listed.n_prompts());
        let complete =
            is_complete.then(|| CompleteModelRdm::new(hypothesis, &observed, comparison)).flatten();
        let orders = OnceLock::new();
        let directions = Matrix::from_rows(held.basis.directions.clone(), observed.len());
        // Units that exchange prompt by prompt carry the pairs of one another along, and with them the residuals' sums.
        let effects = held.effects.as_ref().filter(|_| labels == UnitLabels::Shared);
        Self {
            measures,
            hypothesis,
            comparison,
            held,
            directions,
            effects,
            observed,
            undefined,
            listed,
            prepared,
            squares,
            orders,
            complete,
        }
    }

    /// The statistics with the labels as they are.
    pub(super) fn compute_observed(&self) -> Vec<Option<f64>> {
        let labels = (0..self.listed.n_prompts() as u32).collect();
        self.compute(vec![labels]).swap_remove(0).statistics
    }

    /// Permutations to hand to [`PermutedStatistics::compute`] at a time: enough for a good matrix product, few
    /// enough to stay near the cache. Depends on the data alone, so that results do not depend on
    /// threads.
    pub(super) fn permutations_per_block(&self) -> usize {
        ((1 << 20) / self.observed.len().max(1)).clamp(4, 64)
    }

    /// The statistics under each of the permuted labels.
    pub(super) fn compute(&self, labels: Vec<Vec<u32>>) -> Vec<Permuted> {
        let mut permuted = Matrix::zeros(labels.len(), self.observed.len());
        let mut ranker = LevelRanker::new(self.hypothesis, self.comparison);
        let columns: Vec<Column> = labels
            .iter()
            .enumerate()
            .map(|(permutation, labels)| match self.comparison.is_linear() {
                true => self.fill(labels, &mut ranker, permuted.row_mut(permutation)),
                false => Column::Remasked,
            })
            .collect();
        let products = self.prepared.times_transposed(&permuted);
        let along = self.directions.times_transposed(&permuted);
        let permutation = |(d, column): (usize, &Column)| match *column {
            Column::Remasked => self.compute_from_definition(&labels[d]),
            Column::Constant => Permuted { statistics: vec![None; self.measures.len()], is_remasked: false },
            Column::Filled { squares } => {
                let free = match (&self.held.whitening, self.effects) {
                    (Some(whitening), _) => whitening.squares(permuted.row(d)),
                    (None, Some(effects)) => effects.residual_squares(permuted.row(d)),
                    (None, None) => squares,
                };
                let explained: f64 = (0..along.n_rows()).map(|k| along.get(k, d).powi(2)).sum();
                match is_negligible(free - explained, squares) {
                    true => Permuted { statistics: vec![None; self.measures.len()], is_remasked: false },
                    false => self.scale_products(&products, d, free - explained),
                }
            }
        };
        columns.iter().enumerate().map(permutation).collect()
    }

    /// Writes the prepared permuted hypothesis over the observed pairs, if those are its pairs.
    fn fill(&self, labels: &[u32], ranker: &mut LevelRanker<'_>, row: &mut [f64]) -> Column {
        if let Some(complete) = &self.complete {
            complete.permute_into(labels, row);
            return Column::Filled { squares: complete.squares };
        }
        let level = |(i, j): (usize, usize)| self.hypothesis.level(labels[i] as usize, labels[j] as usize);
        let is_same_mask = self.undefined.iter().all(|pair| level(pair) == ModelRdm::NONE);
        if !is_same_mask || !ranker.count(self.observed.iter().map(level)) {
            return Column::Remasked;
        }
        let Some(squares) = ranker.rank() else { return Column::Constant };
        for (slot, pair) in row.iter_mut().zip(self.observed.iter()) {
            *slot = ranker.prepared[level(pair) as usize];
        }
        Column::Filled { squares }
    }

    fn scale_products(&self, products: &Matrix, permutation: usize, squares_y: f64) -> Permuted {
        let n = self.observed.len() as f64;
        let statistic = |(m, &squares_x): (usize, &f64)| {
            let scale = self.comparison.scale(n, squares_x, squares_y);
            (squares_x > 0.0).then(|| (products.get(m, permutation) / scale).clamp(-1.0, 1.0))
        };
        Permuted { statistics: self.squares.iter().enumerate().map(statistic).collect(), is_remasked: false }
    }

    /// The statistics of one permutation from the definition, whatever the mask and the comparison.
    fn compute_from_definition(&self, labels: &[u32]) -> Permuted {
        let value = |(i, j): (usize, usize)| self.hypothesis.value(labels[i] as usize, labels[j] as usize);
        let values: Vec<Option<f64>> = self.listed.iter().map(value).collect();
        let included: Vec<bool> = values.iter().map(Option::is_some).collect();
        let y: Vec<f64> = values.into_iter().flatten().collect();
        let is_remasked = self.observed.iter().any(|pair| value(pair).is_none())
            || self.undefined.iter().any(|pair| value(pair).is_some());
        let statistics = if y.is_empty() || is_constant(&y) {
            vec![None; self.measures.len()]
        } else if self.comparison.is_ranked() {
            self.compare_ranks(&included, &y)
        } else {
            self.compare_values(&included, &y)
        };
        Permuted { statistics, is_remasked }
    }

    /// Ranks each measure among the included pairs, by one pass over its sorted order.
    fn compare_ranks(&self, included: &[bool], y: &[f64]) -> Vec<Option<f64>> {
        let mut y = mid_ranks(y);
        center(&mut y);
        let orders = self.orders.get_or_init(|| self.measures.iter().map(|m| SortedOrder::new(m)).collect());
        let compare = |order: &SortedOrder| {
            let mut x = keep(&order.mid_ranks_within(included), included);
            if is_constant(&x) {
                return None;
            }
            center(&mut x);
            let scale = self.comparison.scale(x.len() as f64, dot(&x, &x), dot(&y, &y));
            Some((dot(&x, &y) / scale).clamp(-1.0, 1.0))
        };
        orders.iter().map(compare).collect()
    }

    fn compare_values(&self, included: &[bool], y: &[f64]) -> Vec<Option<f64>> {
        // On other pairs, what is held constant has to be removed from both sides anew.
        let constant = Some(vec![1.0; y.len()]).filter(|_| !self.directions.values().is_empty());
        let directions = self.held.basis.directions.iter().map(|direction| keep(direction, included));
        let basis = OrthonormalBasis::new(constant.into_iter().chain(directions));
        let free = |mut values: Vec<f64>| {
            basis.remove(&mut values);
            values
        };
        let before = dot(y, y);
        let y = free(y.to_vec());
        if self.held.needs_all_pairs() || is_negligible(dot(&y, &y), before) {
            return vec![None; self.measures.len()];
        }
        let compare = |measure: &&[f64]| {
            let x = free(keep(measure, included));
            let is_usable = is_usable_measure(&x, self.comparison);
            is_usable.then(|| compare_vectors(&x, &y, self.comparison).ok()).flatten()
        };
        self.measures.iter().map(compare).collect()
    }
}

/// The entries at included positions.
fn keep(values: &[f64], included: &[bool]) -> Vec<f64> {
    values.iter().zip(included).filter(|&(_, &keep)| keep).map(|(&value, _)| value).collect()
}

/// A hypothesis that is defined for all pairs, all of them observed: a permutation moves its values and
/// changes none, so that they are prepared once.
struct CompleteModelRdm {
    n_prompts: usize,
    /// Prepared values, `n x n`; the diagonal is never read.
    prepared: Vec<f64>,
    /// Sum of squares over the pairs.
    squares: f64,
}

impl CompleteModelRdm {
    /// `None` when the hypothesis is constant.
    fn new(hypothesis: &ModelRdm, pairs: &PairList, comparison: Comparison) -> Option<Self> {
        let mut ranker = LevelRanker::new(hypothesis, comparison);
        ranker.count(pairs.iter().map(|(i, j)| hypothesis.level(i, j)));
        let squares = ranker.rank()?;
        let n = pairs.n_prompts();
        let prepared_value = |cell: usize| ranker.prepared.get(hypothesis.level(cell / n, cell % n) as usize);
        let prepared = (0..n * n).map(|cell| prepared_value(cell).copied().unwrap_or(0.0)).collect();
        Some(Self { n_prompts: n, prepared, squares })
    }

    /// Writes the upper triangle of the permuted matrix, row-major.
    fn permute_into(&self, labels: &[u32], condensed: &mut [f64]) {
        let n = self.n_prompts;
        let mut rest = condensed;
        for (i, &label) in labels.iter().enumerate() {
            let row = &self.prepared[label as usize * n..][..n];
            let (slots, after) = rest.split_at_mut(n - 1 - i);
            slots.iter_mut().zip(&labels[i + 1..]).for_each(|(slot, &j)| *slot = row[j as usize]);
            rest = after;
        }
    }
}

/// What became of one permutation's column.
enum Column {
    /// The permuted hypothesis is defined on other pairs than the observed.
    Remasked,
    /// It is constant.
    Constant,
    /// It is in the matrix.
    Filled {
        /// Its sum of squares.
        squares: f64,
    },
}

/// Ranks a permuted hypothesis by counting how often each of its distinct values occurs.
struct LevelRanker<'a> {
    values: &'a [f64],
    comparison: Comparison,
    counts: Vec<u32>,
    /// The prepared (ranked, centred) value of each level.
    prepared: Vec<f64>,
}

impl<'a> LevelRanker<'a> {
    fn new(hypothesis: &'a ModelRdm, comparison: Comparison) -> Self {
        let values = hypothesis.distinct_values();
        Self { values, comparison, counts: vec![0; values.len()], prepared: vec![0.0; values.len()] }
    }

    /// Counts the levels; false when one is undefined.
    fn count(&mut self, levels: impl Iterator<Item = u32>) -> bool {
        self.counts.fill(0);
        for level in levels {
            match self.counts.get_mut(level as usize) {
                Some(count) => *count += 1,
                None => return false,
            }
        }
        true
    }

    /// Prepares each level and returns the sum of squares, or `None` if only one level occurs.
    fn rank(&mut self) -> Option<f64> {
        if self.counts.iter().filter(|&&count| count > 0).count() < 2 {
            return None;
        }
        let n: f64 = self.counts.iter().map(|&count| f64::from(count)).sum();
        let weighted = |(&value, &count): (&f64, &u32)| value * f64::from(count);
        let mean = self.values.iter().zip(&self.counts).map(weighted).sum::<f64>() / n;
        let (mut below, mut squares) = (0.0, 0.0);
        for (level, &count) in self.counts.iter().enumerate() {
            let count = f64::from(count);
            self.prepared[level] = match self.comparison {
                _ if self.comparison.is_uncentred() => self.values[level],
                _ if self.comparison.is_ranked() => below + (count + 1.0) / 2.0 - (n + 1.0) / 2.0,
                _ => self.values[level] - mean,
            };
            below += count;
            squares += count * self.prepared[level].powi(2);
        }
        Some(squares)
    }
}
