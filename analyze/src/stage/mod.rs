//! The stage: what is to be done for a model's tasks, doing it, and committing it.
//!
//! Each analysis of each task fills one slot, `analyze/STUDY/MODEL/TASK/ANALYSIS`. A slot is done again when
//! its key changes: the digests of what it reads, the settings it depends on, or its method. All SQL of
//! a study is evaluated before the first slot is written.

mod check;
mod order;
mod plan;
mod write_report;

pub use check::check;
pub use order::{FailureCause, OnFailure, Order, StepFailure};
pub use plan::{Action, PlannedStep, StepDependencies, StepName, dependencies};
pub use write_report::{report_is_current, write_report};

use crate::analyses::{Inputs, Results};
use crate::catalog::Catalog;
use crate::design::Design;
use crate::error::AnalyzeError;
use crate::frames::batch_of_frame;
use crate::prompts::TaskPrompts;
use crate::questions::Questions;
use hypercolumn_schemas::{
    AnalyzeRecord, CommitInfo, FileEntry, Lake, Partition, Progress, Record, Slot, Snapshot,
};
use order::Failures;
use plan::Step;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What came of one step.
#[derive(Clone, Debug)]
pub struct StepOutcome {
    /// The step as planned.
    pub step: PlannedStep,
    /// Rows in its slot, whether written now or before.
    pub n_rows: u64,
    /// How long it took; zero where it was reused.
    pub elapsed: Duration,
}

/// What came of all steps.
#[derive(Debug, Default)]
pub struct RunOutcome {
    /// Steps that were done or reused.
    pub outcomes: Vec<StepOutcome>,
    /// Steps that were not done, where [`OnFailure::KeepGoing`] is asked for.
    pub failures: Vec<StepFailure>,
}

/// What [`run`] would do in a lake that holds `snapshot`, in order.
///
/// # Errors
/// [`AnalyzeError::UnknownTask`], [`AnalyzeError::NotExtracted`], [`AnalyzeError::Incomplete`] for what is
/// not there yet; [`AnalyzeError::Entry`] for settings that make no sense.
pub fn plan(
    snapshot: &Snapshot,
    model: &str,
    questions: &Questions,
) -> Result<Vec<PlannedStep>, AnalyzeError> {
    plan_behind(snapshot, model, questions, &BTreeSet::new())
}

/// As [`plan()`], while the prompts or states of the tasks `pending` are yet to be made.
///
/// # Errors
/// As [`plan()`], for the other tasks.
pub fn plan_behind(
    snapshot: &Snapshot,
    model: &str,
    questions: &Questions,
    pending: &BTreeSet<String>,
) -> Result<Vec<PlannedStep>, AnalyzeError> {
    let steps = plan::plan(snapshot, model, questions, &questions.tasks, pending)?;
    Ok(steps.into_iter().map(|step| step.planned).collect())
}

/// Analyses what `model` has read: every step whose inputs, settings or method have changed is done
/// again and committed; nothing is written unless all SQL of the study can be asked.
///
/// # Errors
/// As [`plan()`]; [`crate::CatalogError::Expression`] for SQL that cannot be asked of the data; errors of the lake.
pub fn run(
    lake: &Lake,
    model: &str,
    questions: &Questions,
    progress: &dyn Progress,
) -> Result<Vec<StepOutcome>, AnalyzeError> {
    Ok(run_steps(lake, model, questions, &Order::default(), progress)?.outcomes)
}

/// As [`run`], for the steps of `order`. The caller sees to it that what they read has been made.
///
/// # Errors
/// As [`run`]; with [`OnFailure::KeepGoing`] what fails in one step is in the outcome.
pub fn run_steps(
    lake: &Lake,
    model: &str,
    questions: &Questions,
    order: &Order,
    progress: &dyn Progress,
) -> Result<RunOutcome, AnalyzeError> {
    let tasks = order.tasks(&questions.tasks);
    if tasks.is_empty() && !questions.tasks.is_empty() {
        return Ok(RunOutcome::default());
    }
    let _claim = lake.claim_results(&questions.study, model)?;
    let snapshot = lake.without_misplaced(lake.snapshot()?, |slot| matches!(slot, Slot::Analyze { .. }));
    let steps = order.apply(plan::plan(&snapshot, model, questions, &tasks, &BTreeSet::new())?);
    let mut failures = Failures::new(order.on_failure);
    for step in steps.iter().filter(|step| step.planned.is_to_run()) {
        let checked = step.reads.iter().try_for_each(|file| lake.check(file).map(drop));
        failures.note(step, checked.map_err(AnalyzeError::from))?;
    }
    let job = Job { lake, model, questions, progress };
    let mut prepared = match steps.iter().any(|step| step.planned.is_to_run()) {
        true => Some(job.prepare(Catalog::of_snapshot(lake, snapshot.clone())?, &steps, &mut failures)?),
        false => None,
    };
    let mut outcomes = Vec::with_capacity(steps.len());
    for (number, step) in steps.into_iter().enumerate() {
        if failures.exclude(&step) {
            continue;
        }
        let begun = Instant::now();
        let work = prepared.as_mut().and_then(|p| Some((p.entries.remove(&number)?, &*p)));
        let (n_rows, elapsed) = match work {
            Some((entries, prepared)) => {
                let done = job.run(&step, prepared, &*entries, begun);
                let Some(n_rows) = failures.note(&step, done)? else { continue };
                (n_rows, begun.elapsed())
            }
            None => {
                let commit = snapshot.slot(&step.planned.slot);
                (commit.map_or(0, |c| c.files.iter().map(|f| f.n_rows).sum()), Duration::ZERO)
            }
        };
        outcomes.push(StepOutcome { step: step.planned, n_rows, elapsed });
    }
    Ok(RunOutcome { outcomes, failures: failures.into_all() })
}

