//! Comparisons in which every pair has a whole-number weight, for many sets of weights at once.
//!
//! A pair's weight is the product of the weights of its two ends, as if each end had been repeated that
//! often. A bootstrap over items draws the weights; leaving a prompt out sets one of them to 0. Weighted
//! mid-ranks follow from one pass over the sorted order, so that nothing is sorted again, and eight sets
//! of weights ("lanes") go through that pass together. With whole-number weights the sums of ranks are
//! exact, so the result is that of actually repeating the prompts.

mod lanes;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::comparison::{Comparison, center, compare_vectors};
use super::ranking::SortedOrder;
pub(super) use lanes::{LANES, Lanes};

/// A pair that takes part: its two ends, as indices into the weights.
pub(super) type Ends = (u32, u32);

/// A pair as the passes read it, together in memory because sorted orders visit pairs at random.
#[derive(Clone, Copy)]
struct Pair {
    ends: Ends,
    /// Index of its hypothesis value among the distinct ones.
    level: u32,
}

impl Pair {
    /// A pair occurs once for every copy of one end with every copy of the other.
    #[inline(always)]
    fn weight(self, weights: &[Lanes]) -> Lanes {
        weights[self.ends.0 as usize] * weights[self.ends.1 as usize]
    }
}

/// Measures and a hypothesis over the same pairs, ready for any weights.
pub(super) struct WeightedComparison {
    comparison: Comparison,
    pairs: Vec<Pair>,
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
    /// Per level: twice its centred mid-rank, a whole number. Empty unless the statistic is ranked.
    ranks: Vec<Lanes>,
    /// Weighted mean of the values; 0 unless the statistic centres values.
    mean: Lanes,
    /// Sum of the weights.
    total: Lanes,
    /// Sum of the cubed weights.
    cubes: Lanes,
    /// Weighted sum of squares of the ranks or (centred) values.
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

/// One pass over all measures, in the widest vectors that the processor has. No operation is fused
/// with another, so the digits do not depend on the processor.
struct Pass<'a> {
    weighted: &'a WeightedComparison,
    weights: &'a [Lanes],
}

