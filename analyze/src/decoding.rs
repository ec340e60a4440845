//! Probes over a lake: targets from SQL, states layer by layer, scores into rows.
//!
//! What a probe is and how it is judged is in [`crate::stats::probes`]; here prompts, groups and targets are
//! chosen, layers are spread over threads, and results become tables.

use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::{Expression, ValueKind};
use crate::prompts::{INDEX, TaskPrompts};
use crate::rows::{Cell, Outcome, correct};
use crate::settings::{AnalysisSettings, Probe, ProbeKind};
use crate::states::{Place, StateSource, States};
use crate::stats::probes::{
    Metric, ProbeResult, ProbeSettings, Sample, Target, Undefined, Vectors, encode, fit_probes,
};
use hypercolumn_schemas::{Pooling, Progress, tables};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Raised when a value of `probes` would come out differently.
pub(crate) const CODE_VERSION: u32 = 1;

/// Rows that are corrected together agree in these columns: all layers, sites and conditions.
const FAMILY: [&str; 5] = ["role", "pooling", "target", "probe", "metric"];

/// An entry whose SQL has been evaluated.
pub(crate) struct Prepared<'a> {
    entry: &'a Probe,
    kind: ProbeKind,
    /// Class of each prompt, or its value.
    targets: Targets,
    /// Group code of each prompt.
    groups: Vec<usize>,
    /// Whether a prompt takes part: chosen, and with a target and a group.
    is_chosen: Vec<bool>,
}

/// One target a prompt; what stands where there is none is never read.
enum Targets {
    Classes(Vec<usize>),
    Values(Vec<f64>),
}

/// Evaluates the SQL of each entry.
pub(crate) fn prepare<'a>(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    entries: &[(String, &'a Probe)],
) -> Result<Vec<Prepared<'a>>, AnalyzeError> {
    entries.iter().map(|(label, entry)| prepare_one(catalog, model, prompts, label, entry)).collect()
}

fn prepare_one<'a>(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    label: &str,
    entry: &'a Probe,
) -> Result<Prepared<'a>, AnalyzeError> {
    let expression = |key, sql| Expression { entry: label, key, sql };
    let filter = entry.filter.as_deref().map(|sql| expression("where", sql));
    let mut is_chosen = prompts.select(catalog, filter)?;
    for &pooling in &entry.pooling {
        let source = StateSource::open(catalog, prompts, model, &entry.segment, pooling)?;
        crate::kept::check_states(catalog, model, label, &source, &entry.segment, entry.site.as_deref())?;
    }
    let target = expression("target", &entry.target);
    let found = target.check(catalog, INDEX, &prompts.table)?;
    let kind = entry.kind.unwrap_or(match found {
        ValueKind::Number => ProbeKind::Ridge,
        _ => ProbeKind::Logistic,
    });
    if kind == ProbeKind::Ridge && found == ValueKind::Other {
        return Err(target.refuse("ridge needs a number; text is read by `kind = \"logistic\"`"));
    }
    let targets = match kind {
        ProbeKind::Logistic => {
            let classes = prompts.texts(catalog, target)?;
            is_chosen.iter_mut().zip(&classes).for_each(|(chosen, class)| *chosen &= class.is_some());
            Targets::Classes(encode(&classes))
        }
        ProbeKind::Ridge => {
            let values = prompts.numbers(catalog, target)?;
            is_chosen.iter_mut().zip(&values).for_each(|(chosen, value)| *chosen &= value.is_some());
            Targets::Values(values.into_iter().map(Option::unwrap_or_default).collect())
        }
    };
    let groups = prompts.texts(catalog, expression("group", &entry.group))?;
    is_chosen.iter_mut().zip(&groups).for_each(|(chosen, group)| *chosen &= group.is_some());
    if !is_chosen.contains(&true) {
        let reason = "no prompt satisfies its `where` and has a target and a group".to_owned();
        return Err(AnalyzeError::Entry { entry: label.to_owned(), reason });
    }
    Ok(Prepared { entry, kind, targets, groups: encode(&groups), is_chosen })
}

