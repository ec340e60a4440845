//! Which steps there are, and whether each is to be run: what is done is decided by content, not by time.

use super::entries::{TaskEntries, check};
use crate::error::AnalyzeError;
use crate::inputs::{digest, find_tasks};
use crate::settings::{AnalysisSettings, Questions};
use crate::{associations, attention_ratio, behavior, decoding, rsa};
use hypercolumn_schemas::{AnalyzeRecord, RecordVersion, Slot, Snapshot, Table, content_key, tables};
use serde_json::{Value, json};

/// The analyses, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Analysis {
    /// How good the answers are: table `behavior`.
    Behavior,
    /// Alignment with hypotheses: `rsa` and `measures`.
    Rsa,
    /// What can be read linearly: `probes` and `measures`.
    Probes,
    /// Attention to relevant parts: `attention_ratios` and `measures`.
    AttentionRatios,
    /// Changes of measures against changes of behaviour: `associations`.
    Associations,
}

impl Analysis {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::Behavior, Self::Rsa, Self::Probes, Self::AttentionRatios, Self::Associations];

    /// The last part of the slot's name: the main table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Behavior => "behavior",
            Self::Rsa => "rsa",
            Self::Probes => "probes",
            Self::AttentionRatios => "attention_ratios",
            Self::Associations => "associations",
        }
    }

    /// Tables that are read from the earlier stages.
    fn inputs(self) -> &'static [&'static Table] {
        static BEHAVIOR: [&Table; 3] = [&tables::PROMPTS, &tables::RESPONSES, &tables::CHOICES];
        static STATES: [&Table; 2] = [&tables::PROMPTS, &tables::HIDDEN_STATES];
        static ATTENTION: [&Table; 4] =
            [&tables::PROMPTS, &tables::SEGMENTS, &tables::TOKENS, &tables::ATTENTION];
        static ASSOCIATIONS: [&Table; 1] = [&tables::PROMPTS];
        match self {
            Self::Behavior => &BEHAVIOR,
            Self::Rsa | Self::Probes => &STATES,
            Self::AttentionRatios => &ATTENTION,
            Self::Associations => &ASSOCIATIONS,
        }
    }

    fn code_version(self) -> u32 {
        match self {
            Self::Behavior => behavior::CODE_VERSION,
            Self::Rsa => rsa::CODE_VERSION,
            Self::Probes => decoding::CODE_VERSION,
            Self::AttentionRatios => attention_ratio::CODE_VERSION,
            Self::Associations => associations::CODE_VERSION,
        }
    }

    /// The settings that the result depends on, as JSON.
    fn settings(self, shared: &AnalysisSettings, entries: &TaskEntries<'_>) -> Value {
        let AnalysisSettings { seed, n_permutations, n_bootstraps, confidence, .. } = shared;
        let resampling = json!({
            "seed": seed, "n_permutations": n_permutations,
            "n_bootstraps": n_bootstraps, "confidence": confidence,
        });
        // A table without a question is empty, whatever the draws.
        match self {
            Self::Behavior => Value::Null,
            Self::Rsa if entries.hypotheses.is_empty() => Value::Null,
            Self::Probes if entries.probes.is_empty() => Value::Null,
            Self::AttentionRatios if entries.ratios.is_empty() => Value::Null,
            Self::Rsa => json!({"draws": resampling, "entries": entries.hypotheses.values()}),
            Self::Probes => json!({"shared": shared, "entries": entries.probes.values()}),
            Self::AttentionRatios => json!({
                "n_bootstraps": n_bootstraps, "seed": seed, "confidence": confidence,
                "entries": entries.ratios.values(),
            }),
            Self::Associations => {
                json!({"n_bootstraps": n_bootstraps, "seed": seed, "confidence": confidence})
            }
        }
    }
}

/// Whether a step is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is done (again).
    Run,
    /// What the lake holds is what it would give.
    Reuse,
}

/// One step: one analysis of one task.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// The slot that it fills.
    pub slot: Slot,
    /// The task.
    pub task: String,
    /// The analysis.
    pub analysis: Analysis,
    /// Whether it is to be done.
    pub action: Action,
    /// Why, for people.
    pub reason: String,
    /// Hash of inputs, settings and method.
    pub key: String,
}

/// A step with what its commit records.
pub(super) struct Step {
    pub(super) planned: PlannedStep,
    pub(super) record: AnalyzeRecord,
}

/// All steps of the tasks asked for.
pub(super) fn plan(
    snapshot: &Snapshot,
    model: &str,
    questions: &Questions,
) -> Result<Vec<Step>, AnalyzeError> {
    let tasks = find_tasks(snapshot, model, &questions.tasks)?;
    check(questions, &tasks)?;
    let mut steps: Vec<Step> = Vec::new();
    for task in &tasks {
        let entries = TaskEntries::of(questions, task);
        let mut earlier = Vec::new();
        for analysis in Analysis::ALL {
            let mut inputs = digest(snapshot, model, task, analysis.inputs());
            if analysis == Analysis::Associations {
                inputs.append(&mut earlier);
            }
            let settings = analysis.settings(&questions.analysis, &entries);
            let slot = Slot::Analyze {
                study: questions.study.clone(),
                model: model.to_owned(),
                task: task.clone(),
                question: analysis.name().to_owned(),
            };
            let step = plan_step(snapshot, slot, analysis, &inputs, settings);
            earlier.push(step.planned.key.clone());
            steps.push(step);
        }
    }
    Ok(steps)
}

fn plan_step(
    snapshot: &Snapshot,
    slot: Slot,
    analysis: Analysis,
    inputs: &[String],
    settings: Value,
) -> Step {
    let version = analysis.code_version();
    let inputs_key = content_key(&inputs);
    let key = content_key(&json!([analysis.name(), version, inputs_key, settings]));
    let record = AnalyzeRecord {
        version: RecordVersion,
        inputs_key,
        n_inputs: inputs.len(),
        settings,
        code_version: version,
        elapsed_ms: 0,
    };
    let before = snapshot.slot(&slot).and_then(|commit| commit.details.as_analyze());
    let (action, reason) = match snapshot.slot(&slot) {
        None => (Action::Run, "there is no result yet"),
        Some(commit) if commit.key == key => (Action::Reuse, "inputs, settings and method are the same"),
        Some(_) if before.is_some_and(|b| b.inputs_key != record.inputs_key) => {
            (Action::Run, "what it reads has changed")
        }
        Some(_) if before.is_some_and(|b| b.settings != record.settings) => {
            (Action::Run, "its settings have changed")
        }
        Some(_) => (Action::Run, "its method has changed"),
    };
    let task = slot.task().to_owned();
    let planned = PlannedStep { slot, task, analysis, action, reason: reason.into(), key };
    Step { planned, record }
}
