//! The `[analysis]` table of a study, and the defaults that entries of several analyses share.

use hypercolumn_schemas::Pooling;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[analysis]` table: what all analyses share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnalysisSettings {
    /// Seed of all random numbers.
    pub seed: u64,
    /// Permutations of a test of RSA; 0 leaves their p-values out.
    pub n_permutations: u32,
    /// Draws of signs of clusters, which correct changes over layers and sites, and attention over layers and heads; 0
    /// leaves these family-wise p-values out.
    pub n_bootstraps: u32,
    /// Refits of a probe to permuted targets; 0 leaves their p-values and chance levels out.
    pub n_refits: u32,
    /// Coverage of intervals, above 0 and below 1.
    pub confidence: f64,
    /// Outer folds of probes, from 2.
    pub n_folds: u32,
    /// Inner folds of probes, which choose the penalty, from 2.
    pub n_inner_folds: u32,
    /// Plans of outer folds that a probe's scores are averaged over, from 1.
    pub n_repeats: u32,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            seed: 7,
            n_permutations: 1_000,
            n_bootstraps: 500,
            n_refits: 200,
            confidence: 0.95,
            n_folds: 5,
            n_inner_folds: 3,
            n_repeats: 2,
        }
    }
}

impl AnalysisSettings {
    /// The keys whose values make no sense, each with what it accepts.
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let is_share = self.confidence > 0.0 && self.confidence < 1.0;
        let rules = [
            (is_share, "confidence", "a number above 0 and below 1"),
            (self.n_folds >= 2, "n_folds", "a whole number from 2"),
            (self.n_inner_folds >= 2, "n_inner_folds", "a whole number from 2"),
            (self.n_repeats >= 1, "n_repeats", "a whole number from 1"),
        ];
        rules.into_iter().filter(|rule| !rule.0).map(|(_, key, accepted)| (key, accepted)).collect()
    }
}

pub(crate) fn whole_prompt() -> String {
    "prompt".to_owned()
}

pub(crate) fn mean_pooling() -> Vec<Pooling> {
    vec![Pooling::Mean]
}
