//! Influence functions: how much each row moves a comparison of two vectors.
//!
//! To first order an estimate on other rows differs by the mean of their influences (Hampel 1974), so that its variance
//! follows from theirs, whatever their dependence: rows may be items in clusters, or pairs of prompts that share a prompt.
//! Means, spreads, ranks and shares of ties count as estimated.

use super::comparison::{Comparison, center, dot};
use super::kendall::net_concordance;
use super::ranking::SortedOrder;

/// Influences of the rows of `x` and `y`, both `[n]`, on their comparison; `[n]`, with mean 0. Both must vary.
pub(super) fn influence(x: &[f64], y: &[f64], comparison: Comparison) -> Vec<f64> {
    let mut influences = match comparison {
        Comparison::Pearson | Comparison::Cka | Comparison::WhitenedPearson => {
            of_values(&standardized(x), &standardized(y))
        }
        Comparison::Cosine | Comparison::WhitenedCosine => of_values(&scaled(x), &scaled(y)),
        Comparison::Spearman | Comparison::RhoA => of_ranks(x, y, comparison),
        Comparison::KendallTauA | Comparison::KendallTauB => of_signs(x, y, comparison),
    };
    center(&mut influences);
    influences
}

/// The products whose mean is the comparison, less that mean; `[n]`. Where the comparison is 0 they are the influences,
/// for values as for ranks up to terms that vanish then.
pub(super) fn products(x: &[f64], y: &[f64], comparison: Comparison) -> Vec<f64> {
    let ranked = |v: &[f64]| standardized(&SortedOrder::new(v).mid_ranks());
    let (x, y) = match comparison.is_ranked() {
        true => (ranked(x), ranked(y)),
        false => (standardized(x), standardized(y)),
    };
    let mut products: Vec<f64> = x.iter().zip(&y).map(|(a, b)| a * b).collect();
    center(&mut products);
    products
}

/// Mean 0, mean square 1.
fn standardized(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    center(&mut values);
    scaled(&values)
}

/// Mean square 1.
fn scaled(values: &[f64]) -> Vec<f64> {
    let root = (dot(values, values) / values.len() as f64).sqrt();
    values.iter().map(|v| v / root).collect()
}

/// Of a mean product of values with mean square 1.
fn of_values(x: &[f64], y: &[f64]) -> Vec<f64> {
    let r = dot(x, y) / x.len() as f64;
    x.iter().zip(y).map(|(a, b)| a * b - 0.5 * r * (a * a + b * b)).collect()
}

/// What is left of one side of a partial comparison.
#[derive(Debug, Clone)]
pub(super) struct PartialSide {
    /// What nuisances leave of the prepared values, `[n]`.
    pub(super) residual: Vec<f64>,
    /// Coefficients of the nuisances, `[n_nuisances]`.
    pub(super) coefficients: Vec<f64>,
}

/// Influences on partial comparisons with one hypothesis.
///
/// Regression makes residuals orthogonal to the nuisances, so that to first order coefficients count as known, and the
/// influences are those of the residuals' correlation; under Spearman every row also moves the ranks of the others, on both
/// sides and in each nuisance.
#[derive(Debug)]
pub(super) struct PartialInfluence {
    /// Ranks of hypothesis and nuisances; `None` unless the comparison is one of ranks.
    ranked: Option<(Ranked, Vec<Ranked>)>,
}

impl PartialInfluence {
    /// Prepares the hypothesis `y`, `[n]`, and the nuisances, each `[n]`.
    pub(super) fn new(y: &[f64], nuisances: &[Vec<f64>], comparison: Comparison) -> Self {
        let rank = || (Ranked::new(y), nuisances.iter().map(|z| Ranked::new(z)).collect());
        Self { ranked: comparison.is_ranked().then(rank) }
    }

    /// Influences of the rows of the measure `values`, `[n]`, whose residuals are `x`; `[n]`, with mean 0.
    pub(super) fn of(&self, values: &[f64], x: &PartialSide, y: &PartialSide) -> Vec<f64> {
        let (u, v) = (scaled(&x.residual), scaled(&y.residual));
        let mut influences = of_values(&u, &v);
        if let Some((hypothesis, nuisances)) = &self.ranked {
            let n = values.len() as f64;
            let r = dot(&u, &v) / n;
            // Derivatives of the correlation by the ranks, as shares of n, of either side.
            let slope = |a: &[f64], b: &[f64], side: &PartialSide| -> Vec<f64> {
                let spread = (dot(&side.residual, &side.residual) / n).sqrt() / n;
                a.iter().zip(b).map(|(a, b)| (b - r * a) / spread).collect()
            };
            let (by_x, by_y) = (slope(&u, &v, x), slope(&v, &u, y));
            let mut add = |ranked: &Ranked, slopes: &[f64]| {
                let above = ranked.mean_above(slopes);
                influences.iter_mut().zip(above).for_each(|(i, a)| *i += a);
            };
            add(&Ranked::new(values), &by_x);
            add(hypothesis, &by_y);
            let coefficients = x.coefficients.iter().zip(&y.coefficients);
            for (nuisance, (of_x, of_y)) in nuisances.iter().zip(coefficients) {
                let slopes: Vec<f64> = by_x.iter().zip(&by_y).map(|(x, y)| -of_x * x - of_y * y).collect();
                add(nuisance, &slopes);
            }
        }
        center(&mut influences);
        influences
    }
}

