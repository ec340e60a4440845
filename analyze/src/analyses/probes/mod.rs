//! Probes over a lake: targets from SQL, states layer by layer, scores into rows.
//!
//! What a probe is and how it is judged is in [`crate::stats::probes`]; here prompts, groups and targets are
//! chosen; [`fit`] spreads layers over threads, and [`probe_rows`] makes tables of results.

mod batch;
mod fit;
mod probe_rows;

use super::entry::{Entry, Named, StatesAsked};
use super::{Analysis, Correction, Inputs, Permutations, Results, warn_of_resolution};
use crate::analyses::CheckedTask;
use crate::checked_questions::CheckedQuestions;
use crate::design::{Design, Grouping};
use crate::error::AnalyzeError;
use crate::expression::{Expression, ValueKind};
use crate::prompts::{INDEX, TaskPrompts};
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, probes_section};
use crate::settings::{AnalysisSettings, mean_pooling, whole_prompt};
use crate::states::StateSource;
use crate::stats::probes::encode;
use hypercolumn_schemas::{Pooling, Site, Table, tables};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What can be read linearly from states: tables `probes`, `predictions` and `measures`.
pub(crate) struct Probes;

/// The kinds of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// Name of the task that it is about.
    pub task: String,
    /// SQL over one prompt: the class or number to be read; prompts where it is null are left out.
    pub target: String,
    /// Name of the target; its SQL if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind; if absent, ridge for fractional numbers and logistic for text, booleans and whole numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProbeKind>,
    /// SQL over one prompt: prompts with equal values are never on both sides of a split, and are permuted as a whole. If
    /// absent, the task's clusters where they determine the target and every class is in two of them, and items elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// SQL over one prompt: types that recur in several groups. The control task gives each a label at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// The condition whose prompts the probe is trained on, to be tested on those of every other; if absent, it is trained and
    /// tested within each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// Whether the classes' minimum description length given the states is computed too, as metric `compression`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mdl: bool,
    /// Name of the rows that are corrected together; if absent, those of one target and metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
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

fn is_false(value: &bool) -> bool {
    !value
}

impl Probe {
    /// The target's name in the tables.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.target)
    }
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
        if self.train.is_some() && (self.mdl || self.control.is_some()) {
            return Some(
                "`mdl` and `control` are of probes within a condition; with `train` there is neither"
                    .to_owned(),
            );
        }
        if self.mdl && self.kind == Some(ProbeKind::Ridge) {
            return Some("`mdl` is a code of classes, which a ridge probe has not".to_owned());
        }
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
        5
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 2] = [&tables::PROMPTS, &tables::HIDDEN_STATES];
        &INPUTS
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!(shared)
    }

    fn check(
        &self,
        task: &CheckedTask<'_>,
        named: &Named<Probe>,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        found.note(task.check_role(&named.name, &named.entry.segment))?;
        found.note(task.check_condition(&named.name, "where", named.entry.filter.as_deref()))?;
        let optional = [("group", &named.entry.group), ("control", &named.entry.control)];
        let optional = optional.into_iter().filter_map(|(key, sql)| Some((key, sql.as_ref()?)));
        for (key, sql) in optional.chain([("target", &named.entry.target)]) {
            let expression = Expression { entry: &named.name, key, sql };
            found.note(expression.check(task.catalog, INDEX, &task.prompts.table))?;
        }
        if let Some(train) = &named.entry.train {
            let known = condition_named(&task.prompts, train);
            found.note(known.ok_or_else(|| unknown_condition(named, &task.prompts, train)))?;
        }
        Ok(())
    }

    fn prepare(&self, inputs: Inputs<'_>, entries: &[Named<Probe>]) -> Result<Vec<Prepared>, AnalyzeError> {
        entries.iter().map(|named| prepare_one(inputs, named)).collect()
    }

    fn compute(&self, inputs: Inputs<'_>, prepared: &Vec<Prepared>) -> Result<Vec<Results>, AnalyzeError> {
        let scores = fit::fit_entries(inputs, prepared)?;
        let rows = scores.rows();
        let refits = Permutations { key: "n_refits", n: inputs.settings.n_refits };
        warn_of_resolution(inputs, rows.iter().map(|row| row.family.as_str()), refits);
        Ok(vec![
            Results::corrected(&rows, &[Correction::LEVEL])?,
            Results::of(&scores.measures)?,
            Results::of(&scores.predictions)?,
        ])
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        Ok(vec![probes_section(inputs)?])
    }
}

