//! Which pairs of prompts take part in a comparison, and what the hypothesis says about each.
//!
//! Prompts are numbered from 0 within one condition. A measure is a vector aligned with a
//! [`PairList`]; a [`ModelRdm`] is a symmetric matrix, because permuting prompt labels asks for its
//! value at pairs other than the listed ones.

use super::error::{NumericsError, Undefined, check_finite, check_length, check_range};
use super::ranking::SortedOrder;

/// Fewest prompts for which a comparison of similarity matrices is defined.
pub const MIN_PROMPTS: usize = 4;

/// An ordered list of pairs among `n_prompts` prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairList {
    n_prompts: usize,
    pairs: Vec<(u32, u32)>,
}

impl PairList {
    /// All pairs `i < j` in row-major order: the order of a condensed matrix.
    pub fn upper_triangle(n_prompts: usize) -> Self {
        let n = n_prompts as u32;
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
        Self { n_prompts, pairs }
    }

    /// All pairs of a row prompt with a column prompt, row-major.
    ///
    /// # Errors
    /// [`NumericsError::OutOfRange`]; [`NumericsError::SelfPair`] when a prompt is on both sides.
    pub fn rectangle(n_prompts: usize, rows: &[usize], columns: &[usize]) -> Result<Self, NumericsError> {
        Self::from_pairs(n_prompts, rows.iter().flat_map(|&r| columns.iter().map(move |&c| (r, c))))
    }

    /// The pairs as given.
    ///
    /// # Errors
    /// [`NumericsError::OutOfRange`]; [`NumericsError::SelfPair`].
    pub fn from_pairs(
        n_prompts: usize,
        pairs: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self, NumericsError> {
        let check = |(i, j): (usize, usize)| {
            check_range("prompt", [i, j], n_prompts)?;
            if i == j { Err(NumericsError::SelfPair { index: i }) } else { Ok((i as u32, j as u32)) }
        };
        let pairs = pairs.into_iter().map(check).collect::<Result<_, _>>()?;
        Ok(Self { n_prompts, pairs })
    }

    /// Number of prompts that the pairs are numbered among.
    pub fn n_prompts(&self) -> usize {
        self.n_prompts
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, usize)> + Clone + '_ {
        self.pairs.iter().map(|&(i, j)| (i as usize, j as usize))
    }

    /// Positions of the pairs for which `keep` holds.
    pub fn positions_where(&self, mut keep: impl FnMut(usize, usize) -> bool) -> Vec<usize> {
        self.iter().enumerate().filter(|&(_, (i, j))| keep(i, j)).map(|(p, _)| p).collect()
    }

    /// The pairs at `positions`, in that order.
    pub fn select(&self, positions: &[usize]) -> Self {
        Self { n_prompts: self.n_prompts, pairs: positions.iter().map(|&p| self.pairs[p]).collect() }
    }

    /// The pairs whose prompts belong to different items (`items[prompt]` is an item number).
    ///
    /// # Errors
    /// [`NumericsError::LengthMismatch`] unless there is one item number per prompt.
    pub fn without_same_item(&self, items: &[u32]) -> Result<Self, NumericsError> {
        check_length("items", self.n_prompts, items.len())?;
        Ok(self.select(&self.positions_where(|i, j| items[i] != items[j])))
    }

    /// The entries of a condensed upper triangle (length n(n-1)/2) at these pairs: the measure that
    /// goes with this list.
    ///
    /// # Errors
    /// [`NumericsError::LengthMismatch`].
    pub fn gather(&self, condensed: &[f64]) -> Result<Vec<f64>, NumericsError> {
        let n = self.n_prompts;
        check_length("condensed matrix", n * n.saturating_sub(1) / 2, condensed.len())?;
        Ok(self.iter().map(|(i, j)| condensed[condensed_index(n, i, j)]).collect())
    }

    /// Number of distinct prompts in the pairs.
    pub fn n_distinct_prompts(&self) -> usize {
        let mut seen = vec![false; self.n_prompts];
        for (i, j) in self.iter() {
            seen[i] = true;
            seen[j] = true;
        }
        seen.into_iter().filter(|&s| s).count()
    }

