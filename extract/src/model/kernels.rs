//! Small pieces of arithmetic on f32 slices, row-parallel, each row's result independent of its neighbours.

use candle_core::{CpuStorage, Result, Storage, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

/// Calls `read` with a contiguous CPU tensor's values, row-major.
pub fn with_values<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else {
        candle_core::bail!("expected f32 values on the CPU");
    };
    match layout.contiguous_offsets() {
        Some((start, end)) => read(&values[start..end]),
        None => candle_core::bail!("expected contiguous values"),
    }
}

/// silu(gate) · up for rows of `[gate | up]`, each half `width` wide (SwiGLU: Shazeer 2020).
pub fn swiglu(rows: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() / 2];
    out.par_chunks_mut(width).zip(rows.par_chunks(2 * width)).for_each(|(out, row)| {
        let (gate, up) = row.split_at(width);
        for ((o, g), u) in out.iter_mut().zip(gate).zip(up) {
            *o = g / (1.0 + (-g).exp()) * u;
        }
    });
    out
}

/// Cosines and sines of rotary position embedding (Su et al. 2021), for positions from 0.
#[derive(Debug)]
pub struct Rotary {
    half: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Rotary {
    /// Angles of `n_positions` positions for heads of `head_width`; angle i is position · base^(-2i/width).
    pub fn new(base: f32, head_width: usize, n_positions: usize) -> Self {
        let half = head_width / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| 1.0 / base.powf((2 * i) as f32 / head_width as f32)).collect();
        let angles = (0..n_positions).flat_map(|p| frequencies.iter().map(move |f| p as f32 * f));
        let (cosines, sines) = angles.map(|a| (a.cos(), a.sin())).unzip();
        Self { half, cosines, sines }
    }

    /// Rotates one head's vector in place: dimension i turns with dimension i + width/2.
    pub fn rotate(&self, head: &mut [f32], position: usize) {
        let at = position * self.half;
        let (low, high) = head.split_at_mut(self.half);
        for i in 0..self.half {
            let (cosine, sine) = (self.cosines[at + i], self.sines[at + i]);
            let (a, b) = (low[i], high[i]);
            low[i] = a * cosine - b * sine;
            high[i] = b * cosine + a * sine;
        }
    }
}

/// A row-major matrix view: `rows × columns`, rows `stride` values apart.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub values: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

impl View<'_> {
    fn check(&self) {
        let needed = if self.rows == 0 { 0 } else { (self.rows - 1) * self.stride + self.columns };
        assert!(self.values.len() >= needed, "a view reaches past its values");
    }
}

/// `out = scale · a · bᵀ` (a: m × k, b: n × k), row-major, on the calling thread.
pub fn multiply_transposed(out: &mut [f32], a: View, b: View, scale: f32) {
    assert_eq!(a.columns, b.columns, "inner sizes agree");
    product(out, a, (b, b.rows, 1, b.stride), scale);
}

/// `out = a · b` (a: m × k, b: k × n), row-major, on the calling thread.
pub fn multiply(out: &mut [f32], a: View, b: View) {
    assert_eq!(a.columns, b.rows, "inner sizes agree");
    product(out, a, (b, b.columns, b.stride, 1), 1.0);
}

/// The right side is given with its number of columns, its row stride and its column stride.
fn product(
    out: &mut [f32],
    a: View,
    (b, n, row_stride, column_stride): (View, usize, usize, usize),
    scale: f32,
) {
    a.check();
    b.check();
    assert!(out.len() >= a.rows * n, "the result fits");
    // SAFETY: `check` and the assertion above bound every element that these sizes and strides reach,
    // and `out` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            a.rows,
            n,
            a.columns,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.values.as_ptr(),
            1,
            a.stride as isize,
            b.values.as_ptr(),
            column_stride as isize,
            row_stride as isize,
            0.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_match_the_definition() {
        let a: Vec<f32> = (0..6).map(|v| v as f32).collect();
        let b: Vec<f32> = (0..8).map(|v| 1.0 - v as f32).collect();
        let view = |values, rows, columns, stride| View { values, rows, columns, stride };
        let mut out = vec![9.0; 4];
        multiply_transposed(&mut out, view(&a, 2, 3, 3), view(&b, 2, 3, 4), 2.0);
        let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let expected = places.map(|(i, j)| 2.0 * (0..3).map(|k| a[i * 3 + k] * b[j * 4 + k]).sum::<f32>());
        assert_eq!(out, expected);
        multiply(&mut out, view(&a, 2, 2, 3), view(&b, 2, 2, 4));
        let expected = places.map(|(i, j)| (0..2).map(|k| a[i * 3 + k] * b[k * 4 + j]).sum::<f32>());
        assert_eq!(out, expected);
    }

    #[test]
    fn a_rotation_keeps_lengths_and_depends_on_distance_alone() {
        let rotary = Rotary::new(10_000.0, 8, 64);
        let turned = |position| {
            let mut head: Vec<f32> = (1..9).map(|v| v as f32 / 9.0).collect();
            rotary.rotate(&mut head, position);
            head
        };
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let (a, b) = (dot(&turned(3), &turned(10)), dot(&turned(40), &turned(47)));
        assert!((a - b).abs() < 1e-4, "{a} against {b}");
        assert!((dot(&turned(5), &turned(5)) - dot(&turned(0), &turned(0))).abs() < 1e-5);
    }
}
