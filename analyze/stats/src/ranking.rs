//! Ranks with ties, and sorted orders that are found once and reused for every mask.
//!
//! Ties are exact equality of f64: similarity takes care that equal vectors give equal values.

/// The ascending order of a vector, with its groups of tied values.
///
/// Sorting is the only part of a ranking that costs more than one pass, and it does not depend on
/// masks, so a permutation test keeps one of these per measure.
#[derive(Debug, Clone)]
pub struct SortedOrder {
    /// Positions in ascending order of value.
    order: Vec<u32>,
    /// End (exclusive, in `order`) of each group of tied values, ascending.
    group_ends: Vec<u32>,
}

impl SortedOrder {
    /// Sorts `values` (finite, fewer than 2^32).
    pub fn new(values: &[f64]) -> Self {
        let mut keyed: Vec<(f64, u32)> = values.iter().copied().zip(0..).collect();
        keyed.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let n = keyed.len();
        let group_ends =
            (1..=n).filter(|&k| k == n || keyed[k].0 != keyed[k - 1].0).map(|k| k as u32).collect();
        Self { order: keyed.into_iter().map(|(_, position)| position).collect(), group_ends }
    }

    /// Positions in ascending order of value; ties in order of position.
    pub fn positions(&self) -> &[u32] {
        &self.order
    }

    /// Number of distinct values.
    pub fn n_distinct(&self) -> usize {
        self.group_ends.len()
    }

    /// Whether any two values are equal.
    pub fn has_ties(&self) -> bool {
        self.group_ends.len() < self.order.len()
    }

    /// The groups of tied positions, in ascending order of value.
    pub fn groups(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.group_ends.iter().map(move |&end| {
            let group = &self.order[start..end as usize];
            start = end as usize;
            group
        })
    }

    /// The index (0 for the smallest) of each position's distinct value.
    pub fn levels(&self) -> Vec<u32> {
        let mut levels = vec![0; self.order.len()];
        for (level, group) in (0..).zip(self.groups()) {
            for &position in group {
                levels[position as usize] = level;
            }
        }
        levels
    }

    /// Mid-ranks, 1-based: tied values share the mean of the ranks they span.
    pub fn mid_ranks(&self) -> Vec<f64> {
        let mut ranks = vec![0.0; self.order.len()];
        let mut below = 0.0;
        for group in self.groups() {
            let size = group.len() as f64;
            for &position in group {
                ranks[position as usize] = below + (size + 1.0) / 2.0;
            }
            below += size;
        }
        ranks
    }

    /// Mid-ranks among the positions for which `included` is true; the others get 0.
    pub fn mid_ranks_within(&self, included: &[bool]) -> Vec<f64> {
        let mut ranks = vec![0.0; self.order.len()];
        let mut below = 0.0;
        for group in self.groups() {
            let members = || group.iter().map(|&p| p as usize).filter(|&p| included[p]);
            let size = members().count() as f64;
            for position in members() {
                ranks[position] = below + (size + 1.0) / 2.0;
            }
            below += size;
        }
        ranks
    }
}

/// Mid-ranks of `values`, 1-based; tied values share the mean of the ranks they span.
pub fn mid_ranks(values: &[f64]) -> Vec<f64> {
    SortedOrder::new(values).mid_ranks()
}
