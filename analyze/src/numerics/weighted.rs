//! Comparisons in which every pair has a whole-number weight, for many sets of weights at once.
//!
//! A pair's weight is the product of the weights of its two ends, as if each end had been repeated that
//! often. A bootstrap over items draws the weights; leaving a prompt out sets one of them to 0. Weighted
//! mid-ranks follow from one pass over the sorted order, so that nothing is sorted again, and eight sets
//! of weights ("lanes") go through that pass together. With whole-number weights the sums of ranks are
//! exact, so the result is that of actually repeating the prompts.

use rayon::prelude::*;

use super::comparison::{Comparison, center, compare_vectors};
use super::ranking::SortedOrder;

/// Sets of weights that are evaluated together.
pub(super) const LANES: usize = 8;

/// One number per set of weights.
pub(super) type Lanes = [f64; LANES];

/// A pair that takes part: its two ends, as indices into the weights.
pub(super) type Ends = (u32, u32);

/// Measures and a hypothesis over the same pairs, ready for any weights.
pub(super) struct WeightedComparison {
    comparison: Comparison,
    ends: Vec<Ends>,
    /// Index of each pair's hypothesis value among `values`.
    levels: Vec<u32>,
    /// The distinct values of the hypothesis, ascending.
    values: Vec<f64>,
    measures: Vec<Measure>,
}

/// A measure in the form that its comparison reads.
enum Measure {
    /// For rank statistics.
    Sorted(SortedOrder),
    /// For moments; centred unless under cosine. For Kendall's tau, as given.
    Values(Vec<f64>),
}

/// The hypothesis under one block of weights.
struct WeightedHypothesis {
    /// Per pair: weight times prepared (ranked or not, centred) hypothesis.
    weighted: Vec<Lanes>,
    /// Sum of the weights.
    total: Lanes,
    /// Weighted sum of squares of the prepared hypothesis.
    squares: Lanes,
    /// Whether two different values have weight.
    is_varied: [bool; LANES],
}

/// Sums over pairs for one measure.
struct Sums {
    products: Lanes,
    squares: Lanes,
    is_varied: [bool; LANES],
}

impl WeightedComparison {
    /// `hypothesis` and each measure are aligned with `ends` and finite.
    pub(super) fn new(
        ends: Vec<Ends>,
        hypothesis: &[f64],
        measures: Vec<Vec<f64>>,
        comparison: Comparison,
    ) -> Self {
        let order = SortedOrder::new(hypothesis);
        let values = order.groups().map(|group| hypothesis[group[0] as usize]).collect();
        let prepare = |mut values: Vec<f64>| match comparison {
            Comparison::RhoA | Comparison::Spearman => Measure::Sorted(SortedOrder::new(&values)),
            Comparison::Pearson => {
                // Near the mean, weighted moments lose few digits to cancellation.
                center(&mut values);
                Measure::Values(values)
            }
            _ => Measure::Values(values),
        };
        let measures = measures.into_par_iter().map(prepare).collect();
        Self { comparison, ends, levels: order.levels(), values, measures }
    }

    /// The statistic of each measure under each set of weights (`weights[end][lane]`, whole numbers);
    /// `None` where the weights leave a constant.
    pub(super) fn evaluate(&self, weights: &[Lanes]) -> Vec<[Option<f64>; LANES]> {
        if !self.comparison.is_linear() {
            return self.measures.iter().map(|m| self.repeat_and_compare(m, weights)).collect();
        }
        let hypothesis = self.weigh_hypothesis(weights);
        let evaluate_one = |measure: &Measure| {
            let sums = match measure {
                Measure::Sorted(order) if order.has_ties() => {
                    self.sum_tied_ranks(order, &hypothesis, weights)
                }
                Measure::Sorted(order) => self.sum_ranks(order, &hypothesis, weights),
                Measure::Values(values) => self.sum_moments(values, &hypothesis, weights),
            };
            std::array::from_fn(|lane| self.finish(&sums, &hypothesis, lane))
        };
        self.measures.iter().map(evaluate_one).collect()
    }

    fn weigh_hypothesis(&self, weights: &[Lanes]) -> WeightedHypothesis {
        let mut level_weights = vec![[0.0; LANES]; self.values.len()];
        for (&ends, &level) in self.ends.iter().zip(&self.levels) {
            add(&mut level_weights[level as usize], &pair_weight(ends, weights));
        }
        let mut total = [0.0; LANES];
        level_weights.iter().for_each(|weight| add(&mut total, weight));
        let prepared = self.prepare_levels(&level_weights, &total);
        let (mut squares, mut n_levels) = ([0.0; LANES], [0; LANES]);
        for (weight, value) in level_weights.iter().zip(&prepared) {
            for lane in 0..LANES {
                squares[lane] += weight[lane] * value[lane] * value[lane];
                n_levels[lane] += usize::from(weight[lane] > 0.0);
            }
        }
        let weigh = |(&ends, &level): (&Ends, &u32)| {
            let (weight, value) = (pair_weight(ends, weights), &prepared[level as usize]);
            std::array::from_fn(|lane| weight[lane] * value[lane])
        };
        let weighted = self.ends.iter().zip(&self.levels).map(weigh).collect();
        WeightedHypothesis { weighted, total, squares, is_varied: n_levels.map(|n| n > 1) }
    }

