//! The one matrix product of this program: rows times packed columns, on the calling thread.
//!
//! Every result is one chain of fused multiply-adds over the inner dimension, first to last, whatever the
//! tile it falls into and however wide the processor's vectors are. So a row's numbers are the same bit for
//! bit alone and in company, on one thread and on many: that, and reading weights in the order in which
//! they were packed, is what a general library's product does not give.

use pulp::{Arch, Simd, WithSimd};

/// Vectors of columns that a tile holds in registers.
const TILE_VECTORS: usize = 3;

/// How many steps of the inner dimension ahead values of the right side are asked for.
const PREFETCH_STEPS: usize = 8;

/// Values in a cache line.
const LINE: usize = 16;

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
pub struct PackedPanel<'a> {
    /// The values.
    pub values: &'a [f32],
    /// Length along the inner dimension.
    pub len: usize,
    /// Distance from one k to the next.
    pub step: usize,
    /// Distance from one vector of columns to the next.
    pub vector: usize,
}

/// Row-major rows, `stride` values apart.
#[derive(Debug)]
pub struct Rows<T> {
    /// The values.
    pub values: T,
    /// Number of rows.
    pub n: usize,
    /// Distance from one row to the next.
    pub stride: usize,
}

/// Rows of a left side in the order in which tiles read them: tile by tile, and in a tile, column by column. Worth its
/// while where many columns of the right side are multiplied.
#[derive(Debug, Default)]
pub struct PackedRows {
    values: Vec<f32>,
    n: usize,
    depth: usize,
}

impl PackedRows {
    /// Number of rows.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Packs rows of `depth` values, in place of what was here.
    pub fn fill(&mut self, rows: &[f32], depth: usize) {
        self.begin(rows.len() / depth, depth);
        self.put(0, rows, depth);
    }

    /// Makes room for `n` rows of `depth` values, of any content.
    pub fn begin(&mut self, n: usize, depth: usize) {
        (self.n, self.depth) = (n, depth);
        self.values.resize(self.values.len().max(n * depth), 0.0);
    }

    /// Puts `columns`, rows of `width` values, at the columns from `first` on; what would be past the last column is
    /// left out.
    ///
    /// # Panics
    /// If there are fewer rows than [`PackedRows::begin`] was told.
    pub fn put(&mut self, first: usize, columns: &[f32], width: usize) {
        let n_columns = width.min(self.depth - first);
        for (row, height) in tiles(self.n, tallest_tile()) {
            let start = row * self.depth + first * height;
            let packed = &mut self.values[start..start + n_columns * height];
            let columns = &columns[row * width..(row + height) * width];
            match height {
                8 => interleave::<8>(columns, width, packed),
                4 => interleave::<4>(columns, width, packed),
                3 => interleave::<3>(columns, width, packed),
                2 => interleave::<2>(columns, width, packed),
                _ => packed.copy_from_slice(&columns[..n_columns]),
            }
        }
    }
}

/// `M` rows of `width` values, value by value, as many as there is room for.
fn interleave<const M: usize>(rows: &[f32], width: usize, out: &mut [f32]) {
    let rows: [&[f32]; M] = std::array::from_fn(|m| &rows[m * width..(m + 1) * width]);
    for (k, out) in out.as_chunks_mut::<M>().0.iter_mut().enumerate() {
        *out = std::array::from_fn(|m| rows[m][k]);
    }
}

/// The left side of a product.
#[derive(Debug)]
pub enum Operand<'a> {
    /// Rows as they lie.
    Rows(Rows<&'a [f32]>),
    /// Rows that were packed.
    Packed(&'a PackedRows),
}

impl Operand<'_> {
    fn covers(&self, n: usize, depth: usize) -> bool {
        match self {
            Self::Rows(rows) => rows.n >= n && rows.values.len() >= n_values(n, rows.stride, depth),
            Self::Packed(rows) => rows.n == n && rows.depth == depth,
        }
    }
}

