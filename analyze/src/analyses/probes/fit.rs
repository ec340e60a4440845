//! Fitting: entries that share prompts and folds are fitted together, layers are spread over threads.

use super::batch::{Fitted, ProbeBatch, TrainingPrompts};
use super::probe_rows::{Scope, Scores};
use super::{Prepared, Targets};
use crate::analyses::Inputs;
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use crate::states::{StateSource, States};
use crate::stats::RandomStream;
use crate::stats::probes::{
    Labels, ProbeSettings, Sample, Target, Vectors, compute_online_code, encode, fit_probe, fit_probes,
    fit_transfer_probes,
};
use hypercolumn_schemas::Pooling;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Fits all prepared entries; states are read once for each role and pooling.
pub(super) fn fit_entries(inputs: Inputs<'_>, prepared: &[Prepared]) -> Result<Scores, AnalyzeError> {
    let Inputs { catalog, model, prompts, settings, progress, .. } = inputs;
    let mut sources: BTreeMap<(&str, Pooling), Vec<&Prepared>> = BTreeMap::new();
    for one in prepared {
        for &pooling in &one.entry.pooling {
            sources.entry((&one.entry.segment, pooling)).or_default().push(one);
        }
    }
    let mut scores = Scores::default();
    for ((role, pooling), entries) in sources {
        let source = StateSource::open(catalog, prompts, model, role, pooling)?;
        let batches = split(inputs, &source, &entries);
        let layers = source.layers(None);
        progress.start(
            &format!("probes: {} ({role}, {})", prompts.task, pooling.name()),
            layers.len() as u64,
            "layers",
        );
        // As many layers at a time as there are threads: a layer alone has too few fits to share out.
        for chunk in layers.chunks(rayon::current_num_threads().max(2)) {
            let mut states = Vec::new();
            for &layer in chunk {
                states.extend(source.read(layer, None)?);
            }
            for (s, b, fitted) in fit_all(&states, &batches) {
                let scope = Scope { prompts, layer_site: &states[s].layer_site, pooling, settings };
                scope.push(&batches[b], fitted, &mut scores);
            }
            progress.advance(chunk.len() as u64);
        }
        progress.finish();
    }
    Ok(scores)
}

fn split<'p>(inputs: Inputs<'_>, source: &StateSource<'_>, entries: &[&'p Prepared]) -> Vec<ProbeBatch<'p>> {
    let prompts = inputs.prompts;
    let mut batches: Vec<ProbeBatch> = Vec::new();
    for (condition, name) in prompts.conditions.iter().enumerate() {
        for &one in entries {
            let chosen = chosen_prompts(one, prompts, source, condition);
            if chosen.is_empty() || one.train == Some(condition) {
                continue;
            }
            let groups_of = |chosen: &[usize]| chosen.iter().map(|&p| one.group.of[p] as usize).collect();
            let groups: Vec<usize> = groups_of(&chosen);
            let train = one.train.map(|train| {
                let prompts = chosen_prompts(one, prompts, source, train);
                TrainingPrompts { groups: groups_of(&prompts), prompts }
            });
            let fits = |batch: &&mut ProbeBatch| {
                batch.condition == condition
                    && batch.prompts == chosen
                    && batch.groups == groups
                    && batch.train == train
            };
            match batches.iter_mut().find(fits) {
                Some(batch) => batch.entries.push(one),
                None => {
                    let settings = probe_settings(inputs, one, source.pooling(), name);
                    let entries = vec![one];
                    batches.push(ProbeBatch { condition, prompts: chosen, groups, train, entries, settings });
                }
            }
        }
    }
    batches
}

fn chosen_prompts(
    one: &Prepared,
    prompts: &TaskPrompts,
    source: &StateSource<'_>,
    condition: usize,
) -> Vec<usize> {
    let takes_part =
        |&p: &usize| one.is_chosen[p] && source.is_present[p] && prompts.condition_of[p] == condition;
    (0..prompts.len()).filter(takes_part).collect()
}

/// All layers and targets of one batch share fold plans.
fn probe_settings(inputs: Inputs<'_>, one: &Prepared, pooling: Pooling, condition: &str) -> ProbeSettings {
    let Inputs { prompts, settings, .. } = inputs;
    let own = ["probes", &prompts.task, &one.entry.segment, pooling.name(), condition, &one.group.sql];
    let name: Vec<&str> = own.into_iter().chain(one.entry.train.as_deref()).collect();
    ProbeSettings {
        n_folds: settings.n_folds as usize,
        n_inner_folds: settings.n_inner_folds as usize,
        n_repeats: settings.n_repeats as usize,
        n_permutations: settings.n_refits as usize,
        confidence: settings.confidence,
        stream: RandomStream::new(settings.seed, &name),
        ..ProbeSettings::default()
    }
}

/// Fits every batch at every layer and site, in parallel; in order of layer, site and batch.
fn fit_all(states: &[States], batches: &[ProbeBatch<'_>]) -> Vec<(usize, usize, Vec<Fitted>)> {
    let work: Vec<(usize, usize)> =
        (0..states.len()).flat_map(|s| (0..batches.len()).map(move |b| (s, b))).collect();
    work.into_par_iter().with_max_len(1).map(|(s, b)| (s, b, fit(&states[s], &batches[b]))).collect()
}

/// Targets of some prompts.
fn labels_of(one: &Prepared, prompts: &[usize]) -> Labels {
    match &one.targets {
        Targets::Classes { codes, .. } => Labels::Classes(prompts.iter().map(|&p| codes[p]).collect()),
        Targets::Values(values) => Labels::Values(prompts.iter().map(|&p| values[p]).collect()),
    }
}

fn fit(states: &States, batch: &ProbeBatch<'_>) -> Vec<Fitted> {
    let values = states.gather(&batch.prompts);
    let vectors = Vectors { values: &values, n_dimensions: states.n_dimensions };
    let sample = Sample { vectors, groups: &batch.groups };
    let own: Vec<Labels> = batch.entries.iter().map(|one| labels_of(one, &batch.prompts)).collect();
    let targets: Vec<Target> = own.iter().map(Labels::target).collect();
    let probes = match &batch.train {
        None => fit_probes(sample, &targets, &batch.settings),
        Some(train) => {
            let values = states.gather(&train.prompts);
            let vectors = Vectors { values: &values, n_dimensions: states.n_dimensions };
            let trained = Sample { vectors, groups: &train.groups };
            let labels: Vec<Labels> =
                batch.entries.iter().map(|one| labels_of(one, &train.prompts)).collect();
            let pairs: Vec<_> = labels.iter().map(Labels::target).zip(targets.iter().copied()).collect();
            fit_transfer_probes(trained, sample, &pairs, &batch.settings)
        }
    };
    let control = |one: &Prepared, own: &Labels| {
        let types = &one.control.as_ref()?.of;
        let types = encode(&batch.prompts.iter().map(|&p| types[p]).collect::<Vec<u32>>());
        let control = own.control(&types, batch.settings.stream);
        let settings = ProbeSettings { n_permutations: 0, ..batch.settings.clone() };
        Some(fit_probe(sample, control.target(), &settings))
    };
    let code = |one: &Prepared, own: &Labels| match own {
        Labels::Classes(classes) if one.entry.mdl => {
            Some(compute_online_code(sample, classes, &batch.settings))
        }
        _ => None,
    };
    let fitted = probes.into_iter().zip(batch.entries.iter().zip(&own));
    fitted
        .map(|(probe, (one, own))| Fitted { probe, control: control(one, own), code: code(one, own) })
        .collect()
}
