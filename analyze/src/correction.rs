//! Correction of p-values: which columns of a table hold them, and which rows are one family. The procedure itself is in
//! [`hypercolumn_stats::multiple_testing`].

use crate::error::AnalyzeError;
use crate::frames::{groups, refused};
use hypercolumn_stats::multiple_testing::benjamini_hochberg;
use polars::prelude::{DataFrame, Float64Chunked, IntoColumn, NamedFrom};

/// Which column of p-values is corrected, and into which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Column of p-values.
    pub p_value: &'static str,
    /// Column of q-values.
    pub q_value: &'static str,
}

impl Correction {
    /// Of estimates.
    pub const LEVEL: Self = Self { p_value: "p_value", q_value: "q_value" };
    /// Of differences from a rival hypothesis.
    pub const RIVAL: Self = Self { p_value: "rival_p_value", q_value: "rival_q_value" };
    /// Of changes against the reference condition.
    pub const CHANGE: Self = Self { p_value: "change_p_value", q_value: "change_q_value" };
}

/// Sets q-values to the Benjamini-Hochberg correction of p-values among the rows of equal `family`.
///
/// # Errors
/// [`crate::CatalogError::Frame`] where a column is absent.
pub fn correct(mut frame: DataFrame, columns: Correction) -> Result<DataFrame, AnalyzeError> {
    let p_values: Vec<Option<f64>> =
        frame.column(columns.p_value).and_then(|c| c.f64()).map_err(refused)?.iter().collect();
    let mut q_values: Vec<Option<f64>> = vec![None; p_values.len()];
    if !p_values.is_empty() {
        for rows in groups(&frame, &["family"])?.rows {
            let of_group: Vec<Option<f64>> = rows.iter().map(|&row| p_values[row]).collect();
            rows.iter().zip(benjamini_hochberg(&of_group)).for_each(|(&row, q)| q_values[row] = q);
        }
    }
    frame
        .with_column(Float64Chunked::new(columns.q_value.into(), q_values).into_column())
        .map_err(refused)?;
    Ok(frame)
}