/// Length of a buffer that holds `n` rows of `width` values, `stride` apart; `n` is at least 1. The unchecked reads of the
/// product rely on this length, so that a size that overflows panics.
fn n_values(n: usize, stride: usize, width: usize) -> usize {
    let before_last = (n - 1).checked_mul(stride);
    before_last.and_then(|start| start.checked_add(width)).expect("a matrix fits the address space")
}

/// First row and height of the tiles that `n` rows fall into.
fn tiles(n: usize, tallest: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut row = 0;
    std::iter::from_fn(move || {
        let height = match n - row {
            0 => return None,
            left if left >= tallest => tallest,
            left if left >= 4 => 4,
            left => left,
        };
        row += height;
        Some((row - height, height))
    })
}

/// Rows of the tallest tile that fits this processor's registers.
fn tallest_tile() -> usize {
    struct Tallest;
    impl WithSimd for Tallest {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            tallest::<S>()
        }
    }
    Arch::new().dispatch(Tallest)
}

fn tallest<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
}

/// `out = left · right`: `n × n_columns`, where `left` is `n × (sum of the stretches' lengths)`.
///
/// Whole vectors of the right side are read, so it must have values, of any finite content, up to the next multiple
/// of [`n_lanes`] columns.
///
/// What the caller will multiply by `next` is fetched from memory meanwhile: with 192 rows of SmolLM2 that made products 4 %
/// faster, with 64 rows 14 %.
///
/// # Panics
/// If a side is shorter than the sizes say.
pub fn multiply(
    left: &Operand,
    right: &[PackedPanel],
    out: &mut Rows<&mut [f32]>,
    n_columns: usize,
    next: &[f32],
) {
    if out.n == 0 || n_columns == 0 {
        return;
    }
    let n_vectors = n_columns.div_ceil(n_lanes());
    let depth: usize = right.iter().map(|s| s.len).sum();
    assert!(left.covers(out.n, depth), "the left side has other sizes");
    assert!(out.values.len() >= n_values(out.n, out.stride, n_columns), "the result is short");
    for s in right.iter().filter(|s| s.len > 0) {
        let needed = n_values(s.len, s.step, n_values(n_vectors, s.vector, n_lanes()));
        assert!(s.values.len() >= needed, "the right side is short");
    }
    Arch::new().dispatch(Product { left, right, out, n_columns, depth, next });
}

