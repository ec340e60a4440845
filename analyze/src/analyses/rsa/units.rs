//! Units and clusters of an entry: what a permutation moves, and what a resample draws.

use super::Hypothesis;
use super::condition_subset::{ConditionSubset, WithinUnits};
use crate::analyses::Inputs;
use crate::analyses::entry::Named;
use crate::design::Grouping;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use std::collections::BTreeSet;

/// What an entry's permutations and resamples are made of.
pub(super) struct Settled {
    pub(super) units: Grouping,
    pub(super) cluster: Grouping,
    pub(super) within: WithinUnits,
}

/// Chooses units and clusters where the study does not, and settles the pairs of every subset.
pub(super) fn settle(
    inputs: Inputs<'_>,
    named: &Named<Hypothesis>,
    subsets: &mut [ConditionSubset],
) -> Result<Settled, AnalyzeError> {
    let Inputs { catalog, prompts, design, .. } = inputs;
    let entry = &named.entry;
    let evaluate = |key, sql: &Option<String>| match sql {
        Some(sql) => {
            Grouping::evaluate(catalog, prompts, Expression { entry: &named.name, key, sql }).map(Some)
        }
        None => Ok(None),
    };
    let (stated_units, stated_cluster) =
        (evaluate("units", &entry.units)?, evaluate("cluster", &entry.cluster)?);
    let units = match (&stated_units, &design.cluster) {
        (Some(units), _) => units.clone(),
        (None, Some(cluster)) if subsets.iter().all(|subset| subset.is_carried_by(cluster)) => {
            cluster.clone()
        }
        _ => design.items.clone(),
    };
    let cluster = match (stated_cluster, &design.cluster, stated_units.is_some()) {
        (Some(cluster), _, _) => cluster,
        (None, None, true) => units.clone(),
        (None, _, _) => design.clusters().clone(),
    };
    let within = match entry.pairs_within_units {
        Some(true) => WithinUnits::In,
        Some(false) => WithinUnits::Out,
        None if subsets.iter().any(|subset| subset.varies_between(&units)) => WithinUnits::Out,
        None => WithinUnits::In,
    };
    if stated_units.is_none() && design.cluster.is_none() {
        warn_of_shared_params(inputs, named, subsets);
    }
    subsets.iter_mut().for_each(|subset| subset.settle(&units, &cluster, within));
    Ok(Settled { units, cluster, within })
}

/// Warns where items have params in common that the hypothesis is made of, so that they may not be independent.
fn warn_of_shared_params(inputs: Inputs<'_>, named: &Named<Hypothesis>, subsets: &[ConditionSubset]) {
    let Inputs { prompts, progress, .. } = inputs;
    let items: BTreeSet<u32> = subsets.iter().flat_map(|subset| subset.items.iter().copied()).collect();
    let chosen: BTreeSet<usize> = subsets.iter().flat_map(|subset| subset.prompts.iter().copied()).collect();
    for param in prompts.params_in(&named.entry.sql) {
        let Ok(values) = Grouping::evaluate(
            inputs.catalog,
            prompts,
            Expression { entry: &named.name, key: "sql", sql: &param },
        ) else {
            continue;
        };
        let n_values = values.count(chosen.iter().copied());
        if n_values < items.len() {
            progress.warn(&format!(
                "{}: its hypothesis uses {param}, of which {} items share {n_values} values. The test permutes items as \
                 if they were independent; if items that share a value are not, its p-values are too small. Say what is \
                 independent with `units` here, or with `cluster` in the [[task]]",
                named.name,
                items.len()
            ));
            return;
        }
    }
}
