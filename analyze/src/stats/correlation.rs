//! Correlation of two quantities across rows (items, mostly), with p-values and bootstrap intervals.

use statrs::function::beta::beta_reg;

use super::bootstrap::{BootstrapSettings, ItemDesign};
use super::comparison::{center, dot, is_constant, multiply_norms};
use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::ranking::{SortedOrder, mid_ranks};
use super::resampling::bootstrap_rows;
use super::summary::{Interval, percentile_interval};

/// Which correlation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrelationKind {
    /// Of the values.
    Pearson,
    /// Of their mid-ranks.
    Spearman,
}

impl std::fmt::Display for CorrelationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
        })
    }
}

/// A correlation and its test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// In [-1, 1].
    pub estimate: f64,
    /// Two-sided, from Student's t with n - 2 degrees of freedom (for Spearman an approximation). It
    /// takes rows as independent.
    pub p_value: f64,
    /// Rows.
    pub n: usize,
}

/// Correlates two variables, row by row.
///
/// # Errors
/// [`Undefined::TooFewObservations`] for fewer than three rows, [`Undefined::ConstantValues`];
/// malformed input.
pub fn correlate(x: &[f64], y: &[f64], kind: CorrelationKind) -> Result<Correlation, NumericsError> {
    check_length("second variable", x.len(), y.len())?;
    check_finite("first variable", x)?;
    check_finite("second variable", y)?;
    let n = x.len();
    if n < 3 {
        return Err(Undefined::TooFewObservations.into());
    }
    let fit = fit(x, y, kind).ok_or(Undefined::ConstantValues)?;
    let degrees = (n - 2) as f64;
    // P(|T| > t) with t^2 = df r^2 / (1 - r^2), as an incomplete beta function of 1 - r^2.
    let p_value = beta_reg(degrees / 2.0, 0.5, fit.unexplained);
    Ok(Correlation { estimate: fit.coefficient, p_value, n })
}

/// The percentile interval of the correlation over draws of items with all of their rows.
///
/// # Errors
/// [`Undefined::TooFewDefinedResamples`]; malformed input.
pub fn bootstrap_correlation(
    x: &[f64],
    y: &[f64],
    kind: CorrelationKind,
    design: ItemDesign<'_>,
    settings: BootstrapSettings,
    confidence: f64,
) -> Result<Interval, NumericsError> {
    check_length("second variable", x.len(), y.len())?;
    check_length("items", x.len(), design.items.len())?;
    check_finite("first variable", x)?;
    check_finite("second variable", y)?;
    if kind == CorrelationKind::Spearman {
        let (x, y) = (Levels::new(x), Levels::new(y));
        let draws = bootstrap_rows(design, settings, |rows| correlate_levels(&x, &y, rows))?;
        return Ok(percentile_interval(&draws, confidence)?);
    }
    let draws = bootstrap_rows(design, settings, |rows| {
        let select = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        fit(&select(x), &select(y), kind).map(|fit| fit.coefficient)
    })?;
    Ok(percentile_interval(&draws, confidence)?)
}

/// A variable by the rank of each row's value among the distinct ones: the order of a drawn sample
/// follows by counting, so that nothing is sorted again.
struct Levels {
    level_of: Vec<u32>,
    n_levels: usize,
}

impl Levels {
    fn new(values: &[f64]) -> Self {
        let order = SortedOrder::new(values);
        Self { level_of: order.levels(), n_levels: order.n_distinct() }
    }

    /// Twice the centred mid-rank of each level among the drawn rows: a whole number.
    fn ranks(&self, rows: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.n_levels];
        rows.iter().for_each(|&row| counts[self.level_of[row] as usize] += 1.0);
        let mut below = -(rows.len() as f64);
        for count in &mut counts {
            let rank = below + *count;
            below = rank + *count;
            *count = rank;
        }
        counts
    }
}

/// Spearman's correlation among the drawn rows; `None` where a variable is constant.
fn correlate_levels(x: &Levels, y: &Levels, rows: &[usize]) -> Option<f64> {
    let (ranks_x, ranks_y) = (x.ranks(rows), y.ranks(rows));
    let (mut products, mut squares_x, mut squares_y) = (0.0, 0.0, 0.0);
    for &row in rows {
        let (a, b) = (ranks_x[x.level_of[row] as usize], ranks_y[y.level_of[row] as usize]);
        products += a * b;
        squares_x += a * a;
        squares_y += b * b;
    }
    let scale = multiply_norms(squares_x, squares_y);
    (scale > 0.0).then(|| (products / scale).clamp(-1.0, 1.0))
}

/// A correlation coefficient and the share of variance that it leaves.
struct Fit {
    coefficient: f64,
    /// 1 - r^2.
    unexplained: f64,
}

/// The fit of one variable to the other, or `None` when one is constant.
fn fit(x: &[f64], y: &[f64], kind: CorrelationKind) -> Option<Fit> {
    if is_constant(x) || is_constant(y) {
        return None;
    }
    let prepare = |values: &[f64]| {
        let mut prepared = match kind {
            CorrelationKind::Pearson => values.to_vec(),
            CorrelationKind::Spearman => mid_ranks(values),
        };
        center(&mut prepared);
        prepared
    };
    let (x, y) = (prepare(x), prepare(y));
    let (squares_x, squares_y) = (dot(&x, &x), dot(&y, &y));
    let scale = multiply_norms(squares_x, squares_y);
    // Values so close together that their squares vanish vary no more than a constant does.
    if scale == 0.0 {
        return None;
    }
    let coefficient = (dot(&x, &y) / scale).clamp(-1.0, 1.0);
    // Near |r| = 1 the residuals know 1 - r^2 to all digits; r itself has lost them.
    let (norm_x, norm_y) = (squares_x.sqrt(), squares_y.sqrt());
    let residual = |(x, y): (&f64, &f64)| (y / norm_y - coefficient * x / norm_x).powi(2);
    let unexplained = x.iter().zip(&y).map(residual).sum::<f64>().min(1.0);
    Some(Fit { coefficient, unexplained })
}
