//! Rows and columns of matrices brought into the engine's order.

use super::super::architecture::Linear;
use rayon::prelude::*;

/// Side of the square tiles in which a matrix is transposed.
const TILE: usize = 64;

/// An `n_in × n_out` matrix as `n_out × n_in`.
pub fn transposed(stored: &[f32], n_out: usize) -> Vec<f32> {
    let n_in = stored.len() / n_out;
    let mut out = vec![0.0; stored.len()];
    out.par_chunks_mut(TILE * n_in).enumerate().for_each(|(tile, out)| {
        let first = tile * TILE;
        for start in (0..n_in).step_by(TILE) {
            for (o, row) in out.chunks_mut(n_in).enumerate() {
                let columns = start..(start + TILE).min(n_in);
                for column in columns {
                    row[column] = stored[column * n_out + first + o];
                }
            }
        }
    });
    out
}

/// A linear map whose row i is row `from(i)` of another.
pub fn rows(linear: Linear, from: impl Fn(usize) -> usize + Sync) -> Linear {
    let Linear { weight, bias, n_out, n_in } = linear;
    let mut ordered = vec![0.0; weight.len()];
    ordered.par_chunks_mut(n_in).enumerate().for_each(|(row, out)| {
        let row = from(row);
        out.copy_from_slice(&weight[row * n_in..(row + 1) * n_in]);
    });
    let bias = bias.map(|bias| (0..n_out).map(|row| bias[from(row)]).collect());
    Linear { weight: ordered, bias, n_out, n_in }
}

/// Linear maps of the same input one above the other; all have a bias or none.
pub fn stacked<const N: usize>(parts: [Linear; N]) -> Linear {
    let n_in = parts[0].n_in;
    let n_out = parts.iter().map(|p| p.n_out).sum();
    let has_bias = parts[0].bias.is_some();
    let mut weight = vec![0.0; n_out * n_in];
    let mut rest = &mut weight[..];
    let mut bias = Vec::new();
    for part in parts {
        let (own, left) = rest.split_at_mut(part.weight.len());
        own.par_chunks_mut(TILE * n_in)
            .zip(part.weight.par_chunks(TILE * n_in))
            .for_each(|(to, from)| to.copy_from_slice(from));
        rest = left;
        bias.extend(part.bias.into_iter().flatten());
    }
    Linear { weight, bias: has_bias.then_some(bias), n_out, n_in }
}

/// Where row i of (all queries, all keys, all values) lies among rows ordered by head, then query, key, value.
pub fn per_head_row(row: usize, n_heads: usize, width: usize) -> usize {
    let (kind, within) = (row / (n_heads * width), row % (n_heads * width));
    let (head, dimension) = (within / width, within % width);
    (head * 3 + kind) * width + dimension
}

/// The row of an interleaved projection that row `row` of a rotate-half projection comes from, `width` rows a head.
pub fn interleaved_row(row: usize, width: usize) -> usize {
    let (head, dimension) = (row / width, row % width);
    let (side, pair) = (dimension / (width / 2), dimension % (width / 2));
    head * width + 2 * pair + side
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_twice_changes_nothing() {
        let (n_in, n_out) = (70, 130);
        let stored: Vec<f32> = (0..n_in * n_out).map(|v| v as f32).collect();
        let once = transposed(&stored, n_out);
        assert_eq!(once[n_in], stored[1]);
        assert_eq!(transposed(&once, n_in), stored);
    }

    #[test]
    fn rows_fused_by_head_are_parted() {
        let order: Vec<usize> = (0..12).map(|row| per_head_row(row, 2, 2)).collect();
        assert_eq!(order, [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
    }

    #[test]
    fn neighbouring_pairs_are_parted_into_halves() {
        let order: Vec<usize> = (0..8).map(|row| interleaved_row(row, 4)).collect();
        assert_eq!(order, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
