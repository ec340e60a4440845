//! What is tested of attention: a contrast of logarithms whose value is 0 where a query has no preference.
//!
//! The log of a sum of two masses is larger than their mean log, so that a ratio of one statement to two is below 1 without
//! any preference. Means of logs of single segments have no such shift. And position moves attention whatever a segment
//! says, so that the better comparison is a *matched control*: what the same position draws in other prompts, where the
//! segment there is not the relevant one. The means of controls are estimates too, so that their prompts contribute to the
//! variance of a contrast and of its change.

use super::Key;
use super::masses::{Masses, RowPrompts};
use crate::stats::clusters::{ClusterEstimate, estimate_over_clusters};
use crate::stats::sign_flips::Contributions;
use crate::stats::{NumericsError, Undefined};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The contrasts of one row's prompts.
pub(super) struct Contrasts {
    /// By prompt: its number in the task, and its contrast.
    pub(super) of_prompts: Vec<(usize, f64)>,
    /// Mean log mass per token of control segments by position, with their deviations from it: prompt and value.
    controls: BTreeMap<u32, Control>,
    /// By prompt, its relevant segments' positions; only with controls.
    positions: Vec<Vec<u32>>,
    /// Prompts with a relevant segment in a position where no prompt of the condition has a control.
    pub(super) n_without_control: usize,
}

struct Control {
    mean: f64,
    deviations: Vec<(usize, f64)>,
}

/// What a contrast is averaged over: the items and clusters of the task's prompts, both `[n_prompts]`.
#[derive(Clone, Copy)]
pub(super) struct PromptGroups<'a> {
    pub(super) items: &'a [Arc<str>],
    pub(super) clusters: &'a [u32],
}

/// A mean contrast, or a change of it, with what its clusters contribute.
pub(super) struct Contrasted {
    pub(super) estimate: ClusterEstimate,
    pub(super) contributions: Contributions,
    /// Items that are averaged over.
    pub(super) n_items: usize,
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
        Self { of_prompts, controls: BTreeMap::new(), positions: Vec::new(), n_without_control: 0 }
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
        let (mut of_prompts, mut positions, mut n_without_control) = (Vec::new(), Vec::new(), 0);
        for masses in &row.masses {
            let keys = &keys[masses.prompt];
            let relevant: Vec<u32> =
                keys.iter().filter(|key| key.is_relevant).map(|key| key.position).collect();
            let Some(found) = mean_log(masses, keys, |key| key.is_relevant) else { continue };
            let expected: Option<f64> =
                relevant.iter().map(|position| Some(controls.get(position)?.mean)).sum::<Option<f64>>();
            let Some(expected) = expected else {
                n_without_control += 1;
                continue;
            };
            of_prompts.push((masses.prompt, found - expected / relevant.len() as f64));
            positions.push(relevant);
        }
        Self { of_prompts, controls, positions, n_without_control }
    }

    /// The mean contrast over prompts.
    pub(super) fn estimate(&self, groups: PromptGroups<'_>) -> Result<Contrasted, NumericsError> {
        let weight = 1.0 / self.of_prompts.len() as f64;
        let parts = self.parts(&vec![weight; self.of_prompts.len()]);
        let by_prompt = |prompt: usize| (prompt, groups.clusters[prompt]);
        let mut observations = Observations::default();
        observations.add(parts, by_prompt, 1.0);
        observations.estimate(self.of_prompts.len())
    }

    /// The change of the mean contrast from `before`, over the items that both have; an item's contrast is the mean of
    /// its prompts'.
    pub(super) fn change(
        &self,
        before: &Self,
        groups: PromptGroups<'_>,
    ) -> Result<Contrasted, NumericsError> {
        let (own, others) = (self.counts_of_items(groups), before.counts_of_items(groups));
        let n_items = own.keys().filter(|item| others.contains_key(*item)).count();
        let weights = |contrasts: &Self, own: &BTreeMap<&str, f64>, others: &BTreeMap<&str, f64>| {
            let weight = |(prompt, _): &(usize, f64)| {
                let item = &*groups.items[*prompt];
                if others.contains_key(item) { 1.0 / (own[item] * n_items as f64) } else { 0.0 }
            };
            contrasts.of_prompts.iter().map(weight).collect::<Vec<f64>>()
        };
        let numbers: BTreeMap<&str, usize> =
            groups.items.iter().enumerate().rev().map(|(prompt, item)| (&**item, prompt)).collect();
        let by_item = |prompt: usize| (numbers[&*groups.items[prompt]], groups.clusters[prompt]);
        let mut observations = Observations::default();
        observations.add(self.parts(&weights(self, &own, &others)), by_item, 1.0);
        observations.add(before.parts(&weights(before, &others, &own)), by_item, -1.0);
        observations.estimate(n_items)
    }

    /// Contrasted prompts of each item.
    fn counts_of_items<'i>(&self, groups: PromptGroups<'i>) -> BTreeMap<&'i str, f64> {
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        self.of_prompts
            .iter()
            .for_each(|(prompt, _)| *counts.entry(&groups.items[*prompt]).or_default() += 1.0);
        counts
    }

    /// What each prompt adds to the sum of contrasts times `weights`, `[n_contrasted]`: as contrasted, as control, or both.
    fn parts(&self, weights: &[f64]) -> Vec<Part> {
        let mut parts: Vec<Part> = self
            .of_prompts
            .iter()
            .zip(weights)
            .map(|((prompt, value), weight)| Part { prompt: *prompt, value: weight * value, weight: *weight })
            .collect();
        let mut of_positions: BTreeMap<u32, f64> = BTreeMap::new();
        for (positions, weight) in self.positions.iter().zip(weights) {
            for position in positions {
                *of_positions.entry(*position).or_default() += weight / positions.len() as f64;
            }
        }
        for (position, weight) in of_positions {
            let Control { deviations, .. } = &self.controls[&position];
            let n = deviations.len() as f64;
            let part = |(prompt, deviation): &(usize, f64)| Part {
                prompt: *prompt,
                value: -weight * deviation / n,
                weight: 0.0,
            };
            parts.extend(deviations.iter().map(part));
        }
        parts
    }
}

