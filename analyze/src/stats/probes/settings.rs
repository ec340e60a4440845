//! What a caller may choose about a probe, with the defaults.

use serde::{Deserialize, Serialize};

/// Settings of a nested cross-validated probe.
///
/// A penalty is relative: the weight on ½‖W‖² (logistic) or ‖w‖² (ridge) is the relative penalty times
/// the mean squared singular value of the standardised training vectors,
/// `n_train · n_dimensions / min(n_train − 1, n_dimensions)`, constant dimensions not counted. The same
/// number thus means the same shrinkage for 64 prompts or 4096, and for 576 dimensions or 8192.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeSettings {
    /// Outer folds, whose held-out parts give every score.
    pub n_folds: usize,
    /// Folds inside each outer training part, which choose the penalty.
    pub n_inner_folds: usize,
    /// Relative penalties tried by logistic probes, in any order.
    pub logistic_penalties: Vec<f64>,
    /// Relative penalties tried by ridge probes, in any order.
    pub ridge_penalties: Vec<f64>,
    /// Label permutations; 0 leaves the p-values out.
    pub n_permutations: usize,
    /// Bootstrap draws over groups; 0 leaves the intervals out.
    pub n_bootstrap: usize,
    /// Coverage of the intervals, in (0, 1).
    pub confidence: f64,
    /// Whether to fit the control task.
    pub control: bool,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            n_folds: 5,
            n_inner_folds: 3,
            logistic_penalties: log_spaced(-4, 1, 1),
            ridge_penalties: log_spaced(-3, 3, 2),
            n_permutations: 1_000,
            n_bootstrap: 1_000,
            confidence: 0.95,
            control: true,
            seed: 0,
        }
    }
}

/// Powers of ten from `10^low` to `10^high`, `per_decade` steps to a decade.
fn log_spaced(low: i32, high: i32, per_decade: i32) -> Vec<f64> {
    (low * per_decade..=high * per_decade)
        .map(|step| 10f64.powf(f64::from(step) / f64::from(per_decade)))
        .collect()
}
