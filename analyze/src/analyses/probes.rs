//! Probes over a lake: targets from SQL, states layer by layer, scores into rows.
//!
//! What a probe is and how it is judged is in [`crate::stats::probes`]; here prompts, groups and targets are
//! chosen, layers are spread over threads, and results become tables.

use super::entry::{Entry, Named, StatesAsked};
use super::measures::Measure;
use super::{Analysis, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::error::AnalyzeError;
use crate::expression::{Expression, ValueKind};
use crate::prompts::{INDEX, TaskPrompts};
use crate::settings::{AnalysisSettings, mean_pooling, whole_prompt};
use crate::states::{LayerSite, StateSource, States};
use crate::stats::probes::{
    Metric, ProbeResult, ProbeSettings, Sample, Target, Undefined, Vectors, encode, fit_probes,
};
use hypercolumn_schemas::tables::{self, MeasureRow, ProbeRow};
use hypercolumn_schemas::{Pooling, Site, Table};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What can be read linearly from states: tables `probes` and `measures`.
pub(crate) struct Probes;

/// The kinds of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Multinomial logistic regression with an L2 penalty, for classes.
    Logistic,
    /// Ridge regression, for numbers.
    Ridge,
}

impl ProbeKind {
    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Ridge => "ridge",
        }
    }
}

/// A `[[probe]]` entry: what is to be read from the states by a linear model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The task.
    pub task: String,
    /// SQL over one prompt: the class or number to be read; prompts where it is null are left out.
    pub target: String,
    /// Name of the target; its SQL if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind; if absent, ridge for fractional numbers and logistic for text, booleans and whole numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProbeKind>,
    /// SQL over one prompt: prompts with equal values are never on both sides of a split.
    #[serde(default = "by_item")]
    pub group: String,
    /// Role of the segment whose states are read.
    #[serde(default = "whole_prompt")]
    pub segment: String,
    /// Poolings; the first gives the measure that is set against behaviour.
    #[serde(default = "mean_pooling")]
    pub pooling: Vec<Pooling>,
    /// Sites; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Vec<Site>>,
    /// SQL over one prompt: which prompts take part.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

impl Probe {
    /// The target's name in the tables.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.target)
    }
}

fn by_item() -> String {
    "item_id".to_owned()
}

impl Entry for Probe {
    fn task(&self) -> &str {
        &self.task
    }

    fn label(&self) -> String {
        Probe::label(self).to_owned()
    }

    fn segment(&self) -> &str {
        &self.segment
    }

    fn states(&self) -> Option<StatesAsked<'_>> {
        Some(StatesAsked { segment: &self.segment, poolings: &self.pooling })
    }

    fn problem(&self) -> Option<String> {
        self.pooling.is_empty().then(|| "`pooling` must name at least one".to_owned())
    }

    fn to_json(&self) -> Value {
        json!(self)
    }
}

impl Analysis for Probes {
    type Entry = Probe;
    type Prepared = Vec<Prepared>;

    fn name(&self) -> &'static str {
        "probes"
    }

    fn entry_key(&self) -> Option<&'static str> {
        Some("probe")
    }

    fn code_version(&self) -> u32 {
        1
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 2] = [&tables::PROMPTS, &tables::HIDDEN_STATES];
        &INPUTS
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!(shared)
    }

    fn check(&self, task: &CheckedTask<'_>, named: &Named<Probe>) -> Result<(), AnalyzeError> {
        task.check_role(&named.name, &named.entry.segment)?;
        task.check_condition(&named.name, "where", named.entry.filter.as_deref())?;
        for (key, sql) in [("target", &named.entry.target), ("group", &named.entry.group)] {
            Expression { entry: &named.name, key, sql }.check(task.catalog, INDEX, &task.prompts.table)?;
        }
        Ok(())
    }

    fn prepare(&self, inputs: Inputs<'_>, entries: &[Named<Probe>]) -> Result<Vec<Prepared>, AnalyzeError> {
        entries.iter().map(|named| prepare_one(inputs, named)).collect()
    }

    fn compute(&self, inputs: Inputs<'_>, prepared: &Vec<Prepared>) -> Result<Vec<Results>, AnalyzeError> {
        let scores = fit_entries(inputs, prepared)?;
        Ok(vec![Results::corrected(&scores.rows, &FAMILY)?, Results::of(&scores.measures)?])
    }
}

/// Rows that are corrected together agree in these columns: all layers, sites and conditions.
const FAMILY: [&str; 5] = ["role", "pooling", "target", "probe", "metric"];

/// Rows of both tables.
#[derive(Default)]
struct Scores {
    rows: Vec<ProbeRow>,
    measures: Vec<MeasureRow>,
}

/// An entry whose SQL has been evaluated.
pub(crate) struct Prepared {
    entry: Arc<Probe>,
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

/// Evaluates the SQL of an entry.
fn prepare_one(inputs: Inputs<'_>, named: &Named<Probe>) -> Result<Prepared, AnalyzeError> {
    let Inputs { catalog, model, prompts, .. } = inputs;
    let (label, entry) = (named.name.as_str(), &named.entry);
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
        return Err(named.refuse("no prompt satisfies its `where` and has a target and a group"));
    }
    Ok(Prepared { entry: entry.clone(), kind, targets, groups: encode(&groups), is_chosen })
}