    /// Refuses lists that no statistic is defined on.
    pub(super) fn check_enough(&self) -> Result<(), Undefined> {
        if self.is_empty() {
            return Err(if self.n_prompts < MIN_PROMPTS {
                Undefined::TooFewPrompts
            } else {
                Undefined::NoPairs
            });
        }
        if self.n_distinct_prompts() < MIN_PROMPTS { Err(Undefined::TooFewPrompts) } else { Ok(()) }
    }
}

/// Position of the pair `{i, j}`, `i != j`, in the condensed upper triangle of an `n x n` matrix.
pub fn condensed_index(n: usize, i: usize, j: usize) -> usize {
    let (low, high) = if i < j { (i, j) } else { (j, i) };
    low * (2 * n - low - 1) / 2 + (high - low - 1)
}

/// A hypothesis: for each unordered pair of prompts a finite number (larger = expected more alike), or
/// nothing where it has no opinion. Self-pairs are never defined.
///
/// Stored as the index of each pair's value among the distinct values, which makes ranking a count.
#[derive(Debug, Clone)]
pub struct ModelRdm {
    n_prompts: usize,
    /// `n_prompts x n_prompts`, symmetric; [`ModelRdm::NONE`] where undefined.
    levels: Vec<u32>,
    /// The distinct values, ascending.
    values: Vec<f64>,
}

impl ModelRdm {
    /// The level of a pair that the hypothesis says nothing about.
    pub(super) const NONE: u32 = u32::MAX;

    /// Builds the matrix from pairs and their values; a pair not given is undefined, and of a pair
    /// given twice (in either order) the last value counts.
    ///
    /// # Errors
    /// [`NumericsError::OutOfRange`], [`NumericsError::SelfPair`], and [`NumericsError::NonFinite`]
    /// (an undefined value is `None`, not NaN).
    pub fn from_pairs(
        n_prompts: usize,
        entries: impl IntoIterator<Item = (usize, usize, Option<f64>)>,
    ) -> Result<Self, NumericsError> {
        let entries: Vec<_> = entries.into_iter().collect();
        let pairs = PairList::from_pairs(n_prompts, entries.iter().map(|&(i, j, _)| (i, j)))?;
        let values: Vec<Option<f64>> = entries.iter().map(|&(_, _, value)| value).collect();
        Self::on_pairs(&pairs, &values)
    }

    /// Builds the matrix from values aligned with `pairs`.
    ///
    /// # Errors
    /// As [`ModelRdm::from_pairs`], and [`NumericsError::LengthMismatch`].
    pub fn on_pairs(pairs: &PairList, values: &[Option<f64>]) -> Result<Self, NumericsError> {
        check_length("hypothesis", pairs.len(), values.len())?;
        let defined: Vec<f64> = values.iter().filter_map(|&value| value).collect();
        check_finite("hypothesis", &defined)?;
        let order = SortedOrder::new(&defined);
        let distinct = order.groups().map(|group| defined[group[0] as usize]).collect();
        let mut defined_levels = order.levels().into_iter();
        let n = pairs.n_prompts();
        let mut levels = vec![Self::NONE; n * n];
        for ((i, j), value) in pairs.iter().zip(values) {
            let level = value.and_then(|_| defined_levels.next()).unwrap_or(Self::NONE);
            levels[i * n + j] = level;
            levels[j * n + i] = level;
        }
        Ok(Self { n_prompts: n, levels, values: distinct })
    }

    /// Number of prompts.
    pub fn n_prompts(&self) -> usize {
        self.n_prompts
    }

    /// The value for the pair `{i, j}`, or `None` where the hypothesis has no opinion.
    pub fn value(&self, i: usize, j: usize) -> Option<f64> {
        self.values.get(self.level(i, j) as usize).copied()
    }

    /// The distinct values, ascending.
    pub fn distinct_values(&self) -> &[f64] {
        &self.values
    }

    /// Index of the pair's value among the distinct values, or [`ModelRdm::NONE`].
    pub(super) fn level(&self, i: usize, j: usize) -> u32 {
        self.levels[i * self.n_prompts + j]
    }

    /// Positions in `pairs` at which the hypothesis is defined.
    pub fn defined_positions(&self, pairs: &PairList) -> Vec<usize> {
        pairs.positions_where(|i, j| self.level(i, j) != Self::NONE)
    }
}
