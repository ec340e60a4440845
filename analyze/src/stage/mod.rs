//! The stage: what is to be done for a model's tasks, doing it, and committing it.
//!
//! Each analysis of each task fills one slot, `analyze/STUDY/MODEL/TASK/ANALYSIS`. A slot is done again when
//! its key changes: the digests of what it reads, the settings it depends on, or its method. All SQL of
//! a study is evaluated before the first slot is written.

mod check;
mod plan;
mod write_report;

pub use check::check;
pub use plan::{Action, PlannedStep};
pub use write_report::write_report;

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
use plan::Step;
use std::any::Any;
use std::collections::BTreeMap;
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
    Ok(plan::plan(snapshot, model, questions)?.into_iter().map(|step| step.planned).collect())
}

/// Analyses what `model` has read: every step whose inputs, settings or method have changed is done
/// again and committed; nothing is written unless all SQL of the study can be asked.
///
/// # Errors
/// As [`plan()`]; [`AnalyzeError::Expression`] for SQL that cannot be asked of the data; errors of the lake.
pub fn run(
    lake: &Lake,
    model: &str,
    questions: &Questions,
    progress: &dyn Progress,
) -> Result<Vec<StepOutcome>, AnalyzeError> {
    let _claim = lake.claim_results(&questions.study, model)?;
    let snapshot = lake.without_misplaced(lake.snapshot()?, |slot| matches!(slot, Slot::Analyze { .. }));
    let steps = plan::plan(&snapshot, model, questions)?;
    for step in steps.iter().filter(|step| step.planned.is_to_run()) {
        step.reads.iter().try_for_each(|file| lake.check(file).map(drop))?;
    }
    let job = Job { lake, model, questions, progress };
    let mut prepared = match steps.iter().any(|step| step.planned.is_to_run()) {
        true => Some(job.prepare(Catalog::of_snapshot(lake, snapshot.clone())?, &steps)?),
        false => None,
    };
    let mut outcomes = Vec::with_capacity(steps.len());
    for (number, step) in steps.into_iter().enumerate() {
        let begun = Instant::now();
        let work = prepared.as_mut().and_then(|p| Some((p.entries.remove(&number)?, &*p)));
        let (n_rows, elapsed) = match work {
            Some((entries, prepared)) => (job.run(&step, prepared, &*entries, begun)?, begun.elapsed()),
            None => {
                let commit = snapshot.slot(&step.planned.slot);
                (commit.map_or(0, |c| c.files.iter().map(|f| f.n_rows).sum()), Duration::ZERO)
            }
        };
        outcomes.push(StepOutcome { step: step.planned, n_rows, elapsed });
    }
    Ok(outcomes)
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
    fn prepare(&self, catalog: Catalog, steps: &[Step]) -> Result<Prepared, AnalyzeError> {
        let mut prepared = Prepared { catalog, prompts: BTreeMap::new(), entries: BTreeMap::new() };
        for (number, Step { planned, .. }) in steps.iter().enumerate().filter(|(_, s)| s.planned.is_to_run())
        {
            let task = planned.task();
            if !prepared.prompts.contains_key(task) {
                let table = format!("study_prompts_{}", prepared.prompts.len());
                let prompts = TaskPrompts::load(&prepared.catalog, task, table)?;
                let design = self.questions.design(task).evaluate(&prepared.catalog, &prompts)?;
                prepared.prompts.insert(task.to_owned(), (prompts, design));
            }
            let entries: Vec<_> = self.questions.entries.of(planned.analysis.name(), task).collect();
            let inputs = self.inputs(&prepared.catalog, &prepared.prompts[task]);
            prepared.entries.insert(number, planned.analysis.prepare(inputs, &entries)?);
        }
        Ok(prepared)
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
                if !step.record.settings.is_null() {
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
