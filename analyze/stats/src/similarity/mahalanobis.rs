//! Mahalanobis products with a shrunk covariance, from the Gram matrix alone.
//!
//! With centred rows X (n x d), the covariance S = X'X/n and G = XX' share their non-zero eigenvalues.
//! The shrunk covariance (1-s) S + s m I, m = trace(S)/d, has the same eigenvectors, so its inverse acts
//! on the rows of X through an n x n eigendecomposition, however large d is.

use faer::Side;

use super::super::error::Undefined;
use super::super::matrix::Matrix;

/// `X C^-1 X'` for centred X with `gram = XX'`, where C is the Ledoit-Wolf covariance of its rows.
pub(super) fn whiten(gram: &Matrix, n_dimensions: usize) -> Result<Matrix, Undefined> {
    let n = gram.n_rows();
    if n == 0 {
        return Ok(gram.clone());
    }
    let decomposition =
        gram.view().self_adjoint_eigen(Side::Lower).map_err(|_| Undefined::EigendecompositionFailed)?;
    let eigenvalues: Vec<f64> =
        decomposition.S().column_vector().iter().map(|v| v.max(0.0) / n as f64).collect();
    let mean_variance = eigenvalues.iter().sum::<f64>() / n_dimensions as f64;
    if mean_variance == 0.0 {
        return Err(Undefined::NoVariance);
    }
    let shrinkage = ledoit_wolf_shrinkage(gram, &eigenvalues, n_dimensions);
    let mut scaled = Matrix::zeros(n, n);
    for i in 0..n {
        for (k, value) in scaled.row_mut(i).iter_mut().enumerate() {
            let shrunk = (1.0 - shrinkage) * eigenvalues[k] + shrinkage * mean_variance;
            // Without shrinkage a null direction of X contributes nothing.
            let factor = if shrunk > 0.0 { n as f64 * eigenvalues[k] / shrunk } else { 0.0 };
            *value = decomposition.U()[(i, k)] * factor.sqrt();
        }
    }
    Ok(scaled.times_transposed(&scaled))
}

/// The shrinkage of Ledoit & Wolf (2004), "A well-conditioned estimator for large-dimensional
/// covariance matrices", J. Multivariate Analysis 88, in [0, 1].
fn ledoit_wolf_shrinkage(gram: &Matrix, eigenvalues: &[f64], n_dimensions: usize) -> f64 {
    let (n, d) = (gram.n_rows() as f64, n_dimensions as f64);
    let trace = eigenvalues.iter().sum::<f64>();
    let squared_norm = eigenvalues.iter().map(|v| v * v).sum::<f64>();
    let fourth_moments = (0..gram.n_rows()).map(|i| gram.get(i, i).powi(2)).sum::<f64>() / n;
    let dispersion = squared_norm - trace * trace / d;
    let noise = ((fourth_moments - squared_norm) / n).min(dispersion);
    if dispersion > 0.0 { (noise / dispersion).clamp(0.0, 1.0) } else { 0.0 }
}