/// Entries of one role, pooling and choice of prompts in one condition: they share their folds.
struct Unit<'p> {
    condition: usize,
    prompts: Vec<usize>,
    groups: Vec<usize>,
    entries: Vec<&'p Prepared<'p>>,
}

/// A unit's results at one place, one an entry.
type Fitted = Vec<Result<ProbeResult, Undefined>>;

/// Fits all prepared entries; states are read once for each role and pooling.
pub(crate) fn compute(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    prepared: &[Prepared<'_>],
    settings: &AnalysisSettings,
    progress: &dyn Progress,
) -> Result<Outcome, AnalyzeError> {
    let mut sources: BTreeMap<(&str, Pooling), Vec<&Prepared>> = BTreeMap::new();
    for one in prepared {
        for &pooling in &one.entry.pooling {
            sources.entry((&one.entry.segment, pooling)).or_default().push(one);
        }
    }
    let mut outcome = Outcome::default();
    let probe_settings = probe_settings(settings);
    for ((role, pooling), entries) in sources {
        let source = StateSource::open(catalog, prompts, model, role, pooling)?;
        let units = split(prompts, &source, &entries);
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
            for (s, u, fitted) in fit_all(&states, &units, &probe_settings) {
                let scope = Scope { prompts, place: &states[s].place, pooling, settings };
                scope.push(&units[u], &fitted, &mut outcome);
            }
            progress.advance(chunk.len() as u64);
        }
        progress.finish();
    }
    correct(&tables::PROBES, &mut outcome.rows, &FAMILY);
    Ok(outcome)
}

fn probe_settings(settings: &AnalysisSettings) -> ProbeSettings {
    ProbeSettings {
        n_folds: settings.n_folds as usize,
        n_inner_folds: settings.n_inner_folds as usize,
        n_permutations: settings.n_permutations as usize,
        n_bootstrap: settings.n_bootstraps as usize,
        confidence: settings.confidence,
        seed: settings.seed,
        ..ProbeSettings::default()
    }
}

fn split<'p>(prompts: &TaskPrompts, source: &StateSource<'_>, entries: &[&'p Prepared<'p>]) -> Vec<Unit<'p>> {
    let mut units: Vec<Unit> = Vec::new();
    for condition in 0..prompts.conditions.len() {
        for &one in entries {
            let takes_part =
                |&p: &usize| one.is_chosen[p] && source.is_present[p] && prompts.condition_of[p] == condition;
            let chosen: Vec<usize> = (0..prompts.len()).filter(takes_part).collect();
            if chosen.is_empty() {
                continue;
            }
            let groups: Vec<usize> = chosen.iter().map(|&p| one.groups[p]).collect();
            let fits = |unit: &&mut Unit| {
                unit.condition == condition && unit.prompts == chosen && unit.groups == groups
            };
            match units.iter_mut().find(fits) {
                Some(unit) => unit.entries.push(one),
                None => units.push(Unit { condition, prompts: chosen, groups, entries: vec![one] }),
            }
        }
    }
    units
}

/// Fits every unit at every place, in parallel; in order of place and unit.
fn fit_all(states: &[States], units: &[Unit<'_>], settings: &ProbeSettings) -> Vec<(usize, usize, Fitted)> {
    let work: Vec<(usize, usize)> =
        (0..states.len()).flat_map(|s| (0..units.len()).map(move |u| (s, u))).collect();
    work.into_par_iter().with_max_len(1).map(|(s, u)| (s, u, fit(&states[s], &units[u], settings))).collect()
}

fn fit(states: &States, unit: &Unit<'_>, settings: &ProbeSettings) -> Fitted {
    let values = states.gather(&unit.prompts);
    let vectors = Vectors { values: &values, n_dimensions: states.n_dimensions };
    let gather = |one: &&Prepared| match &one.targets {
        Targets::Classes(all) => (unit.prompts.iter().map(|&p| all[p]).collect(), Vec::new()),
        Targets::Values(all) => (Vec::new(), unit.prompts.iter().map(|&p| all[p]).collect()),
    };
    let own: Vec<(Vec<usize>, Vec<f64>)> = unit.entries.iter().map(gather).collect();
    let targets: Vec<Target> = unit
        .entries
        .iter()
        .zip(&own)
        .map(|(one, (classes, values))| match one.kind {
            ProbeKind::Logistic => Target::Classes(classes),
            ProbeKind::Ridge => Target::Values(values),
        })
        .collect();
    fit_probes(Sample { vectors, groups: &unit.groups }, &targets, settings)
}

/// Where a result belongs.
struct Scope<'a> {
    prompts: &'a TaskPrompts,
    place: &'a Place,
    pooling: Pooling,
    settings: &'a AnalysisSettings,
}

