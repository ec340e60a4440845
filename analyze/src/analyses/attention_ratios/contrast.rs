//! What is tested of attention: a contrast of logarithms whose value is 0 where a query has no preference.
//!
//! The log of a sum of two masses is larger than their mean log, so that a ratio of one statement to two is below 1 without
//! any preference. Means of logs of single segments have no such shift. And position moves attention whatever a segment
//! says, so that the better comparison is a *matched control*: what the same position draws in other prompts, where the
//! segment there is not the relevant one.

use super::Key;
use super::masses::{Masses, RowPrompts};
use crate::stats::NumericsError;
use crate::stats::clusters::{ClusterEstimate, estimate_over_clusters, mean_over_clusters};
use std::collections::BTreeMap;

/// The contrasts of one row's prompts.
pub(super) struct Contrasts {
    /// By prompt: its number in the task, and its contrast.
    pub(super) of_prompts: Vec<(usize, f64)>,
    /// Mean log mass per token of control segments by position, with their deviations from it: prompt and value.
    controls: BTreeMap<u32, Control>,
    /// By prompt, its relevant segments' positions; only with controls.
    positions: Vec<Vec<u32>>,
}

struct Control {
    mean: f64,
    deviations: Vec<(usize, f64)>,
}

impl Contrasts {
    /// Contrasts of relevant with irrelevant segments, or with matched controls; `keys` are the picked segments by prompt.
    pub(super) fn new(row: &RowPrompts, keys: &[Vec<Key>], is_controlled: bool) -> Self {
        match is_controlled {
            true => Self::with_controls(row, keys),
            false => Self::within_prompts(row, keys),
        }
    }

    fn within_prompts(row: &RowPrompts, keys: &[Vec<Key>]) -> Self {
        let contrast = |masses: &Masses| {
            let keys = &keys[masses.prompt];
            let relevant = mean_log(masses, keys, |key| key.is_relevant)?;
            Some((masses.prompt, relevant - mean_log(masses, keys, |key| key.is_irrelevant)?))
        };
        let of_prompts = row.masses.iter().filter_map(contrast).collect();
        Self { of_prompts, controls: BTreeMap::new(), positions: Vec::new() }
    }

    fn with_controls(row: &RowPrompts, keys: &[Vec<Key>]) -> Self {
        let mut logs: BTreeMap<u32, Vec<(usize, f64)>> = BTreeMap::new();
        for masses in &row.masses {
            for (mass, key) in masses.of.iter().zip(&keys[masses.prompt]) {
                if key.is_control && *mass > 0.0 {
                    logs.entry(key.position).or_default().push((masses.prompt, (mass / key.n_tokens).ln()));
                }
            }
        }
        let control = |logs: Vec<(usize, f64)>| {
            let mean = logs.iter().map(|(_, log)| log).sum::<f64>() / logs.len() as f64;
            Control { mean, deviations: logs.into_iter().map(|(p, log)| (p, log - mean)).collect() }
        };
        let controls: BTreeMap<u32, Control> =
            logs.into_iter().map(|(position, logs)| (position, control(logs))).collect();
        let (mut of_prompts, mut positions) = (Vec::new(), Vec::new());
        for masses in &row.masses {
            let keys = &keys[masses.prompt];
            let relevant: Vec<u32> =
                keys.iter().filter(|key| key.is_relevant).map(|key| key.position).collect();
            let expected: Option<f64> =
                relevant.iter().map(|position| Some(controls.get(position)?.mean)).sum::<Option<f64>>();
            let (Some(expected), Some(found)) = (expected, mean_log(masses, keys, |key| key.is_relevant))
            else {
                continue;
            };
            of_prompts.push((masses.prompt, found - expected / relevant.len() as f64));
            positions.push(relevant);
        }
        Self { of_prompts, controls, positions }
    }

    /// The mean contrast with its variation over clusters, which are given by prompt of the task. The controls' means are
    /// estimates too.
    pub(super) fn estimate(&self, clusters: &[u32]) -> Result<ClusterEstimate, NumericsError> {
        let values: Vec<f64> = self.of_prompts.iter().map(|(_, value)| *value).collect();
        let own: Vec<u32> = self.of_prompts.iter().map(|(prompt, _)| clusters[*prompt]).collect();
        if self.controls.is_empty() {
            return mean_over_clusters(&values, &own);
        }
        let mean = crate::stats::summary::mean(&values).unwrap_or_default();
        let mut influences: BTreeMap<usize, f64> =
            self.of_prompts.iter().map(|(prompt, value)| (*prompt, value - mean)).collect();
        let mut weights: BTreeMap<u32, f64> = BTreeMap::new();
        for positions in &self.positions {
            for position in positions {
                *weights.entry(*position).or_default() += 1.0 / positions.len() as f64;
            }
        }
        for (position, weight) in weights {
            let Control { deviations, .. } = &self.controls[&position];
            for (prompt, deviation) in deviations {
                *influences.entry(*prompt).or_default() -= weight * deviation / deviations.len() as f64;
            }
        }
        // Prompts that only serve as controls add observations: the influences are those of a mean over all of them.
        let scale = influences.len() as f64 / values.len() as f64;
        let own: Vec<u32> = influences.keys().map(|prompt| clusters[*prompt]).collect();
        let influences: Vec<f64> = influences.into_values().map(|i| i * scale).collect();
        estimate_over_clusters(mean, &influences, &own)
    }
}

/// Mean over segments of a part of the log of mass per token; `None` where one has no mass, or there is none.
fn mean_log(masses: &Masses, keys: &[Key], is_part: impl Fn(&Key) -> bool) -> Option<f64> {
    let own = masses.of.iter().zip(keys).filter(|(_, key)| is_part(key));
    let logs: Vec<f64> =
        own.map(|(mass, key)| (*mass > 0.0).then(|| (mass / key.n_tokens).ln())).collect::<Option<_>>()?;
    crate::stats::summary::mean(&logs)
}
