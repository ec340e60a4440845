//! A weight matrix, packed once into the order in which products read it.

use super::pages::Pages;
use super::product::{Operand, PackedPanel, PackedRows, Rows, multiply, n_lanes, panel_width};
use crate::model::architecture::Linear;
use rayon::prelude::*;
use std::ops::Range;

/// A linear map `n_in → n_out`, its matrix in panels of [`panel_width`] outputs, each panel `n_in × width`.
pub struct Matrix {
    panels: Pages,
    bias: Option<Vec<f32>>,
    /// Length of a result.
    pub n_out: usize,
    /// Length of an argument.
    pub n_in: usize,
}

impl Matrix {
    /// Packs a matrix; the last panel is filled up with zeros.
    pub fn pack(linear: &Linear) -> Self {
        Self::pack_rows(linear, 0..linear.n_out)
    }

    /// Packs some rows of a matrix: a part of its outputs.
    pub fn pack_rows(linear: &Linear, rows: Range<usize>) -> Self {
        let (width, n_in, n_out) = (panel_width(), linear.n_in, rows.len());
        let mut panels = Pages::new(n_out.div_ceil(width) * width * n_in).in_large_pages();
        let weight = &linear.weight[rows.start * n_in..rows.end * n_in];
        let panels_and_rows =
            panels.values_mut().par_chunks_mut(width * n_in).zip(weight.par_chunks(width * n_in));
        panels_and_rows.for_each(|(panel, rows)| {
            for (column, row) in rows.chunks(n_in).enumerate() {
                for (k, value) in row.iter().enumerate() {
                    panel[k * width + column] = *value;
                }
            }
        });
        let bias = linear.bias.as_ref().map(|b| b[rows].to_vec());
        Self { panels, bias, n_out, n_in }
    }

    /// Number of weights, biases left out.
    pub fn n_weights(&self) -> usize {
        self.n_out * self.n_in
    }

    /// Number of panels.
    pub fn n_panels(&self) -> usize {
        self.n_out.div_ceil(panel_width())
    }

    /// y = W x + b for rows of `x` (`n × n_in`) into `out` (`n × n_out`), on the calling thread.
    pub fn apply(&self, x: &PackedRows, out: &mut [f32]) {
        for panel in 0..self.n_panels() {
            let column = panel * panel_width();
            self.multiply_panel(panel, x, &mut out[column..], self.n_out);
        }
    }

    /// The outputs of one panel into rows of [`panel_width`] values; in the last panel, fewer are meant.
    pub fn apply_panel(&self, panel: usize, x: &PackedRows, out: &mut [f32]) {
        self.multiply_panel(panel, x, out, panel_width());
    }

    fn multiply_panel(&self, panel: usize, x: &PackedRows, out: &mut [f32], stride: usize) {
        let width = panel_width();
        let column = panel * width;
        let n_columns = width.min(self.n_out - column);
        let n = x.n();
        let (values, next) = self.panels.values()[column * self.n_in..].split_at(width * self.n_in);
        let next = &next[..next.len().min(values.len())];
        let right = PackedPanel { values, len: self.n_in, step: width, vector: n_lanes() };
        let mut rows = Rows { values: &mut *out, n, stride };
        multiply(&Operand::Packed(x), &[right], &mut rows, n_columns, next);
        if let Some(bias) = &self.bias {
            for row in out.chunks_mut(stride).take(n) {
                row[..n_columns].iter_mut().zip(&bias[column..]).for_each(|(y, b)| *y += b);
            }
        }
    }
}