/// One side of a rank correlation.
#[derive(Debug)]
struct Ranked {
    order: SortedOrder,
    /// Centred mid-ranks as shares of n, `[n]`.
    ranks: Vec<f64>,
}

impl Ranked {
    fn new(values: &[f64]) -> Self {
        let order = SortedOrder::new(values);
        let n = values.len() as f64;
        let ranks = order.mid_ranks().into_iter().map(|rank| rank / n - (n + 1.0) / (2.0 * n)).collect();
        Self { order, ranks }
    }

    /// For each row the mean over rows r of `weights[r]`, counted whole where this side's value of r is larger and half
    /// where it is equal: what the row adds to others' ranks.
    fn mean_above(&self, weights: &[f64]) -> Vec<f64> {
        let n = weights.len() as f64;
        let mut rest: f64 = weights.iter().sum();
        let mut means = vec![0.0; weights.len()];
        for group in self.order.groups() {
            let own: f64 = group.iter().map(|&row| weights[row as usize]).sum();
            rest -= own;
            group.iter().for_each(|&row| means[row as usize] = (rest + 0.5 * own) / n);
        }
        means
    }

    /// The variance of the ranks, and the rows' influences on it.
    fn variance(&self) -> (f64, Vec<f64>) {
        let n = self.ranks.len() as f64;
        let variance = dot(&self.ranks, &self.ranks) / n;
        let above = self.mean_above(&self.ranks);
        let mut influences: Vec<f64> = self.ranks.iter().zip(&above).map(|(r, a)| r * r + 2.0 * a).collect();
        center(&mut influences);
        (variance, influences)
    }
}

fn of_ranks(x: &[f64], y: &[f64], comparison: Comparison) -> Vec<f64> {
    let (x, y) = (Ranked::new(x), Ranked::new(y));
    let n = x.ranks.len() as f64;
    let covariance = dot(&x.ranks, &y.ranks) / n;
    let (from_x, from_y) = (x.mean_above(&y.ranks), y.mean_above(&x.ranks));
    let own = x.ranks.iter().zip(&y.ranks).map(|(a, b)| a * b);
    let mut influences: Vec<f64> =
        own.zip(from_x.iter().zip(&from_y)).map(|(own, (a, b))| own + a + b).collect();
    center(&mut influences);
    if comparison == Comparison::RhoA {
        let scale = 12.0 / (1.0 - (n * n).recip());
        return influences.into_iter().map(|i| scale * i).collect();
    }
    let ((variance_x, of_x), (variance_y, of_y)) = (x.variance(), y.variance());
    let root = (variance_x * variance_y).sqrt();
    let spreads = of_x.iter().zip(&of_y).map(|(a, b)| 0.5 * covariance * (a / variance_x + b / variance_y));
    influences.into_iter().zip(spreads).map(|(i, spread)| (i - spread) / root).collect()
}

fn of_signs(x: &[f64], y: &[f64], comparison: Comparison) -> Vec<f64> {
    let (x, y) = (SortedOrder::new(x), SortedOrder::new(y));
    let others = (x.positions().len() - 1) as f64;
    let concordance: Vec<f64> = net_concordance(&x, &y).into_iter().map(|net| net / others).collect();
    let mean = concordance.iter().sum::<f64>() / concordance.len() as f64;
    let own = concordance.iter().map(|c| 2.0 * (c - mean));
    if comparison == Comparison::KendallTauA {
        return own.collect();
    }
    let untied = |order: &SortedOrder| {
        let mut shares = vec![0.0; order.positions().len()];
        for group in order.groups() {
            let share = 1.0 - (group.len() - 1) as f64 / others;
            group.iter().for_each(|&row| shares[row as usize] = share);
        }
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        (mean, shares)
    };
    let ((untied_x, of_x), (untied_y, of_y)) = (untied(&x), untied(&y));
    let root = (untied_x * untied_y).sqrt();
    let ties = of_x.iter().zip(&of_y).map(|(a, b)| mean * (a / untied_x + b / untied_y - 2.0));
    own.zip(ties).map(|(own, ties)| (own - ties) / root).collect()
}
