//! Which steps there are, and whether each is to be run: what is done is decided by content, not by time.

use crate::analyses::{ANALYSES, Registered, StudyEntry};
use crate::error::AnalyzeError;
use crate::expression::tables_in;
use crate::inputs::{digests, files_of, find_tasks};
use crate::questions::Questions;
use crate::statement::isolated;
use hypercolumn_schemas::{
    AnalyzeRecord, FileEntry, RecordVersion, Slot, Snapshot, content_key, describe_changes,
};
use serde_json::{Value, json};
use std::fmt;

/// Whether a step is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is done (again).
    Run,
    /// What the lake holds is what it would give.
    Reuse,
}

/// One step: one analysis of one task.
#[derive(Clone)]
pub struct PlannedStep {
    /// The slot that it fills.
    pub slot: Slot,
    /// The analysis.
    pub analysis: &'static dyn Registered,
    /// Whether it is to be done.
    pub action: Action,
    /// Why, for people.
    pub reason: String,
    /// Hash of inputs, settings and method.
    pub key: String,
}

impl fmt::Debug for PlannedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}, {}", self.slot, self.action, self.reason)
    }
}

impl PlannedStep {
    /// The task.
    pub fn task(&self) -> &str {
        self.slot.task()
    }

    pub(super) fn is_to_run(&self) -> bool {
        self.action == Action::Run
    }
}

/// A step with what its commit records.
pub(super) struct Step {
    pub(super) planned: PlannedStep,
    pub(super) record: AnalyzeRecord,
    /// The files of earlier stages that it reads.
    pub(super) reads: Vec<FileEntry>,
}

/// All steps of the tasks asked for.
pub(super) fn plan(
    snapshot: &Snapshot,
    model: &str,
    questions: &Questions,
) -> Result<Vec<Step>, AnalyzeError> {
    let tasks = find_tasks(snapshot, model, &questions.tasks)?;
    check(questions, &tasks)?;
    let parser = isolated()?;
    let mut steps: Vec<Step> = Vec::new();
    for task in &tasks {
        let mut earlier: Vec<String> = Vec::new();
        for analysis in ANALYSES {
            let settings = settings_of(analysis, questions, task);
            let mut reads: Vec<FileEntry> =
                files_of(snapshot, model, task, analysis.inputs()).cloned().collect();
            // An expression that names a table can read all of it, whatever the model and task.
            let named = tables_in(&parser, &settings)?.into_values();
            reads.extend(named.flat_map(|table| snapshot.files(table)).cloned());
            if settings.is_null() {
                // A table without a question is empty, whatever there is to read.
                reads.clear();
            }
            let mut inputs = digests(&reads);
            if analysis.reads_results() && !settings.is_null() {
                inputs.extend(earlier.iter().cloned());
            }
            let slot = Slot::Analyze {
                study: questions.study.clone(),
                model: model.to_owned(),
                task: task.clone(),
                question: analysis.name().to_owned(),
            };
            let (planned, record) = plan_step(snapshot, slot, analysis, &inputs, settings);
            earlier.push(planned.key.clone());
            steps.push(Step { planned, record, reads });
        }
    }
    Ok(steps)
}

/// Refuses settings and entries that make no sense.
fn check(questions: &Questions, tasks: &[String]) -> Result<(), AnalyzeError> {
    if let Some((key, accepted)) = questions.analysis.problems().first() {
        let reason = format!("`{key}` must be {accepted}");
        return Err(AnalyzeError::Entry { entry: "[analysis]".to_owned(), reason });
    }
    questions.entries.problems(tasks).into_iter().next().map_or(Ok(()), Err)
}

/// The settings that a result depends on, as JSON. A table without a question is empty, whatever the settings.
fn settings_of(analysis: &dyn Registered, questions: &Questions, task: &str) -> Value {
    let entries: Vec<&StudyEntry> = questions.entries.of(analysis.name(), task).collect();
    if !analysis.is_always_answered() && entries.is_empty() {
        return Value::Null;
    }
    let entries: Vec<Value> = entries.iter().map(|e| e.entry.to_json()).collect();
    let design = questions.design(task);
    json!({"shared": analysis.settings(&questions.analysis), "design": design, "entries": entries})
}

fn plan_step(
    snapshot: &Snapshot,
    slot: Slot,
    analysis: &'static dyn Registered,
    inputs: &[String],
    settings: Value,
) -> (PlannedStep, AnalyzeRecord) {
    let version = analysis.code_version();
    let inputs_key = content_key(&inputs);
    let key = content_key(&json!([analysis.name(), version, inputs_key, settings]));
    let record = AnalyzeRecord {
        version: RecordVersion,
        inputs_key,
        n_inputs: inputs.len(),
        settings,
        study_arguments: None,
        code_version: version,
        elapsed_ms: 0,
    };
    let (action, reason) = match snapshot.slot(&slot) {
        None => (Action::Run, "there is no result yet".to_owned()),
        Some(commit) if commit.key == key => {
            (Action::Reuse, "inputs, settings and method are the same".to_owned())
        }
        Some(commit) => (Action::Run, explain_change(commit.details.as_analyze(), &record)),
    };
    (PlannedStep { slot, analysis, action, reason, key }, record)
}

/// Why a result is made again that an earlier record describes.
fn explain_change(before: Option<&AnalyzeRecord>, now: &AnalyzeRecord) -> String {
    let Some(before) = before else { return "its record is of another kind".to_owned() };
    let mut reasons = Vec::new();
    if before.inputs_key != now.inputs_key {
        reasons.push("what it reads has changed".to_owned());
    }
    reasons.extend(describe_changes(&before.settings, &now.settings));
    if before.code_version != now.code_version {
        reasons.push("its method has changed".to_owned());
    }
    reasons.join("; ")
}
