//! Ridge regression on rotated coordinates: minimises ‖y − Xw − b‖² + λ ‖w‖², as scikit-learn's `Ridge`
//! with alpha = λ. The coordinates are principal axes, so the weights of every penalty are one division
//! each: wⱼ = aⱼᵀy / (sⱼ² + λ).

use faer::Mat;

use super::rotation::Rotation;

/// Predictions for the held-out rows of a rotation, `n_test × penalties.len()`.
///
/// `target` has one value a training row.
pub(super) fn predict_ridge_path(rotation: &Rotation, target: &[f64], penalties: &[f64]) -> Mat<f64> {
    let intercept = rotation.spectrum.len() - 1;
    let products: Vec<f64> = (0..=intercept)
        .map(|j| rotation.train.col_as_slice(j).iter().zip(target).map(|(a, y)| a * y).sum())
        .collect();
    let mut predictions = Mat::zeros(rotation.test.nrows(), penalties.len());
    for (column, &penalty) in penalties.iter().enumerate() {
        let out = predictions.col_as_slice_mut(column);
        for (j, (product, size)) in products.iter().zip(&rotation.spectrum).enumerate() {
            let own = if j == intercept { 0.0 } else { penalty };
            let weight = product / (size + own);
            let axis = rotation.test.col_as_slice(j);
            out.iter_mut().zip(axis).for_each(|(out, a)| *out += weight * a);
        }
    }
    predictions
}
