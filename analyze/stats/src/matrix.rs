//! A dense row-major f64 matrix, and the one product that the rest needs.

use super::error::{NumericsError, check_length};
use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

/// A dense matrix of f64 in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    n_rows: usize,
    n_columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Wraps `values` (row-major, `n_rows * n_columns` of them).
    ///
    /// # Errors
    /// [`NumericsError::LengthMismatch`] when the count is another.
    pub fn from_row_major(n_rows: usize, n_columns: usize, values: Vec<f64>) -> Result<Self, NumericsError> {
        check_length("matrix", n_rows * n_columns, values.len())?;
        Ok(Self { n_rows, n_columns, values })
    }

    /// A matrix of zeros.
    pub(super) fn zeros(n_rows: usize, n_columns: usize) -> Self {
        Self { n_rows, n_columns, values: vec![0.0; n_rows * n_columns] }
    }

    /// Stacks rows of `n_columns` each.
    pub(super) fn from_rows(rows: Vec<Vec<f64>>, n_columns: usize) -> Self {
        let n_rows = rows.len();
        debug_assert!(rows.iter().all(|row| row.len() == n_columns));
        Self { n_rows, n_columns, values: rows.concat() }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Row `i`, `n_columns` long.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.n_columns..(i + 1) * self.n_columns]
    }

    /// Row `i`, to be changed.
    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.n_columns..(i + 1) * self.n_columns]
    }

    /// The entry at row `i`, column `j`.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.n_columns + j]
    }

    /// All entries, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// `self * other^T`, `self.n_rows x other.n_rows`.
    ///
    /// Runs on the calling thread: callers spread whole products over threads, so that the order of
    /// the sums never depends on how many there are.
    pub(super) fn times_transposed(&self, other: &Self) -> Self {
        debug_assert_eq!(self.n_columns, other.n_columns);
        let mut product = Self::zeros(self.n_rows, other.n_rows);
        let destination = MatMut::from_row_major_slice_mut(&mut product.values, self.n_rows, other.n_rows);
        matmul(destination, Accum::Replace, self.view(), other.view().transpose(), 1.0, Par::Seq);
        product
    }

    /// faer's view of the entries.
    pub(super) fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.values, self.n_rows, self.n_columns)
    }
}
