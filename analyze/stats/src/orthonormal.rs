//! An orthonormal basis of nuisance vectors, and regression on them.

use super::comparison::dot;

/// Share of a squared norm below which what is left of a vector is rounding.
const NEGLIGIBLE: f64 = 1e-20;

/// Vectors made orthonormal one after another; those that depend on earlier ones have no direction of their own.
#[derive(Debug, Clone, Default)]
pub(super) struct OrthonormalBasis {
    /// The directions, each `[n_rows]`.
    pub(super) directions: Vec<Vec<f64>>,
    /// For each vector its coordinates along the directions that existed after it, and whether it added the last one.
    vectors: Vec<Coordinates>,
}

#[derive(Debug, Clone)]
struct Coordinates {
    along: Vec<f64>,
    is_independent: bool,
}

impl OrthonormalBasis {
    /// The basis of `vectors`, each `[n_rows]`, in their order.
    pub(super) fn new(vectors: impl Iterator<Item = Vec<f64>>) -> Self {
        let mut basis = Self::default();
        for mut vector in vectors {
            let before = dot(&vector, &vector);
            let mut along = basis.remove(&mut vector);
            let left = dot(&vector, &vector);
            let is_independent = !is_negligible(left, before);
            if is_independent {
                let length = left.sqrt();
                vector.iter_mut().for_each(|v| *v /= length);
                basis.directions.push(vector);
                along.push(length);
            }
            basis.vectors.push(Coordinates { along, is_independent });
        }
        basis
    }

    /// Subtracts from `vector`, `[n_rows]`, its part along the basis, which is returned, `[n_directions]`. Two rounds, for
    /// orthogonality within rounding.
    pub(super) fn remove(&self, vector: &mut [f64]) -> Vec<f64> {
        let mut total = vec![0.0; self.directions.len()];
        for _ in 0..2 {
            for (direction, total) in self.directions.iter().zip(&mut total) {
                let along = dot(vector, direction);
                *total += along;
                vector.iter_mut().zip(direction).for_each(|(v, d)| *v -= along * d);
            }
        }
        total
    }

    /// Coefficients of the vectors in the combination of them that has these coordinates; 0 for a vector that depends on
    /// earlier ones. `[n_vectors]`.
    pub(super) fn coefficients(&self, along: &[f64]) -> Vec<f64> {
        let mut left = along.to_vec();
        let mut coefficients = vec![0.0; self.vectors.len()];
        for (coefficient, vector) in coefficients.iter_mut().zip(&self.vectors).rev() {
            if !vector.is_independent {
                continue;
            }
            let last = vector.along.len() - 1;
            *coefficient = left[last] / vector.along[last];
            left.iter_mut().zip(&vector.along).for_each(|(l, a)| *l -= *coefficient * a);
        }
        coefficients
    }
}

/// Whether what is left of a sum of squares is rounding.
pub(super) fn is_negligible(left: f64, before: f64) -> bool {
    left <= NEGLIGIBLE * before
}
