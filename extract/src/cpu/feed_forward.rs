//! The feed-forward part of a block.

use super::elementwise::{activate, multiply_by};
use super::matrix::Matrix;
use super::product::{PackedRows, panel_width};
use super::workers::sized;
use crate::forward::profile::{Clock, Work};
use crate::model::architecture::{Activation, Linear};

/// down(activation(gate x) · up x), or down(activation(up x)) without a gate (Shazeer 2020).
pub struct FeedForward {
    activation: Activation,
    gate: Option<Matrix>,
    up: Matrix,
    down: Matrix,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub struct FeedForwardScratch {
    gate: Vec<f32>,
    up: Vec<f32>,
    packed: PackedRows,
    inner: PackedRows,
}

impl FeedForward {
    /// Packs the weights; `up` holds the gate above itself where the part is gated.
    pub fn pack(activation: Activation, is_gated: bool, up: &Linear, down: &Linear) -> Self {
        let n = down.n_in;
        let (gate, up) = if is_gated {
            (Some(Matrix::pack_rows(up, 0..n)), Matrix::pack_rows(up, n..2 * n))
        } else {
            (None, Matrix::pack(up))
        };
        Self { activation, gate, up, down: Matrix::pack(down) }
    }

    /// Takes rows of `x` (`n × d_model`) to `out` of the same shape, on the calling thread.
    ///
    /// Gate and up are multiplied panel by panel: what stands between them and their product stays in the cache.
    pub fn apply(&self, x: &[f32], out: &mut [f32], scratch: &mut FeedForwardScratch, clock: &mut Clock) {
        let n = x.len() / self.up.n_in;
        let FeedForwardScratch { packed, inner, up, gate } = scratch;
        packed.fill(x, self.up.n_in);
        let (width, d_inner) = (panel_width(), self.down.n_in);
        inner.begin(n, d_inner);
        let (up, gate) = (sized(up, n * width), sized(gate, n * width));
        for panel in 0..self.up.n_panels() {
            self.up.apply_panel(panel, packed, up);
            if let Some(matrix) = &self.gate {
                matrix.apply_panel(panel, packed, gate);
                clock.lap(Work::Linear);
                activate(self.activation, gate);
                multiply_by(up, gate);
            } else {
                clock.lap(Work::Linear);
                activate(self.activation, up);
            }
            inner.put(panel * width, up, width);
            clock.lap(Work::Elementwise);
        }
        self.down.apply(inner, out);
        let n_weights = self.up.n_weights() + self.gate.as_ref().map_or(0, Matrix::n_weights);
        clock.lap_linear(n, n_weights + self.down.n_weights());
    }
}
