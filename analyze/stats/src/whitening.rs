//! Whitening of values of pairs: pairs that share a prompt share its noise, and are counted for less.
//!
//! If the patterns of prompts have independent noise of equal variance, the covariance of squared distances under the
//! hypothesis that all are 0 is proportional to V = 2 I + M Mᵀ, M being the incidence matrix of pairs and prompts (4 on the
//! diagonal, 1 where two pairs share a prompt; Diedrichsen et al. 2020, arXiv 2007.02789). A whitened comparison is that of
//! V^(-1/2) x with V^(-1/2) y. With the eigenvectors Q of the small matrix Mᵀ M = Q Λ Qᵀ,
//! V^(-1/2) = (I - M Q F Qᵀ Mᵀ) / √2, F = (1 - √(2 / (2 + Λ))) / Λ, for any list of pairs.

use super::comparison::dot;
use super::eigen::decompose;
use super::error::Undefined;
use super::pairs::PairList;
use super::prompt_effects::sum_by_prompt;
use faer::Mat;

/// V^(-1/2) of a list of pairs.
#[derive(Debug, Clone)]
pub(super) struct Whitening {
    pairs: PairList,
    /// Q, `[n_prompts, n_prompts]`.
    vectors: Mat<f64>,
    /// F, `[n_prompts]`.
    factors: Vec<f64>,
}

impl Whitening {
    /// # Errors
    /// [`Undefined::EigendecompositionFailed`].
    pub(super) fn new(pairs: PairList) -> Result<Self, Undefined> {
        let n = pairs.n_prompts();
        let mut gram = Mat::<f64>::zeros(n, n);
        for (i, j) in pairs.iter() {
            gram[(i, i)] += 1.0;
            gram[(j, j)] += 1.0;
            gram[(i, j)] += 1.0;
            gram[(j, i)] += 1.0;
        }
        let (values, vectors) = decompose(gram.as_ref())?;
        let largest = values.iter().fold(0.0_f64, |most, value| most.max(*value));
        let factor = |value: f64| match value > ROUNDING * largest {
            true => (1.0 - (2.0 / (2.0 + value)).sqrt()) / value,
            // Mᵀ leaves nothing along such a vector.
            false => 0.0,
        };
        let factors = values.into_iter().map(factor).collect();
        Ok(Self { pairs, vectors, factors })
    }

    /// V^(-1/2) `values`, `[n_pairs]`.
    pub(super) fn whiten(&self, values: &[f64]) -> Vec<f64> {
        let sums = sum_by_prompt(&self.pairs, values);
        let n = sums.len();
        let mut effects = vec![0.0; n];
        for (k, factor) in self.factors.iter().enumerate().filter(|(_, factor)| **factor != 0.0) {
            let column = self.vectors.col(k);
            let along: f64 = (0..n).map(|i| column[i] * sums[i]).sum::<f64>() * factor;
            (0..n).for_each(|i| effects[i] += along * column[i]);
        }
        let rest =
            values.iter().zip(self.pairs.iter()).map(|(value, (i, j))| value - effects[i] - effects[j]);
        rest.map(|value| value / std::f64::consts::SQRT_2).collect()
    }

    /// Sum of squares of V^(-1/2) `values`, `[n_pairs]`.
    pub(super) fn squares(&self, values: &[f64]) -> f64 {
        let whitened = self.whiten(values);
        dot(&whitened, &whitened)
    }
}

/// Eigenvalues below this share of the largest are rounding.
const ROUNDING: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;

    /// V^(-1/2) twice undoes V.
    #[test]
    fn whitening_twice_undoes_the_covariance() {
        let all = PairList::upper_triangle(9);
        let some = all.select(&all.positions_where(|i, j| i / 2 != j / 2 && i + j != 8));
        for pairs in [all, some] {
            let whitening = Whitening::new(pairs.clone()).unwrap();
            let values: Vec<f64> = (0..pairs.len()).map(|k| ((k * 37 % 19) as f64).sin()).collect();
            let sums = sum_by_prompt(&pairs, &values);
            let product: Vec<f64> =
                values.iter().zip(pairs.iter()).map(|(v, (i, j))| 2.0 * v + sums[i] + sums[j]).collect();
            let found = whitening.whiten(&whitening.whiten(&product));
            found.iter().zip(&values).for_each(|(f, v)| assert!((f - v).abs() < 1e-12, "{f} {v}"));
        }
    }
}
