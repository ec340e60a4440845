//! What a caller may choose about a probe, with the defaults.

use crate::RandomStream;

/// Settings of a nested cross-validated probe.
///
/// A penalty is relative: the weight on ½‖W‖² (logistic) or ‖w‖² (ridge) is the relative penalty times
/// the mean squared singular value of the standardised training vectors,
/// `n_train · n_dimensions / min(n_train − 1, n_dimensions)`, constant dimensions not counted. The same
/// number thus means the same shrinkage for 64 prompts or 4096, and for 576 dimensions or 8192.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeSettings {
    /// Outer folds, whose held-out parts give every score.
    pub n_folds: usize,
    /// Folds inside each outer training part, which choose the penalty.
    pub n_inner_folds: usize,
    /// Plans of outer folds; scores are means over them.
    pub n_repeats: usize,
    /// Relative penalties tried by logistic probes, in any order.
    pub logistic_penalties: Vec<f64>,
    /// Relative penalties tried by ridge probes, in any order.
    pub ridge_penalties: Vec<f64>,
    /// Refits with permuted labels; 0 leaves p-values and chance levels out.
    pub n_permutations: usize,
    /// Coverage of the intervals, in (0, 1).
    pub confidence: f64,
    /// Random numbers of folds and permutations.
    pub stream: RandomStream,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            n_folds: 5,
            n_inner_folds: 3,
            n_repeats: 2,
            logistic_penalties: log_spaced(-3, 1, 1),
            ridge_penalties: log_spaced(-3, 3, 2),
            n_permutations: 200,
            confidence: 0.95,
            stream: RandomStream::new(0, &[]),
        }
    }
}

/// Powers of ten from `10^low` to `10^high`, `per_decade` steps to a decade.
fn log_spaced(low: i32, high: i32, per_decade: i32) -> Vec<f64> {
    (low * per_decade..=high * per_decade)
        .map(|step| 10f64.powf(f64::from(step) / f64::from(per_decade)))
        .collect()
}
