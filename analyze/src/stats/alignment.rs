//! Linear centred kernel alignment (CKA), debiased.
//!
//! With more dimensions than prompts, plain CKA is large between unrelated representations. The debiased
//! form replaces the Hilbert-Schmidt criterion by its unbiased estimator, which leaves the diagonals out
//! (Song et al. 2012; Murphy et al. 2024, arXiv 2405.01012). It is 0 on average for unrelated kernels and
//! can be negative.

use super::comparison::dot;
use super::error::{NumericsError, Undefined, check_length};
use super::matrix::Matrix;
use super::pairs::{MIN_PROMPTS, ModelRdm};
use super::similarity::{Normalization, normalize};

/// Inner products of the centred vectors, n x n. `vectors` is row-major, `n_prompts` rows.
///
/// # Errors
/// As [`normalize`].
pub fn linear_kernel(vectors: &[f32], n_prompts: usize) -> Result<Matrix, NumericsError> {
    let centred = normalize(vectors, n_prompts, Normalization::Center)?;
    Ok(centred.times_transposed(&centred))
}

/// A hypothesis as a kernel, n x n; its diagonal, which debiased CKA does not read, is 0.
///
/// # Errors
/// [`Undefined::IncompleteHypothesis`] when a pair has no value.
pub fn hypothesis_kernel(hypothesis: &ModelRdm) -> Result<Matrix, Undefined> {
    let n = hypothesis.n_prompts();
    let mut kernel = Matrix::zeros(n, n);
    for i in 0..n {
        for j in (0..n).filter(|&j| j != i) {
            kernel.row_mut(i)[j] = hypothesis.value(i, j).ok_or(Undefined::IncompleteHypothesis)?;
        }
    }
    Ok(kernel)
}

/// Debiased CKA of two symmetric n x n kernels, at most 1 in absolute value.
///
/// # Errors
/// [`Undefined::TooFewPrompts`] for fewer than four; [`Undefined::ConstantMeasure`] or
/// [`Undefined::ConstantHypothesis`] when the first or second has nothing off its diagonal but row and
/// column effects; malformed input.
pub fn debiased_cka(measure: &Matrix, hypothesis: &Matrix) -> Result<f64, NumericsError> {
    let n = measure.n_rows();
    for side in [measure.n_columns(), hypothesis.n_rows(), hypothesis.n_columns()] {
        check_length("kernel", n, side)?;
    }
    if n < MIN_PROMPTS {
        return Err(Undefined::TooFewPrompts.into());
    }
    let x = center_unbiased(measure).ok_or(Undefined::ConstantMeasure)?;
    let y = center_unbiased(hypothesis).ok_or(Undefined::ConstantHypothesis)?;
    let scale = dot(&x, &x).sqrt() * dot(&y, &y).sqrt();
    Ok((dot(&x, &y) / scale).clamp(-1.0, 1.0))
}

/// U-centring (Székely & Rizzo 2014): inner products of U-centred kernels are n(n-3) times the unbiased
/// criterion. `None` when only rounding is left.
fn center_unbiased(kernel: &Matrix) -> Option<Vec<f64>> {
    let n = kernel.n_rows();
    let row_sums: Vec<f64> = (0..n).map(|i| kernel.row(i).iter().sum::<f64>() - kernel.get(i, i)).collect();
    let total: f64 = row_sums.iter().sum();
    let (few, fewer) = ((n - 1) as f64, (n - 2) as f64);
    let mut centred = vec![0.0; n * n];
    let mut raw_squares = 0.0;
    for i in 0..n {
        for j in (0..n).filter(|&j| j != i) {
            let value = kernel.get(i, j);
            raw_squares += value * value;
            centred[i * n + j] = value - (row_sums[i] + row_sums[j]) / fewer + total / (few * fewer);
        }
    }
    (dot(&centred, &centred) > 1e-20 * raw_squares).then_some(centred)
}
