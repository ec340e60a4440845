//! Ridge regression on principal components: minimises ‖y − Xw − b‖² + λ ‖w‖², as scikit-learn's `Ridge`
//! with alpha = λ. The coordinates are principal axes, so the weights of every penalty are one division
//! each: wⱼ = aⱼᵀy / (sⱼ² + λ).

use faer::Mat;

use super::pca::PcaBasis;

/// Predictions for the held-out rows of a basis, `n_test × penalties.len()`.
///
/// `target` has one value a training row.
pub(super) fn predict_ridge_path(basis: &PcaBasis, target: &[f64], penalties: &[f64]) -> Mat<f64> {
    let intercept = basis.squared_singular_values.len() - 1;
    let products: Vec<f64> = (0..=intercept)
        .map(|j| basis.train.col_as_slice(j).iter().zip(target).map(|(a, y)| a * y).sum())
        .collect();
    let mut predictions = Mat::zeros(basis.test.nrows(), penalties.len());
    for (column, &penalty) in penalties.iter().enumerate() {
        let out = predictions.col_as_slice_mut(column);
        for (j, (product, size)) in products.iter().zip(&basis.squared_singular_values).enumerate() {
            let own = if j == intercept { 0.0 } else { penalty };
            let weight = product / (size + own);
            let axis = basis.test.col_as_slice(j);
            out.iter_mut().zip(axis).for_each(|(out, a)| *out += weight * a);
        }
    }
    predictions
}