    /// Each level's value as the statistic sees it: twice the centred mid-rank (a whole number), or the
    /// value, centred unless under cosine.
    fn prepare_levels(&self, level_weights: &[Lanes], total: &Lanes) -> Vec<Lanes> {
        if self.comparison.is_ranked() {
            let mut below = [0.0; LANES];
            let rank = |weight: &Lanes| {
                let rank = std::array::from_fn(|lane| 2.0 * below[lane] + weight[lane] - total[lane]);
                add(&mut below, weight);
                rank
            };
            return level_weights.iter().map(rank).collect();
        }
        let mut mean = [0.0; LANES];
        if self.comparison == Comparison::Pearson {
            for (weight, value) in level_weights.iter().zip(&self.values) {
                (0..LANES).for_each(|lane| mean[lane] += weight[lane] * value / total[lane].max(1.0));
            }
        }
        self.values.iter().map(|value| mean.map(|mean| value - mean)).collect()
    }

    /// Sums of products for a measure without ties, in its ascending order.
    fn sum_ranks(&self, order: &SortedOrder, hypothesis: &WeightedHypothesis, weights: &[Lanes]) -> Sums {
        let (mut products, mut squares) = ([0.0; LANES], [0.0; LANES]);
        // Twice the weight below, less the total: adding the pair's own weight makes it the centred rank.
        let mut rank = hypothesis.total.map(|total| -total);
        for &position in order.positions() {
            let weight = pair_weight(self.ends[position as usize], weights);
            let y = &hypothesis.weighted[position as usize];
            for lane in 0..LANES {
                let x = rank[lane] + weight[lane];
                products[lane] += x * y[lane];
                squares[lane] += weight[lane] * (x * x);
                rank[lane] = x + weight[lane];
            }
        }
        Sums { products, squares, is_varied: squares.map(|s| s > 0.0) }
    }

    /// [`WeightedComparison::sum_ranks`] with ties: a group shares the rank in its middle.
    fn sum_tied_ranks(
        &self,
        order: &SortedOrder,
        hypothesis: &WeightedHypothesis,
        weights: &[Lanes],
    ) -> Sums {
        let (mut products, mut squares) = ([0.0; LANES], [0.0; LANES]);
        let mut rank = hypothesis.total.map(|total| -total);
        for group in order.groups() {
            let (mut weight, mut y) = ([0.0; LANES], [0.0; LANES]);
            for &position in group {
                add(&mut weight, &pair_weight(self.ends[position as usize], weights));
                add(&mut y, &hypothesis.weighted[position as usize]);
            }
            for lane in 0..LANES {
                let x = rank[lane] + weight[lane];
                products[lane] += x * y[lane];
                squares[lane] += weight[lane] * (x * x);
                rank[lane] = x + weight[lane];
            }
        }
        Sums { products, squares, is_varied: squares.map(|s| s > 0.0) }
    }

    /// Weighted moments of a measure that is not ranked.
    fn sum_moments(&self, values: &[f64], hypothesis: &WeightedHypothesis, weights: &[Lanes]) -> Sums {
        let (mut products, mut raw_squares, mut sum) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for ((&ends, &value), y) in self.ends.iter().zip(values).zip(&hypothesis.weighted) {
            let weight = pair_weight(ends, weights);
            for lane in 0..LANES {
                products[lane] += value * y[lane];
                sum[lane] += weight[lane] * value;
                raw_squares[lane] += weight[lane] * (value * value);
            }
        }
        let mut squares = raw_squares;
        if self.comparison == Comparison::Pearson {
            for lane in 0..LANES {
                squares[lane] -= sum[lane] * sum[lane] / hypothesis.total[lane].max(1.0);
            }
        }
        // What a constant measure leaves of its variance is rounding.
        let is_varied = std::array::from_fn(|lane| squares[lane] > 1e-12 * raw_squares[lane]);
        Sums { products, squares, is_varied }
    }

    fn finish(&self, sums: &Sums, hypothesis: &WeightedHypothesis, lane: usize) -> Option<f64> {
        if !sums.is_varied[lane] || !hypothesis.is_varied[lane] {
            return None;
        }
        // Ranks were doubled on both sides.
        let unit = if self.comparison.is_ranked() { 4.0 } else { 1.0 };
        let (x, y) = (sums.squares[lane] / unit, hypothesis.squares[lane] / unit);
        let scale = self.comparison.scale(hypothesis.total[lane], x, y);
        Some((sums.products[lane] / unit / scale).clamp(-1.0, 1.0))
    }

    /// Kendall's tau from the definition: each pair repeated as often as its weight says.
    fn repeat_and_compare(&self, measure: &Measure, weights: &[Lanes]) -> [Option<f64>; LANES] {
        let Measure::Values(values) = measure else { return [None; LANES] };
        std::array::from_fn(|lane| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for ((&ends, &value), &level) in self.ends.iter().zip(values).zip(&self.levels) {
                let n_copies = pair_weight(ends, weights)[lane] as usize;
                x.extend(std::iter::repeat_n(value, n_copies));
                y.extend(std::iter::repeat_n(self.values[level as usize], n_copies));
            }
            compare_vectors(&x, &y, self.comparison).ok()
        })
    }
}

/// A pair occurs once for every copy of one end with every copy of the other.
fn pair_weight(ends: Ends, weights: &[Lanes]) -> Lanes {
    let (a, b) = (&weights[ends.0 as usize], &weights[ends.1 as usize]);
    std::array::from_fn(|lane| a[lane] * b[lane])
}

fn add(sum: &mut Lanes, term: &Lanes) {
    sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += term);
}
