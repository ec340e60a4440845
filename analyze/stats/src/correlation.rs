//! Correlation of two quantities across rows that are independent; of rows in clusters see [`super::clusters`].

use statrs::function::beta::beta_reg;

use super::comparison::{Comparison, center, dot, is_constant, multiply_norms};
use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::ranking::mid_ranks;

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

impl From<CorrelationKind> for Comparison {
    fn from(kind: CorrelationKind) -> Self {
        match kind {
            CorrelationKind::Pearson => Self::Pearson,
            CorrelationKind::Spearman => Self::Spearman,
        }
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
