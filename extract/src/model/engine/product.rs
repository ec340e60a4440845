//! The one matrix product of this program: rows times packed columns, on the calling thread.
//!
//! Every result is one chain of fused multiply-adds over the inner dimension, first to last, whatever the
//! tile it falls into and however wide the processor's vectors are. So a row's numbers are the same bit for
//! bit alone and in company, on one thread and on many: that, and reading weights in the order in which
//! they were packed, is what a general library's product does not give.

use pulp::{Arch, Simd, WithSimd};

/// Vectors of columns that a tile holds in registers.
const TILE_VECTORS: usize = 3;

/// The widest vector of any processor that [`pulp`] knows: slack that a packed buffer needs at its end.
pub const MAX_LANES: usize = 16;

/// Number of f32 in a vector of this processor.
pub fn n_lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}

/// Columns of a panel: what one tile covers.
pub fn panel_width() -> usize {
    TILE_VECTORS * n_lanes()
}

/// A part of the inner dimension of the right side: value (k, column) lies at
/// `k · step + column / lanes · vector + column % lanes`.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Length along the inner dimension.
    pub len: usize,
    /// Distance from one k to the next.
    pub step: usize,
    /// Distance from one vector of columns to the next.
    pub vector: usize,
}

/// Row-major rows of the left side or of the result, `stride` values apart.
#[derive(Debug)]
pub struct Rows<T> {
    /// The values.
    pub values: T,
    /// Number of rows.
    pub n: usize,
    /// Distance from one row to the next.
    pub stride: usize,
}

/// `out = left · right`: `n × n_columns`, where `left` is `n × (sum of the stretches' lengths)`.
///
/// Whole vectors of the right side are read, so it must have values, of any finite content, up to the next multiple
/// of [`n_lanes`] columns.
///
/// # Panics
/// If a side is shorter than the sizes say.
pub fn multiply(left: &Rows<&[f32]>, right: &[Stretch], out: &mut Rows<&mut [f32]>, n_columns: usize) {
    if out.n == 0 || n_columns == 0 {
        return;
    }
    let n_vectors = n_columns.div_ceil(n_lanes());
    let depth: usize = right.iter().map(|s| s.len).sum();
    let reach = |n: usize, stride: usize, width: usize| (n - 1) * stride + width;
    assert!(
        left.n >= out.n && left.values.len() >= reach(out.n, left.stride, depth),
        "the left side is short"
    );
    assert!(out.values.len() >= reach(out.n, out.stride, n_columns), "the result is short");
    for s in right.iter().filter(|s| s.len > 0) {
        let needed = reach(s.len, s.step, reach(n_vectors, s.vector, n_lanes()));
        assert!(s.values.len() >= needed, "the right side is short");
    }
    Arch::new().dispatch(Product { left, right, out, n_columns });
}

struct Product<'a, 'b> {
    left: &'a Rows<&'a [f32]>,
    right: &'a [Stretch<'a>],
    out: &'a mut Rows<&'b mut [f32]>,
    n_columns: usize,
}

impl WithSimd for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let n_vectors = self.n_columns.div_ceil(S::F32_LANES);
        for first in (0..n_vectors).step_by(TILE_VECTORS) {
            match n_vectors - first {
                1 => self.columns::<S, 1>(simd, first),
                2 => self.columns::<S, 2>(simd, first),
                _ => self.columns::<S, 3>(simd, first),
            }
        }
    }
}

impl Product<'_, '_> {
    /// All rows of `N` vectors of columns.
    #[inline(always)]
    fn columns<S: Simd, const N: usize>(&mut self, simd: S, first: usize) {
        let mut row = 0;
        if S::REGISTER_COUNT >= 32 {
            while self.out.n - row >= 8 {
                self.tile::<S, 8, N>(simd, row, first);
                row += 8;
            }
        }
        while self.out.n - row >= 4 {
            self.tile::<S, 4, N>(simd, row, first);
            row += 4;
        }
        match self.out.n - row {
            0 => {}
            1 => self.tile::<S, 1, N>(simd, row, first),
            2 => self.tile::<S, 2, N>(simd, row, first),
            _ => self.tile::<S, 3, N>(simd, row, first),
        }
    }

    /// `M` rows of `N` vectors of columns, in registers.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(&mut self, simd: S, row: usize, first: usize) {
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        let mut k = 0;
        for stretch in self.right {
            if stretch.len == 0 {
                continue;
            }
            // SAFETY: `multiply` asserted that rows up to `out.n` of the left side, and every vector of the
            // stretch up to `n_columns`, lie within their slices; the vectors are read unaligned.
            unsafe {
                let left = self.left.values.as_ptr().add(row * self.left.stride + k);
                let right = stretch.values.as_ptr().add(first * stretch.vector);
                for i in 0..stretch.len {
                    let at = right.add(i * stretch.step);
                    let vectors: [S::f32s; N] = std::array::from_fn(|v| {
                        at.add(v * stretch.vector).cast::<S::f32s>().read_unaligned()
                    });
                    for (m, sums) in sums.iter_mut().enumerate() {
                        let value = simd.splat_f32s(*left.add(m * self.left.stride + i));
                        for (sum, vector) in sums.iter_mut().zip(vectors) {
                            *sum = simd.mul_add_f32s(value, vector, *sum);
                        }
                    }
                }
            }
            k += stretch.len;
        }
        for (m, sums) in sums.into_iter().enumerate() {
            let start = (row + m) * self.out.stride;
            for (v, sum) in sums.into_iter().enumerate() {
                let column = (first + v) * S::F32_LANES;
                let width = S::F32_LANES.min(self.n_columns - column);
                simd.partial_store_f32s(&mut self.out.values[start + column..start + column + width], sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows in order as a packed right side of one panel.
    fn pack(rows: &[Vec<f32>], depth: usize) -> Vec<f32> {
        let width = rows.len().next_multiple_of(n_lanes());
        let mut packed = vec![0.0; depth * width];
        for (column, row) in rows.iter().enumerate() {
            for (k, value) in row.iter().enumerate() {
                packed[k * width + column] = *value;
            }
        }
        packed
    }

    #[test]
    fn a_product_is_one_chain_of_fused_multiply_adds() {
        let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 17.0;
        for (n, n_columns, depth) in [(1, 1, 1), (7, 5, 9), (8, 48, 33), (13, 51, 20), (21, 16, 64)] {
            let left: Vec<f32> = (0..n * depth).map(value).collect();
            let rows: Vec<Vec<f32>> =
                (0..n_columns).map(|c| (0..depth).map(|k| value(c * 7 + k * 13)).collect()).collect();
            let width = n_columns.next_multiple_of(n_lanes());
            let packed = pack(&rows, depth);
            let cut = depth / 3;
            let stretch = |values, len| Stretch { values, len, step: width, vector: n_lanes() };
            let right = [stretch(&packed[..], cut), stretch(&packed[cut * width..], depth - cut)];
            let mut out = vec![f32::NAN; n * n_columns];
            multiply(
                &Rows { values: &left, n, stride: depth },
                &right,
                &mut Rows { values: &mut out, n, stride: n_columns },
                n_columns,
            );
            for (i, left) in left.chunks(depth).enumerate() {
                for (j, row) in rows.iter().enumerate() {
                    let chain = left.iter().zip(row).fold(0.0f32, |sum, (a, b)| a.mul_add(*b, sum));
                    assert_eq!(out[i * n_columns + j].to_bits(), chain.to_bits(), "({i}, {j})");
                }
            }
        }
    }
}
