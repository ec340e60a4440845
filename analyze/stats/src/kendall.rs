//! Kendall's tau-a and tau-b in O(n log n): Knight (1966), "A computer method for calculating
//! Kendall's tau with ungrouped data", JASA 61.

use super::ranking::SortedOrder;

/// Numbers of pairs of observations.
pub(super) struct PairCounts {
    /// All pairs, n(n-1)/2.
    pub(super) n_pairs: i64,
    /// Concordant minus discordant pairs.
    pub(super) score: i64,
    /// Pairs tied in x.
    pub(super) tied_x: i64,
    /// Pairs tied in y.
    pub(super) tied_y: i64,
}

impl PairCounts {
    /// Counts the pairs of two finite vectors of equal length.
    pub(super) fn new(x: &[f64], y: &[f64]) -> Self {
        let mut points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
        points.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let tied_x = count_tied(points.iter().map(|p| p.0));
        let tied_both = count_tied(points.iter().copied());
        let mut ys: Vec<f64> = points.into_iter().map(|p| p.1).collect();
        let discordant = sort_counting_swaps(&mut ys);
        let tied_y = count_tied(ys.iter().copied());
        let n = x.len() as i64;
        let n_pairs = n * (n - 1) / 2;
        let score = n_pairs - tied_x - tied_y + tied_both - 2 * discordant;
        Self { n_pairs, score, tied_x, tied_y }
    }

    /// Tau-a: the score over all pairs.
    pub(super) fn tau_a(&self) -> f64 {
        self.score as f64 / self.n_pairs as f64
    }

    /// Tau-b: the score over the geometric mean of the pairs untied in x and in y.
    pub(super) fn tau_b(&self) -> f64 {
        let untied_x = (self.n_pairs - self.tied_x) as f64;
        let untied_y = (self.n_pairs - self.tied_y) as f64;
        (self.score as f64 / untied_x.sqrt() / untied_y.sqrt()).clamp(-1.0, 1.0)
    }
}

/// Pairs of equal neighbours' runs in a sorted sequence.
fn count_tied<T: PartialEq + Copy>(sorted: impl Iterator<Item = T>) -> i64 {
    let (mut total, mut run) = (0, 0);
    let mut previous = None;
    for value in sorted {
        run = if previous == Some(value) { run + 1 } else { 0 };
        total += run;
        previous = Some(value);
    }
    total
}

/// Sorts by merging and returns the number of strict inversions.
fn sort_counting_swaps(values: &mut [f64]) -> i64 {
    let n = values.len();
    let mut source = values.to_vec();
    let mut target = vec![0.0; n];
    let mut swaps = 0;
    let mut width = 1;
    while width < n {
        for start in (0..n).step_by(2 * width) {
            let middle = (start + width).min(n);
            let end = (start + 2 * width).min(n);
            swaps += merge(&source[start..middle], &source[middle..end], &mut target[start..end]);
        }
        std::mem::swap(&mut source, &mut target);
        width *= 2;
    }
    values.copy_from_slice(&source);
    swaps
}

/// Merges two sorted runs; returns how many places right-hand values jumped over left-hand ones.
fn merge(left: &[f64], right: &[f64], target: &mut [f64]) -> i64 {
    let (mut l, mut r, mut swaps) = (0, 0, 0);
    for slot in target {
        if r == right.len() || (l < left.len() && left[l] <= right[r]) {
            *slot = left[l];
            l += 1;
        } else {
            *slot = right[r];
            r += 1;
            swaps += (left.len() - l) as i64;
        }
    }
    swaps
}

/// For each row the number of other rows that agree with it in the order of both variables, less those that disagree;
/// `[n]`. O(n log n), by counting the ranks of y seen so far in a Fenwick tree while x rises and while it falls.
pub(super) fn net_concordance(x: &SortedOrder, y: &SortedOrder) -> Vec<f64> {
    let levels = y.levels();
    let groups: Vec<&[u32]> = x.groups().collect();
    let mut net = vec![0.0; levels.len()];
    // Rows with a smaller x agree where their y is smaller too; rows with a larger x where it is larger.
    for (is_rising, sign) in [(true, 1.0), (false, -1.0)] {
        let mut seen = RankCounts::new(y.n_distinct());
        let mut n_seen = 0;
        let mut visit = |group: &[u32]| {
            for &row in group {
                let level = levels[row as usize] as usize;
                let (below, up_to) = (seen.count_below(level), seen.count_below(level + 1));
                net[row as usize] += sign * (below as f64 - (n_seen - up_to) as f64);
            }
            group.iter().for_each(|&row| seen.add(levels[row as usize] as usize));
            n_seen += group.len();
        };
        match is_rising {
            true => groups.iter().for_each(|group| visit(group)),
            false => groups.iter().rev().for_each(|group| visit(group)),
        }
    }
    net
}

/// Counts of ranks with prefix sums in logarithmic time (Fenwick 1994).
struct RankCounts(Vec<usize>);

impl RankCounts {
    fn new(n_ranks: usize) -> Self {
        Self(vec![0; n_ranks + 1])
    }

    fn add(&mut self, rank: usize) {
        let mut node = rank + 1;
        while node < self.0.len() {
            self.0[node] += 1;
            node += node & node.wrapping_neg();
        }
    }

    /// Number of ranks added that are below `rank`.
    fn count_below(&self, rank: usize) -> usize {
        let (mut node, mut count) = (rank, 0);
        while node > 0 {
            count += self.0[node];
            node &= node - 1;
        }
        count
    }
}
