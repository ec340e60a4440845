//! Which steps there are, and whether each is to be run: what is done is decided by content, not by time.

use crate::analyses::{ANALYSES, Registered, StudyEntry};
use crate::error::AnalyzeError;
use crate::expression::tables_in;
use crate::inputs::{digests, files_of, find_tasks};
use crate::questions::Questions;
use crate::statement::isolated;
use hypercolumn_schemas::{
    AnalyzeRecord, FileEntry, RecordVersion, Slot, Snapshot, Table, content_key, describe_changes,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
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

    /// The name.
    pub fn name(&self) -> StepName {
        StepName { task: self.task().to_owned(), analysis: self.analysis.name() }
    }

    pub(super) fn is_to_run(&self) -> bool {
        self.action == Action::Run
    }
}

/// A step's name: one analysis of one task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepName {
    /// The task.
    pub task: String,
    /// The analysis.
    pub analysis: &'static str,
}

/// What a step reads beside the prompts and states of its task.
#[derive(Debug)]
pub struct StepDependencies {
    /// The step.
    pub name: StepName,
    /// Whether it reads the results of the steps before it, of the same task.
    pub reads_results: bool,
    /// Tables that its SQL names, which it reads whatever the task.
    pub named: Vec<&'static Table>,
}

/// A step with what its commit records.
pub(super) struct Step {
    pub(super) planned: PlannedStep,
    pub(super) record: AnalyzeRecord,
    /// The files of earlier stages that it reads.
    pub(super) reads: Vec<FileEntry>,
    /// Whether it also reads the results of the steps before it, of the same task.
    pub(super) reads_results: bool,
}

/// What a study's text says of one of its steps.
pub(super) struct StudyStep {
    analysis: &'static dyn Registered,
    task: String,
    /// The settings that its results depend on; null where the study asks it nothing.
    settings: Value,
    /// Tables that its SQL names: it can read all of them, whatever the model and task.
    named: Vec<&'static Table>,
}

impl StudyStep {
    fn reads_results(&self) -> bool {
        self.analysis.reads_results() && !self.settings.is_null()
    }
}

/// The steps of a study, and the steps and tables that each one reads.
///
/// # Errors
/// [`crate::CatalogError::Engine`] when DuckDB's parser fails.
pub fn dependencies(questions: &Questions) -> Result<Vec<StepDependencies>, AnalyzeError> {
    let steps = study_steps(questions, &questions.tasks)?;
    let dependencies = |step: StudyStep| StepDependencies {
        reads_results: step.reads_results(),
        name: StepName { task: step.task, analysis: step.analysis.name() },
        named: step.named,
    };
    Ok(steps.into_iter().map(dependencies).collect())
}

fn study_steps(questions: &Questions, tasks: &[String]) -> Result<Vec<StudyStep>, AnalyzeError> {
    let parser = isolated()?;
    let mut steps = Vec::new();
    for (task, analysis) in tasks.iter().flat_map(|task| ANALYSES.map(|analysis| (task, analysis))) {
        let settings = settings_of(analysis, questions, task);
        let named = tables_in(&parser, &settings)?.into_values().collect();
        steps.push(StudyStep { analysis, task: task.clone(), settings, named });
    }
    Ok(steps)
}

/// All steps of `tasks`, or of every task that the model has read where that is empty. The prompts or states of `pending`
/// tasks are yet to be made.
pub(super) fn plan(
    snapshot: &Snapshot,
    model: &str,
    questions: &Questions,
    tasks: &[String],
    pending: &BTreeSet<String>,
) -> Result<Vec<Step>, AnalyzeError> {
    let ready: Vec<String> = tasks.iter().filter(|task| !pending.contains(*task)).cloned().collect();
    let tasks = match tasks.is_empty() {
        true => find_tasks(snapshot, model, &[])?,
        false => tasks.to_vec(),
    };
    if !ready.is_empty() {
        find_tasks(snapshot, model, &ready)?;
    }
    check(questions, if questions.tasks.is_empty() { &tasks } else { &questions.tasks })?;
    let mut steps: Vec<Step> = Vec::new();
    // Of the steps of the same task: their keys, and whether one of them reads what is yet to be made.
    let mut earlier: Vec<String> = Vec::new();
    let mut is_any_pending = false;
    for step in study_steps(questions, &tasks)? {
        if steps.last().is_some_and(|last| last.planned.task() != step.task) {
            earlier.clear();
            is_any_pending = false;
        }
        let (reads_results, is_asked) = (step.reads_results(), !step.settings.is_null());
        let reads_pending = pending.contains(&step.task) || (!step.named.is_empty() && !pending.is_empty());
        let is_pending = is_asked && (reads_pending || (reads_results && is_any_pending));
        is_any_pending |= is_pending;
        let mut reads = Vec::new();
        // A table without a question is empty, whatever there is to read.
        if is_asked {
            let inputs = step.analysis.inputs();
            reads.extend(files_of(snapshot, model, &step.task, inputs).cloned());
            reads.extend(step.named.iter().flat_map(|table| snapshot.files(table)).cloned());
        }
        let mut inputs = digests(&reads);
        if reads_results {
            inputs.extend(earlier.iter().cloned());
        }
        let slot = Slot::Analyze {
            study: questions.study.clone(),
            model: model.to_owned(),
            task: step.task,
            question: step.analysis.name().to_owned(),
        };
        let (mut planned, record) = plan_step(snapshot, slot, step.analysis, &inputs, step.settings);
        if is_pending {
            let reason = "what it reads is made again".to_owned();
            planned = PlannedStep { action: Action::Run, reason, ..planned };
        }
        earlier.push(planned.key.clone());
        steps.push(Step { planned, record, reads, reads_results });
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
