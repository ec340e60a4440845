//! Effects of single prompts on values of pairs: what a prompt adds to all of its pairs alike.
//!
//! Subtracting them from both sides turns a correlation of similarity matrices into debiased linear CKA: over all pairs of
//! different prompts the residuals are the U-centred kernel of Székely & Rizzo (2014), whose inner products are the unbiased
//! Hilbert-Schmidt criterion (Song et al. 2012; Murphy et al. 2024, arXiv 2405.01012). The least-squares form is also
//! defined where pairs within a unit are left out.

use super::comparison::dot;
use super::pairs::PairList;

/// Relative size of what the solver leaves unsolved.
const PRECISION: f64 = 1e-14;

/// The least-squares fit of one effect for each prompt to values of pairs.
#[derive(Debug, Clone)]
pub(super) struct PromptEffects {
    pairs: PairList,
    /// Number of pairs of each prompt, `[n_prompts]`.
    degrees: Vec<f64>,
}

impl PromptEffects {
    pub(super) fn new(pairs: PairList) -> Self {
        let ones = vec![1.0; pairs.len()];
        let degrees = sum_by_prompt(&pairs, &ones);
        Self { pairs, degrees }
    }

    /// Subtracts from `values`, `[n_pairs]`, what their prompts add.
    pub(super) fn remove(&self, values: &mut [f64]) {
        // The second round removes what rounding left of the first.
        for _ in 0..2 {
            let effects = self.fit(&sum_by_prompt(&self.pairs, values));
            values
                .iter_mut()
                .zip(self.pairs.iter())
                .for_each(|(value, (i, j))| *value -= effects[i] + effects[j]);
        }
    }

    /// Sum of squares of what is left of `values`, `[n_pairs]`, without the effects of prompts.
    pub(super) fn residual_squares(&self, values: &[f64]) -> f64 {
        let sums = sum_by_prompt(&self.pairs, values);
        (dot(values, values) - dot(&sums, &self.fit(&sums))).max(0.0)
    }

    /// Solves the normal equations, degrees · e + Σ over partners = sums, by conjugate gradients. The matrix of a complete
    /// triangle has two distinct eigenvalues, and that of a triangle without pairs within units of one size three, so that
    /// as many steps suffice.
    fn fit(&self, sums: &[f64]) -> Vec<f64> {
        let n = sums.len();
        let (mut effects, mut residual) = (vec![0.0; n], sums.to_vec());
        let mut direction = residual.clone();
        let mut squares = dot(&residual, &residual);
        let target = PRECISION * PRECISION * squares;
        for _ in 0..4 * n {
            if squares <= target {
                break;
            }
            let image = self.multiply(&direction);
            let curvature = dot(&direction, &image);
            if curvature <= 0.0 {
                break;
            }
            let step = squares / curvature;
            effects.iter_mut().zip(&direction).for_each(|(e, d)| *e += step * d);
            residual.iter_mut().zip(&image).for_each(|(r, i)| *r -= step * i);
            let before = std::mem::replace(&mut squares, dot(&residual, &residual));
            let ratio = squares / before;
            direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + ratio * *d);
        }
        effects
    }

    fn multiply(&self, effects: &[f64]) -> Vec<f64> {
        let mut image: Vec<f64> = self.degrees.iter().zip(effects).map(|(d, e)| d * e).collect();
        for (i, j) in self.pairs.iter() {
            image[i] += effects[j];
            image[j] += effects[i];
        }
        image
    }
}

/// For each prompt the sum over its pairs, `[n_prompts]`.
pub(super) fn sum_by_prompt(pairs: &PairList, values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; pairs.n_prompts()];
    for ((i, j), value) in pairs.iter().zip(values) {
        sums[i] += value;
        sums[j] += value;
    }
    sums
}