/// What a run is about.
#[derive(Clone, Copy)]
struct Job<'a> {
    lake: &'a Lake,
    model: &'a str,
    questions: &'a Questions,
    progress: &'a dyn Progress,
}

/// Everything whose SQL has been evaluated before the first slot is written.
struct Prepared {
    catalog: Catalog,
    /// The prompts of each task with a step to run, and their design.
    prompts: BTreeMap<String, (TaskPrompts, Design)>,
    /// What each step to run has prepared, by the step's number.
    entries: BTreeMap<usize, Box<dyn Any + Send>>,
}

impl Job<'_> {
    fn prepare(
        &self,
        catalog: Catalog,
        steps: &[Step],
        failures: &mut Failures,
    ) -> Result<Prepared, AnalyzeError> {
        let mut prepared = Prepared { catalog, prompts: BTreeMap::new(), entries: BTreeMap::new() };
        for (number, step) in steps.iter().enumerate().filter(|(_, step)| step.planned.is_to_run()) {
            if failures.exclude(step) {
                continue;
            }
            let entries = self.prepare_step(&mut prepared, number, &step.planned);
            if let Some(entries) = failures.note(step, entries)? {
                prepared.entries.insert(number, entries);
            }
        }
        Ok(prepared)
    }

    fn prepare_step(
        &self,
        prepared: &mut Prepared,
        number: usize,
        planned: &PlannedStep,
    ) -> Result<Box<dyn Any + Send>, AnalyzeError> {
        let task = planned.task();
        if !prepared.prompts.contains_key(task) {
            let table = format!("study_prompts_{number}");
            let prompts = TaskPrompts::load(&prepared.catalog, task, table)?;
            let design = self.questions.design(task).evaluate(&prepared.catalog, &prompts)?;
            prepared.prompts.insert(task.to_owned(), (prompts, design));
        }
        let entries: Vec<_> = self.questions.entries.of(planned.analysis.name(), task).collect();
        planned.analysis.prepare(self.inputs(&prepared.catalog, &prepared.prompts[task]), &entries)
    }

    fn inputs<'i>(
        &'i self,
        catalog: &'i Catalog,
        (prompts, design): &'i (TaskPrompts, Design),
    ) -> Inputs<'i> {
        let Self { model, questions, progress, .. } = self;
        let settings = &questions.analysis;
        Inputs { catalog, study: &questions.study, model, prompts, design, settings, progress: *progress }
    }

    /// Computes a step and commits it; the number of its rows.
    fn run(
        &self,
        step: &Step,
        prepared: &Prepared,
        entries: &(dyn Any + Send),
        begun: Instant,
    ) -> Result<u64, AnalyzeError> {
        let analysis = step.planned.analysis;
        let current;
        let mut reads = step.reads.clone();
        let catalog = match analysis.reads_results() {
            // Results have been committed since the catalog was opened.
            true => {
                current = Catalog::open(self.lake)?;
                if step.reads_results {
                    reads.extend(self.earlier_results(current.snapshot(), &step.planned.slot)?);
                }
                &current
            }
            false => &prepared.catalog,
        };
        let inputs = self.inputs(catalog, &prepared.prompts[step.planned.task()]);
        let results = analysis.compute(inputs, entries)?;
        self.commit(step, &reads, &results, begun)
    }

    /// The files of the study's other results about the task of `slot`, checked.
    fn earlier_results(&self, snapshot: &Snapshot, slot: &Slot) -> Result<Vec<FileEntry>, AnalyzeError> {
        let is_of_task = |other: &Slot| match other {
            Slot::Analyze { study, model, task, .. } => {
                *study == self.questions.study && model == self.model && task == slot.task()
            }
            _ => false,
        };
        let commits = snapshot.commits().filter(|commit| commit.slot != *slot && is_of_task(&commit.slot));
        let files: Vec<FileEntry> = commits.flat_map(|commit| commit.files.clone()).collect();
        files.iter().try_for_each(|file| self.lake.check(file).map(drop))?;
        Ok(files)
    }

    fn commit(
        &self,
        step: &Step,
        reads: &[FileEntry],
        results: &[Results],
        begun: Instant,
    ) -> Result<u64, AnalyzeError> {
        let slot = &step.planned.slot;
        let mut transaction = self.lake.begin(slot.clone())?;
        transaction.require(reads);
        let mut n_rows = 0;
        for Results { table, frame } in results {
            let partition = Partition::of_study(&self.questions.study, self.model, slot.task());
            let mut writer = transaction.writer(table, partition, None)?;
            if frame.height() > 0 {
                writer.write(&batch_of_frame(table, frame)?)?;
            }
            n_rows += frame.height() as u64;
            transaction.stage(writer)?;
        }
        let elapsed_ms = begun.elapsed().as_millis() as u64;
        let details = Record::Analyze(AnalyzeRecord {
            study_arguments: self.questions.study_arguments.clone(),
            elapsed_ms,
            ..step.record.clone()
        });
        transaction.commit(CommitInfo { key: step.planned.key.clone(), details, removes: Vec::new() })?;
        Ok(n_rows)
    }
}
