//! Replicates of an entry: the same items in other templates, orders or seeds. How well could any hypothesis fit one?

use super::Hypothesis;
use super::clustered::{Way, model_rdm};
use super::condition_subset::{ConditionSubset, ReplicatePairs};
use crate::analyses::Inputs;
use crate::analyses::entry::Named;
use crate::design::Grouping;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::stats::comparison::compare_vectors;
use crate::stats::noise_ceiling::{NoiseCeiling, noise_ceiling};
use crate::stats::summary::mean;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Fewest items that replicates must share.
const MIN_ITEMS: usize = 4;

/// What replicates say of one layer.
#[derive(Clone, Copy, Default)]
pub(super) struct Replicated {
    /// Mean alignment of single replicates with the hypothesis.
    pub(super) estimate: Option<f64>,
    pub(super) ceiling: Option<NoiseCeiling>,
}

/// Finds the replicates of every condition, and warns where there are none.
pub(super) fn find(
    inputs: Inputs<'_>,
    named: &Named<Hypothesis>,
    subsets: &mut [ConditionSubset],
) -> Result<(), AnalyzeError> {
    let Some(sql) = &named.entry.replicates else { return Ok(()) };
    let expression = Expression { entry: &named.name, key: "replicates", sql };
    let replicates = Grouping::evaluate(inputs.catalog, inputs.prompts, expression)?;
    for subset in subsets {
        subset.replicates = pairs_of_replicates(subset, &replicates);
        if subset.replicates.len() < 2 {
            inputs.progress.warn(&format!(
                "{}: condition {} has no noise ceiling: fewer than two of its replicates (equal {sql}) have {MIN_ITEMS} \
                 items in common, each once",
                named.name, subset.name
            ));
        }
    }
    Ok(())
}

fn pairs_of_replicates(subset: &ConditionSubset, replicates: &Grouping) -> ReplicatePairs {
    let mut prompts: BTreeMap<u32, BTreeMap<u32, Vec<usize>>> = BTreeMap::new();
    for (i, &prompt) in subset.prompts.iter().enumerate() {
        let of_replicate = prompts.entry(replicates.of[prompt]).or_default();
        of_replicate.entry(subset.items[i]).or_default().push(i);
    }
    let once = |items: &BTreeMap<u32, Vec<usize>>| -> BTreeSet<u32> {
        items.iter().filter(|(_, own)| own.len() == 1).map(|(item, _)| *item).collect()
    };
    let shared = prompts.values().map(once).reduce(|a, b| a.intersection(&b).copied().collect());
    let shared: Vec<u32> = shared.unwrap_or_default().into_iter().collect();
    if prompts.len() < 2 || shared.len() < MIN_ITEMS {
        return Vec::new();
    }
    let position: HashMap<(usize, usize), usize> =
        subset.pairs.iter().enumerate().map(|(at, (i, j))| ((i.min(j), i.max(j)), at)).collect();
    let of_replicate = |items: &BTreeMap<u32, Vec<usize>>| -> Vec<Option<usize>> {
        let pairs = shared.iter().enumerate().flat_map(|(k, a)| shared[k + 1..].iter().map(move |b| (a, b)));
        let at = |(a, b): (&u32, &u32)| {
            let (i, j) = (items[a][0], items[b][0]);
            let known = position.get(&(i.min(j), i.max(j))).copied()?;
            model_rdm(subset).value(i, j).map(|_| known)
        };
        pairs.map(at).collect()
    };
    let found: Vec<Vec<Option<usize>>> = prompts.values().map(of_replicate).collect();
    // Pairs within a unit are left out, and pairs of which the hypothesis says nothing; in every replicate alike.
    let is_everywhere = |k: &usize| found.iter().all(|of_replicate| of_replicate[*k].is_some());
    let kept: Vec<usize> = (0..found[0].len()).filter(is_everywhere).collect();
    found.iter().map(|of_replicate| kept.iter().filter_map(|&k| of_replicate[k]).collect()).collect()
}

/// The alignment of single replicates and its ceiling, of one layer's similarities `rdm`, `[n_pairs]`.
pub(super) fn measure(subset: &ConditionSubset, rdm: &[f64], way: Way) -> Replicated {
    if subset.replicates.len() < 2 || way.comparison.needs_pair_list() {
        return Replicated::default();
    }
    let of = |positions: &Vec<usize>| -> Vec<f64> { positions.iter().map(|&at| rdm[at]).collect() };
    let rdms: Vec<Vec<f64>> = subset.replicates.iter().map(of).collect();
    let pairs: Vec<(usize, usize)> = subset.pairs.iter().collect();
    let hypothesis = |positions: &Vec<usize>| -> Vec<f64> {
        positions.iter().filter_map(|&at| model_rdm(subset).value(pairs[at].0, pairs[at].1)).collect()
    };
    let align = |(rdm, positions): (&Vec<f64>, &Vec<usize>)| {
        compare_vectors(rdm, &hypothesis(positions), way.comparison).ok()
    };
    let aligned: Option<Vec<f64>> = rdms.iter().zip(&subset.replicates).map(align).collect();
    Replicated {
        estimate: aligned.and_then(|values| mean(&values)),
        ceiling: noise_ceiling(&rdms, way.comparison).ok(),
    }
}
