//! How fast this machine multiplies by a model's weights, for saying beforehand how long an extraction takes.

use super::matrix::Matrix;
use super::product::PackedRows;
use crate::model::architecture::{Architecture, Linear};
use rayon::BroadcastContext;
use std::time::{Duration, Instant};

/// Rows of a product, as many as a batch has at once in each thread.
const N_ROWS: usize = 192;

/// Weights of the matrix at most: larger ones are no faster.
const MOST_WEIGHTS: usize = 1 << 22;

/// Time that each thread multiplies for, a few times over.
const TIME: Duration = Duration::from_millis(80);

/// Times of which the best counts: others may use the machine as well, for a moment.
const N_TIMES: usize = 5;

/// Operations a second, all threads together, in products of rows with a matrix as the feed-forward of `architecture` has
/// them.
pub fn product_flop_per_second(architecture: &Architecture) -> f64 {
    let n_in = architecture.shape.d_model;
    let n_out = architecture.d_mlp.min(MOST_WEIGHTS / n_in).max(1);
    let matrix = Matrix::pack(&Linear { weight: vec![0.5; n_in * n_out], bias: None, n_out, n_in });
    let multiply = |_: BroadcastContext| {
        let mut rows = PackedRows::default();
        rows.fill(&vec![0.5; N_ROWS * n_in], n_in);
        let mut out = vec![0.0; N_ROWS * n_out];
        let (started, mut n_products) = (Instant::now(), 0);
        while started.elapsed() < TIME {
            matrix.apply(&rows, &mut out);
            n_products += 1;
        }
        (2 * N_ROWS * matrix.n_weights() * n_products) as f64 / started.elapsed().as_secs_f64()
    };
    (0..N_TIMES).map(|_| rayon::broadcast(multiply).iter().sum()).fold(0.0, f64::max)
}