impl WithSimd for Pass<'_> {
    type Output = (WeightedHypothesis, Vec<Sums>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let hypothesis = self.weighted.weigh_hypothesis(self.weights);
        let mut sums = Vec::with_capacity(self.weighted.measures.len());
        for measure in &self.weighted.measures {
            sums.push(self.weighted.sum(measure, &hypothesis, self.weights));
        }
        (hypothesis, sums)
    }
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
        let pairs = ends.into_iter().zip(order.levels()).map(|(ends, level)| Pair { ends, level }).collect();
        Self { comparison, pairs, values, measures }
    }

    /// Number of measures.
    pub(super) fn n_measures(&self) -> usize {
        self.measures.len()
    }

    /// The statistic of each measure under each set of weights (`weights[end][lane]`, whole numbers);
    /// `None` where the weights leave a constant. One result a comparison, which must all be ranked
    /// unless there is one: they differ only in how the same sums are scaled.
    pub(super) fn evaluate(
        &self,
        weights: &[Lanes],
        comparisons: &[Comparison],
    ) -> Vec<Vec<[Option<f64>; LANES]>> {
        if !self.comparison.is_linear() {
            return vec![self.measures.iter().map(|m| self.repeat_and_compare(m, weights)).collect()];
        }
        let (hypothesis, sums) = Arch::new().dispatch(Pass { weighted: self, weights });
        let finish = |comparison: &Comparison| {
            let lanes =
                |sums: &Sums| std::array::from_fn(|lane| self.finish(sums, &hypothesis, lane, *comparison));
            sums.iter().map(lanes).collect()
        };
        comparisons.iter().map(finish).collect()
    }

    #[inline(always)]
    fn sum(&self, measure: &Measure, hypothesis: &WeightedHypothesis, weights: &[Lanes]) -> Sums {
        match measure {
            Measure::Sorted(order) if order.has_ties() => self.sum_tied_ranks(order, hypothesis, weights),
            Measure::Sorted(order) => self.sum_ranks(order, hypothesis, weights),
            Measure::Values(values) => self.sum_moments(values, hypothesis, weights),
        }
    }

    #[inline(always)]
    fn weigh_hypothesis(&self, weights: &[Lanes]) -> WeightedHypothesis {
        let mut level_weights = vec![Lanes::ZERO; self.values.len()];
        let mut cubes = Lanes::ZERO;
        for &pair in &self.pairs {
            let weight = pair.weight(weights);
            level_weights[pair.level as usize] += weight;
            cubes += weight * weight * weight;
        }
        let mut total = Lanes::ZERO;
        level_weights.iter().for_each(|&weight| total += weight);
        let (ranks, mean) = if self.comparison.is_ranked() {
            (rank_levels(&level_weights, total), Lanes::ZERO)
        } else {
            (Vec::new(), self.average_levels(&level_weights, total))
        };
        let (mut squares, mut n_levels) = (Lanes::ZERO, [0; LANES]);
        for (level, &weight) in level_weights.iter().enumerate() {
            let y = ranks.get(level).copied().unwrap_or_else(|| Lanes::all(self.values[level]) - mean);
            squares += weight * y * y;
            (0..LANES).for_each(|lane| n_levels[lane] += usize::from(weight[lane] > 0.0));
        }
        WeightedHypothesis { ranks, mean, total, cubes, squares, is_varied: n_levels.map(|n| n > 1) }
    }

    /// The weighted mean that Pearson subtracts; 0 for cosine.
    fn average_levels(&self, level_weights: &[Lanes], total: Lanes) -> Lanes {
        let mut sum = Lanes::ZERO;
        if self.comparison == Comparison::Pearson {
            level_weights.iter().zip(&self.values).for_each(|(&w, &value)| sum += w * Lanes::all(value));
        }
        Lanes::from_fn(|lane| sum[lane] / total[lane].max(1.0))
    }

    /// Sums of products for a measure without ties, in its ascending order.
    #[inline(always)]
    fn sum_ranks(&self, order: &SortedOrder, hypothesis: &WeightedHypothesis, weights: &[Lanes]) -> Sums {
        let mut products = Lanes::ZERO;
        // Twice the weight below, less the total: adding the pair's own weight makes it the centred rank.
        let mut rank = Lanes::ZERO - hypothesis.total;
        for &position in order.positions() {
            let pair = self.pairs[position as usize];
            let weight = pair.weight(weights);
            let x = rank + weight;
            products += weight * x * hypothesis.ranks[pair.level as usize];
            rank = x + weight;
        }
        // Only copies of one pair are tied, so the sum of squared ranks has a closed form, and where
        // the hypothesis varies there are two pairs, so that the measure varies too.
        let square = |lane: usize| (hypothesis.total[lane].powi(3) - hypothesis.cubes[lane]) / 3.0;
        Sums { products, squares: Lanes::from_fn(square), is_varied: hypothesis.is_varied }
    }

    /// [`WeightedComparison::sum_ranks`] with ties: a group shares the rank in its middle.
    #[inline(always)]
    fn sum_tied_ranks(
        &self,
        order: &SortedOrder,
        hypothesis: &WeightedHypothesis,
        weights: &[Lanes],
    ) -> Sums {
        let (mut products, mut squares) = (Lanes::ZERO, Lanes::ZERO);
        let mut rank = Lanes::ZERO - hypothesis.total;
        for group in order.groups() {
            let (mut weight, mut y) = (Lanes::ZERO, Lanes::ZERO);
            for &position in group {
                let pair = self.pairs[position as usize];
                let own = pair.weight(weights);
                weight += own;
                y += own * hypothesis.ranks[pair.level as usize];
            }
            let x = rank + weight;
            products += x * y;
            squares += weight * x * x;
            rank = x + weight;
        }
        Sums { products, squares, is_varied: squares.test(|square| square > 0.0) }
    }

    /// Weighted moments of a measure that is not ranked.
    #[inline(always)]
    fn sum_moments(&self, values: &[f64], hypothesis: &WeightedHypothesis, weights: &[Lanes]) -> Sums {
        let (mut products, mut raw_squares, mut sum) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
        for (&pair, &value) in self.pairs.iter().zip(values) {
            let x = Lanes::all(value);
            let weighted = pair.weight(weights) * x;
            products += weighted * (Lanes::all(self.values[pair.level as usize]) - hypothesis.mean);
            sum += weighted;
            raw_squares += weighted * x;
        }
        let mut squares = raw_squares;
        if self.comparison == Comparison::Pearson {
            let square =
                |lane: usize| raw_squares[lane] - sum[lane] * sum[lane] / hypothesis.total[lane].max(1.0);
            squares = Lanes::from_fn(square);
        }
        // What a constant measure leaves of its variance is rounding.
        let is_varied = std::array::from_fn(|lane| squares[lane] > 1e-12 * raw_squares[lane]);
        Sums { products, squares, is_varied }
    }

    fn finish(
        &self,
        sums: &Sums,
        hypothesis: &WeightedHypothesis,
        lane: usize,
        comparison: Comparison,
    ) -> Option<f64> {
        if !sums.is_varied[lane] || !hypothesis.is_varied[lane] {
            return None;
        }
        // Ranks were doubled on both sides.
        let unit = if comparison.is_ranked() { 4.0 } else { 1.0 };
        let (x, y) = (sums.squares[lane] / unit, hypothesis.squares[lane] / unit);
        let scale = comparison.scale(hypothesis.total[lane], x, y);
        Some((sums.products[lane] / unit / scale).clamp(-1.0, 1.0))
    }

    /// Kendall's tau from the definition: each pair repeated as often as its weight says.
    fn repeat_and_compare(&self, measure: &Measure, weights: &[Lanes]) -> [Option<f64>; LANES] {
        let Measure::Values(values) = measure else { return [None; LANES] };
        std::array::from_fn(|lane| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            for (&pair, &value) in self.pairs.iter().zip(values) {
                let n_copies = pair.weight(weights)[lane] as usize;
                x.extend(std::iter::repeat_n(value, n_copies));
                y.extend(std::iter::repeat_n(self.values[pair.level as usize], n_copies));
            }
            compare_vectors(&x, &y, self.comparison).ok()
        })
    }
}

/// Twice the centred mid-rank of each level: a whole number.
fn rank_levels(level_weights: &[Lanes], total: Lanes) -> Vec<Lanes> {
    let mut below = Lanes::ZERO - total;
    let rank = |&weight: &Lanes| {
        let rank = below + weight;
        below = rank + weight;
        rank
    };
    level_weights.iter().map(rank).collect()
}
