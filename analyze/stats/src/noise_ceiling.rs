//! Noise ceiling: how well the true similarities, whatever they are, could be expected to fit those of one replicate
//! (Nili et al. 2014; Schütt et al. 2023).
//!
//! The upper bound compares each replicate's RDM with the one that fits all replicates best, the mean after normalization,
//! to which the replicate itself has contributed; the lower bound with the mean of the others.

use super::comparison::{Comparison, compare_vectors, dot};
use super::error::Undefined;
use super::ranking::mid_ranks;
use super::summary::mean;

/// Bounds of the best fit that any hypothesis can be expected to have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseCeiling {
    /// Mean fit of each replicate with the mean of the others.
    pub low: f64,
    /// Mean fit of each replicate with the mean of all.
    pub high: f64,
}

/// The noise ceiling of replicates, each `[n_pairs]`.
///
/// # Errors
/// [`Undefined::TooFewReplicates`] of fewer than two; [`Undefined::ConstantMeasure`] where one does not vary.
pub fn noise_ceiling(replicates: &[Vec<f64>], comparison: Comparison) -> Result<NoiseCeiling, Undefined> {
    if replicates.len() < 2 {
        return Err(Undefined::TooFewReplicates);
    }
    let normal: Vec<Vec<f64>> = replicates.iter().map(|rdm| normalize(rdm, comparison)).collect();
    let n = replicates.len() as f64;
    let n_pairs = replicates[0].len();
    let sum: Vec<f64> = (0..n_pairs).map(|k| normal.iter().map(|rdm| rdm[k]).sum()).collect();
    let all: Vec<f64> = sum.iter().map(|s| s / n).collect();
    let compare = |rdm: &[f64], pooled: &[f64]| {
        compare_vectors(rdm, pooled, comparison).map_err(|_| Undefined::ConstantMeasure)
    };
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for (rdm, own) in replicates.iter().zip(&normal) {
        let others: Vec<f64> = sum.iter().zip(own).map(|(s, o)| (s - o) / (n - 1.0)).collect();
        low.push(compare(rdm, &others)?);
        high.push(compare(rdm, &all)?);
    }
    let mean = |values: &[f64]| mean(values).ok_or(Undefined::TooFewReplicates);
    Ok(NoiseCeiling { low: mean(&low)?, high: mean(&high)? })
}

/// What a comparison makes of an RDM before it is averaged: ranks, deviations of unit variance, or unit mean square.
fn normalize(rdm: &[f64], comparison: Comparison) -> Vec<f64> {
    let mut values = match comparison {
        Comparison::Pearson | Comparison::Cosine => comparison.prepare(rdm),
        _ => return mid_ranks(rdm),
    };
    let root = (dot(&values, &values) / values.len() as f64).sqrt();
    if root > 0.0 {
        values.iter_mut().for_each(|value| *value /= root);
    }
    values
}