impl Scope<'_> {
    fn push(&self, unit: &Unit<'_>, fitted: &Fitted, outcome: &mut Outcome) {
        for (one, result) in unit.entries.iter().zip(fitted) {
            let sites = one.entry.site.as_deref();
            if sites.is_some_and(|sites| sites.iter().all(|s| *s.name() != *self.place.site)) {
                continue;
            }
            self.push_scores(unit, one, result, outcome);
            let is_measure =
                one.entry.pooling.first() == Some(&self.pooling) && self.place.is_measured(sites);
            if let (true, Ok(result)) = (is_measure, result) {
                self.push_measures(unit, one, result, outcome);
            }
        }
    }

    fn push_scores(
        &self,
        unit: &Unit<'_>,
        one: &Prepared<'_>,
        result: &Result<ProbeResult, Undefined>,
        outcome: &mut Outcome,
    ) {
        let mut count = unit.groups.clone();
        count.sort_unstable();
        count.dedup();
        for &metric in metrics_of(one.kind) {
            let scored = result.as_ref().ok().and_then(|result| result.metric(metric));
            let reason = match result {
                Ok(_) => scored.and_then(|m| m.undefined),
                Err(reason) => Some(*reason),
            };
            outcome.rows.push(vec![
                (&self.prompts.conditions[unit.condition]).into(),
                self.place.layer.into(),
                (&self.place.site).into(),
                one.entry.segment.as_str().into(),
                self.pooling.name().into(),
                one.entry.label().into(),
                one.kind.name().into(),
                metric.name().into(),
                scored.and_then(|m| m.score).into(),
                scored.and_then(|m| m.baseline).into(),
                scored.and_then(|m| m.control).into(),
                scored.and_then(|m| m.selectivity).into(),
                scored.and_then(|m| m.p_value).into(),
                Cell::Number(None),
                scored.and_then(|m| m.interval).map(|i| i.0).into(),
                scored.and_then(|m| m.interval).map(|i| i.1).into(),
                (unit.prompts.len() as i32).into(),
                (count.len() as i32).into(),
                one.n_classes(&unit.prompts).into(),
                (self.settings.n_folds as i32).into(),
                self.settings.seed.to_string().as_str().into(),
                reason.map(|r| r.to_string()).into(),
            ]);
        }
    }

    fn push_measures(
        &self,
        unit: &Unit<'_>,
        one: &Prepared<'_>,
        result: &ProbeResult,
        outcome: &mut Outcome,
    ) {
        let name: Arc<str> = match one.entry.segment.as_str() {
            "prompt" => format!("probe: {}", one.entry.label()),
            role => format!("probe: {} ({role})", one.entry.label()),
        }
        .into();
        for (&prompt, &score) in unit.prompts.iter().zip(&result.prompt_scores) {
            let layer = self.place.layer;
            outcome.measures.push(crate::measures::cells(self.prompts, prompt, &name, layer, Some(score)));
        }
    }
}

impl Prepared<'_> {
    /// Classes among these prompts; none for a ridge probe.
    fn n_classes(&self, prompts: &[usize]) -> Option<i32> {
        let Targets::Classes(all) = &self.targets else { return None };
        let mut classes: Vec<usize> = prompts.iter().map(|&p| all[p]).collect();
        classes.sort_unstable();
        classes.dedup();
        Some(classes.len() as i32)
    }
}

fn metrics_of(kind: ProbeKind) -> &'static [Metric] {
    match kind {
        ProbeKind::Logistic => &Metric::CLASSIFICATION,
        ProbeKind::Ridge => &Metric::REGRESSION,
    }
}