/// Entries of one role, pooling and choice of prompts in one condition: they share their folds.
struct Unit<'p> {
    condition: usize,
    prompts: Vec<usize>,
    groups: Vec<usize>,
    entries: Vec<&'p Prepared>,
}

/// A unit's results at one layer_site, one an entry.
type Fitted = Vec<Result<ProbeResult, Undefined>>;

/// Fits all prepared entries; states are read once for each role and pooling.
fn fit_entries(inputs: Inputs<'_>, prepared: &[Prepared]) -> Result<Scores, AnalyzeError> {
    let Inputs { catalog, model, prompts, settings, progress } = inputs;
    let mut sources: BTreeMap<(&str, Pooling), Vec<&Prepared>> = BTreeMap::new();
    for one in prepared {
        for &pooling in &one.entry.pooling {
            sources.entry((&one.entry.segment, pooling)).or_default().push(one);
        }
    }
    let mut scores = Scores::default();
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
                let scope = Scope { prompts, layer_site: &states[s].layer_site, pooling, settings };
                scope.push(&units[u], &fitted, &mut scores);
            }
            progress.advance(chunk.len() as u64);
        }
        progress.finish();
    }
    Ok(scores)
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

fn split<'p>(prompts: &TaskPrompts, source: &StateSource<'_>, entries: &[&'p Prepared]) -> Vec<Unit<'p>> {
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

/// Fits every unit at every layer_site, in parallel; in order of layer_site and unit.
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
    layer_site: &'a LayerSite,
    pooling: Pooling,
    settings: &'a AnalysisSettings,
}

impl Scope<'_> {
    fn push(&self, unit: &Unit<'_>, fitted: &Fitted, scores: &mut Scores) {
        for (one, result) in unit.entries.iter().zip(fitted) {
            let sites = one.entry.site.as_deref();
            if sites.is_some_and(|sites| sites.iter().all(|s| *s.name() != *self.layer_site.site)) {
                continue;
            }
            self.push_scores(unit, one, result, scores);
            let is_measure =
                one.entry.pooling.first() == Some(&self.pooling) && self.layer_site.is_measured(sites);
            if let (true, Ok(result)) = (is_measure, result) {
                self.push_measures(unit, one, result, scores);
            }
        }
    }

    fn push_scores(
        &self,
        unit: &Unit<'_>,
        one: &Prepared,
        result: &Result<ProbeResult, Undefined>,
        scores: &mut Scores,
    ) {
        let groups: BTreeSet<usize> = unit.groups.iter().copied().collect();
        for &metric in metrics_of(one.kind) {
            let scored = result.as_ref().ok().and_then(|result| result.metric(metric));
            let reason = match result {
                Ok(_) => scored.and_then(|m| m.undefined),
                Err(reason) => Some(*reason),
            };
            scores.rows.push(ProbeRow {
                condition: self.prompts.conditions[unit.condition].to_string(),
                layer: self.layer_site.layer,
                site: self.layer_site.site.to_string(),
                role: one.entry.segment.clone(),
                pooling: self.pooling.name().to_owned(),
                target: one.entry.label().to_owned(),
                probe: one.kind.name().to_owned(),
                metric: metric.name().to_owned(),
                score: scored.and_then(|m| m.score),
                baseline: scored.and_then(|m| m.baseline),
                control: scored.and_then(|m| m.control),
                selectivity: scored.and_then(|m| m.selectivity),
                p_value: scored.and_then(|m| m.p_value),
                q_value: None,
                ci_low: scored.and_then(|m| m.interval).map(|i| i.0),
                ci_high: scored.and_then(|m| m.interval).map(|i| i.1),
                n_prompts: unit.prompts.len() as i32,
                n_groups: Some(groups.len() as i32),
                n_classes: one.n_classes(&unit.prompts),
                n_folds: self.settings.n_folds as i32,
                seed: self.settings.seed.to_string(),
                reason: reason.map(|r| r.to_string()),
            });
        }
    }

    fn push_measures(&self, unit: &Unit<'_>, one: &Prepared, result: &ProbeResult, scores: &mut Scores) {
        let name = match one.entry.segment.as_str() {
            "prompt" => format!("probe: {}", one.entry.label()),
            role => format!("probe: {} ({role})", one.entry.label()),
        };
        let measure = Measure { name: &name, layer: self.layer_site.layer };
        for (&prompt, &score) in unit.prompts.iter().zip(&result.prompt_scores) {
            scores.measures.push(measure.row(self.prompts, prompt, Some(score)));
        }
    }
}

impl Prepared {
    /// Classes among these prompts; none for a ridge probe.
    fn n_classes(&self, prompts: &[usize]) -> Option<i32> {
        let Targets::Classes(all) = &self.targets else { return None };
        let classes: BTreeSet<usize> = prompts.iter().map(|&p| all[p]).collect();
        Some(classes.len() as i32)
    }
}

fn metrics_of(kind: ProbeKind) -> &'static [Metric] {
    match kind {
        ProbeKind::Logistic => &Metric::CLASSIFICATION,
        ProbeKind::Ridge => &Metric::REGRESSION,
    }
}
