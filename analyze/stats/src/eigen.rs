//! Eigenvectors of symmetric matrices, on one thread.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, Par};
use hypercolumn_schemas::Undefined;

/// Ascending eigenvalues and eigenvectors (columns) of a symmetric matrix given by its lower triangle.
pub(super) fn decompose(matrix: MatRef<f64>) -> Result<(Vec<f64>, Mat<f64>), Undefined> {
    let n = matrix.nrows();
    let mut values = Diag::zeros(n);
    let mut vectors = Mat::zeros(n, n);
    let params = Default::default();
    let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, params);
    let mut buffer = MemBuffer::new(scratch);
    self_adjoint_evd(
        matrix,
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut buffer),
        params,
    )
    .map_err(|_| Undefined::EigendecompositionFailed)?;
    Ok((values.column_vector().iter().copied().collect(), vectors))
}