struct Product<'a, 'b> {
    left: &'a Operand<'a>,
    right: &'a [PackedPanel<'a>],
    out: &'a mut Rows<&'b mut [f32]>,
    n_columns: usize,
    depth: usize,
    next: &'a [f32],
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
        let mut next = self.next.chunks(LINE * self.depth.max(1)).cycle();
        for (row, height) in tiles(self.out.n, tallest::<S>()) {
            let next = next.next();
            match height {
                8 => self.tile::<S, 8, N>(simd, row, first, next),
                4 => self.tile::<S, 4, N>(simd, row, first, next),
                3 => self.tile::<S, 3, N>(simd, row, first, next),
                2 => self.tile::<S, 2, N>(simd, row, first, next),
                _ => self.tile::<S, 1, N>(simd, row, first, next),
            }
        }
    }

    /// `M` rows of `N` vectors of columns.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        row: usize,
        first: usize,
        next: Option<&[f32]>,
    ) {
        let (left, steps) = match self.left {
            Operand::Rows(rows) => (&rows.values[row * rows.stride..], (rows.stride, 1)),
            Operand::Packed(rows) => (&rows.values[row * rows.depth..], (1, M)),
        };
        let sums = self.sums::<S, M, N>(simd, left, steps, first, next);
        for (m, sums) in sums.into_iter().enumerate() {
            let start = (row + m) * self.out.stride;
            for (v, sum) in sums.into_iter().enumerate() {
                let column = (first + v) * S::F32_LANES;
                let width = S::F32_LANES.min(self.n_columns - column);
                let out = &mut self.out.values[start + column..start + column + width];
                if width == S::F32_LANES {
                    // SAFETY: `out` has as many values as a vector; it is written unaligned.
                    unsafe { out.as_mut_ptr().cast::<S::f32s>().write_unaligned(sum) }
                } else {
                    simd.partial_store_f32s(out, sum);
                }
            }
        }
    }

    /// A tile's sums, in registers. Value (m, k) of its rows is `left[m · stride + k · step]`. A line of `next` is fetched
    /// for each k.
    #[inline(always)]
    fn sums<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        left: &[f32],
        (stride, step): (usize, usize),
        first: usize,
        next: Option<&[f32]>,
    ) -> [[S::f32s; N]; M] {
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        let (mut next, next_step) = next.map_or((left.as_ptr(), 0), |next| (next.as_ptr(), LINE));
        let mut left = left.as_ptr();
        for stretch in self.right.iter().filter(|s| s.len > 0) {
            // SAFETY: `multiply` asserted that every row and column of the left side up to the sum of the stretches'
            // lengths, and every vector of a stretch up to `n_columns`, lie within their slices; vectors are read
            // unaligned. `left` is stepped past its last value without being read there.
            unsafe {
                let mut right = stretch.values.as_ptr().add(first * stretch.vector);
                for _ in 0..stretch.len {
                    let vectors: [S::f32s; N] = std::array::from_fn(|v| {
                        let at = right.add(v * stretch.vector);
                        prefetch::<NEAR>(
                            right.wrapping_add(PREFETCH_STEPS * stretch.step + v * stretch.vector),
                        );
                        at.cast::<S::f32s>().read_unaligned()
                    });
                    for (m, sums) in sums.iter_mut().enumerate() {
                        let value = simd.splat_f32s(*left.add(m * stride));
                        for (sum, vector) in sums.iter_mut().zip(vectors) {
                            *sum = simd.mul_add_f32s(value, vector, *sum);
                        }
                    }
                    prefetch::<FAR>(next);
                    next = next.wrapping_add(next_step);
                    left = left.wrapping_add(step);
                    right = right.wrapping_add(stretch.step);
                }
            }
        }
        sums
    }
}

/// Into the nearest cache.
const NEAR: i32 = 3;
/// Into the cache behind it.
const FAR: i32 = 2;

/// Asks for the cache line at `address`, which need not exist. Panels are longer than the nearest cache, and the
/// processor's own prefetching is late for them: asking for what the next steps need made products a seventh faster.
#[inline(always)]
fn prefetch<const HINT: i32>(address: *const f32) {
    // Miri has no prefetch instruction.
    // SAFETY: prefetching reads nothing that the program sees, and cannot fault.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<HINT>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
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
        let sizes = [(1, 1, 1), (7, 5, 9), (8, 48, 33), (13, 51, 20), (21, 16, 64)];
        // Miri needs two minutes for the larger products, which reach no other code in its scalar arm.
        let n_sizes = if cfg!(miri) { 2 } else { sizes.len() };
        for (n, n_columns, depth) in sizes.into_iter().take(n_sizes) {
            let left: Vec<f32> = (0..n * depth).map(value).collect();
            let rows: Vec<Vec<f32>> =
                (0..n_columns).map(|c| (0..depth).map(|k| value(c * 7 + k * 13)).collect()).collect();
            let width = n_columns.next_multiple_of(n_lanes());
            let packed = pack(&rows, depth);
            let cut = depth / 3;
            let stretch = |values, len| PackedPanel { values, len, step: width, vector: n_lanes() };
            let right = [stretch(&packed[..], cut), stretch(&packed[cut * width..], depth - cut)];
            let mut packed_left = PackedRows::default();
            packed_left.fill(&left, depth);
            for side in
                [Operand::Rows(Rows { values: &left, n, stride: depth }), Operand::Packed(&packed_left)]
            {
                let mut out = vec![f32::NAN; n * n_columns];
                multiply(
                    &side,
                    &right,
                    &mut Rows { values: &mut out, n, stride: n_columns },
                    n_columns,
                    &packed,
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
}