/// What a prompt adds to an estimate.
struct Part {
    prompt: usize,
    value: f64,
    /// Share of the estimate that is its own contrast.
    weight: f64,
}

/// What observations (prompts or items, by number) add to an estimate.
#[derive(Default)]
struct Observations {
    of: BTreeMap<usize, Observation>,
}

#[derive(Default)]
struct Observation {
    cluster: u32,
    value: f64,
    weight: f64,
}

impl Observations {
    /// Adds parts times `sign`; `observation` gives a prompt's observation and cluster.
    fn add(&mut self, parts: Vec<Part>, observation: impl Fn(usize) -> (usize, u32), sign: f64) {
        for Part { prompt, value, weight } in parts {
            let (number, cluster) = observation(prompt);
            let own = self.of.entry(number).or_default();
            own.cluster = cluster;
            own.value += sign * value;
            if sign > 0.0 {
                own.weight += weight;
            }
        }
        self.of.retain(|_, own| own.weight != 0.0 || own.value != 0.0);
    }

    fn estimate(self, n_items: usize) -> Result<Contrasted, NumericsError> {
        if self.of.is_empty() {
            return Err(Undefined::TooFewObservations.into());
        }
        let value: f64 = self.of.values().map(|own| own.value).sum();
        // Prompts that only serve as controls are observations too: influences are those of a mean over all of them.
        let n = self.of.len() as f64;
        let influences: Vec<f64> = self.of.values().map(|own| n * (own.value - own.weight * value)).collect();
        let clusters: Vec<u32> = self.of.values().map(|own| own.cluster).collect();
        let estimate = estimate_over_clusters(value, &influences, &clusters)?;
        let parts: Vec<f64> = self.of.values().map(|own| own.value).collect();
        let largest = |values: &[f64]| values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        if largest(&influences) <= ROUNDING * n * largest(&parts) {
            return Err(Undefined::ConstantValues.into());
        }
        Ok(Contrasted { estimate, contributions: Contributions::new(&parts, &clusters), n_items })
    }
}

/// Observations that differ by less than this share differ by rounding.
const ROUNDING: f64 = 1e-13;

/// Mean over segments of a part of the log of mass per token; `None` where one has no mass, or there is none.
fn mean_log(masses: &Masses, keys: &[Key], is_part: impl Fn(&Key) -> bool) -> Option<f64> {
    let own = masses.of.iter().zip(keys).filter(|(_, key)| is_part(key));
    let logs: Vec<f64> =
        own.map(|(mass, key)| (*mass > 0.0).then(|| (mass / key.n_tokens).ln())).collect::<Option<_>>()?;
    crate::stats::summary::mean(&logs)
}