/// An entry whose SQL has been evaluated.
pub(crate) struct Prepared {
    entry: Arc<Probe>,
    kind: ProbeKind,
    /// Class of each prompt, or its value.
    targets: Targets,
    /// What folds keep whole.
    group: Grouping,
    /// Type of each prompt for the control task.
    control: Option<Grouping>,
    /// Whether a prompt takes part: chosen, and with a target and a group.
    is_chosen: Vec<bool>,
    /// The condition that the probe is trained on, where it is one for all.
    train: Option<usize>,
}

fn condition_named(prompts: &TaskPrompts, name: &str) -> Option<usize> {
    prompts.conditions.iter().position(|condition| **condition == *name)
}

fn unknown_condition(named: &Named<Probe>, prompts: &TaskPrompts, name: &str) -> AnalyzeError {
    let known = prompts.conditions.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
    named.refuse(format!("its `train` is `{name}`, which no prompt has as its condition; there are {known}"))
}

/// One target a prompt; what stands where there is none is never read.
enum Targets {
    Classes {
        /// Code of each prompt's class.
        codes: Vec<usize>,
        /// Name of each class, by code.
        names: Vec<String>,
    },
    Values(Vec<f64>),
}

impl Targets {
    /// The same number for the same target.
    fn key(&self, prompt: usize) -> u64 {
        match self {
            Self::Classes { codes, .. } => codes[prompt] as u64,
            Self::Values(values) => values[prompt].to_bits(),
        }
    }
}

/// Evaluates the SQL of an entry.
fn prepare_one(inputs: Inputs<'_>, named: &Named<Probe>) -> Result<Prepared, AnalyzeError> {
    let Inputs { catalog, model, prompts, design, .. } = inputs;
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
        return Err(target.refuse("ridge needs a number; text is read by `kind = \"logistic\"`").into());
    }
    let targets = match kind {
        ProbeKind::Logistic => {
            let classes = prompts.texts(catalog, target)?;
            is_chosen.iter_mut().zip(&classes).for_each(|(chosen, class)| *chosen &= class.is_some());
            let names = classes.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            // A prompt without a class has code 0, which is never read.
            let codes = encode(&classes);
            let has_null = usize::from(classes.contains(&None));
            Targets::Classes { codes: codes.iter().map(|c| c.saturating_sub(has_null)).collect(), names }
        }
        ProbeKind::Ridge => {
            let values = prompts.numbers(catalog, target)?;
            is_chosen.iter_mut().zip(&values).for_each(|(chosen, value)| *chosen &= value.is_some());
            Targets::Values(values.into_iter().map(Option::unwrap_or_default).collect())
        }
    };
    if !is_chosen.contains(&true) {
        return Err(named.refuse("no prompt satisfies its `where` and has a target"));
    }
    let chosen: Vec<usize> = (0..prompts.len()).filter(|&p| is_chosen[p]).collect();
    let group = match &entry.group {
        Some(sql) => Grouping::evaluate(catalog, prompts, expression("group", sql))?,
        None => default_group(design, &targets, &chosen),
    };
    let control = match &entry.control {
        Some(sql) => Some(Grouping::evaluate(catalog, prompts, expression("control", sql))?),
        None => None,
    };
    if entry.mdl && kind == ProbeKind::Ridge {
        return Err(named.refuse("`mdl` is a code of classes, and the target is a number; `kind = \"logistic\"` takes it for classes"));
    }
    let condition =
        |name| condition_named(prompts, name).ok_or_else(|| unknown_condition(named, prompts, name));
    let train = entry.train.as_deref().map(condition).transpose()?;
    Ok(Prepared { entry: entry.clone(), kind, targets, group, control, is_chosen, train })
}

/// The task's clusters where the target is theirs, and can be learned from some and read from others; items elsewhere.
fn default_group(design: &Design, targets: &Targets, chosen: &[usize]) -> Grouping {
    let is_of = |cluster: &&Grouping| {
        let mut target_of: BTreeMap<u32, u64> = BTreeMap::new();
        let is_constant = chosen
            .iter()
            .all(|&p| *target_of.entry(cluster.of[p]).or_insert(targets.key(p)) == targets.key(p));
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        target_of.values().for_each(|target| *counts.entry(*target).or_default() += 1);
        let recurs = matches!(targets, Targets::Values(_)) || counts.values().all(|n| *n > 1);
        is_constant && recurs
    };
    design.cluster.as_ref().filter(is_of).unwrap_or(&design.items).clone()
}
