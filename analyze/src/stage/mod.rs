//! The stage: what is to be done for a model's tasks, doing it, and committing it.
//!
//! Each analysis of each task fills one slot, `analyze/STUDY/MODEL/TASK/ANALYSIS`. A slot is done again when
//! its key changes: the digests of what it reads, the settings it depends on, or its method. All SQL of
//! a study is evaluated before the first slot is written.

mod check;
mod entries;
mod plan;

pub use check::check;
pub use plan::{Action, Analysis, PlannedStep};

use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use crate::rows::{Cell, build_batch};
use crate::settings::Questions;
use crate::{associations, attention_ratio, behavior, decoding, rsa};
use entries::TaskEntries;
use hypercolumn_schemas::{
    AnalyzeRecord, CommitInfo, Lake, Partition, Progress, Record, Slot, Snapshot, Table, tables,
};
use plan::Step;
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

/// What [`run`] would do, in order.
///
/// # Errors
/// [`AnalyzeError::UnknownTask`], [`AnalyzeError::NotExtracted`], [`AnalyzeError::Incomplete`] for what is
/// not there yet; [`AnalyzeError::Entry`] for settings that make no sense.
pub fn plan(lake: &Lake, model: &str, questions: &Questions) -> Result<Vec<PlannedStep>, AnalyzeError> {
    let steps = plan::plan(&lake.snapshot()?, model, questions)?;
    Ok(steps.into_iter().map(|step| step.planned).collect())
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
    let snapshot = lake.snapshot()?;
    let steps = plan::plan(&snapshot, model, questions)?;
    let mut outcomes = Vec::with_capacity(steps.len());
    let is_work = steps.iter().any(|step| step.planned.action == Action::Run);
    let works = match is_work {
        true => {
            let catalog = Catalog::of_snapshot(lake, snapshot.clone())?;
            Some((prepare_all(&catalog, model, questions, &steps)?, catalog))
        }
        false => None,
    };
    for step in steps {
        let slot = &step.planned.slot;
        let Some((works, catalog)) = works.as_ref().filter(|_| step.planned.action == Action::Run) else {
            let n_rows = snapshot.slot(slot).map_or(0, |c| c.files.iter().map(|f| f.n_rows).sum());
            outcomes.push(StepOutcome { step: step.planned, n_rows, elapsed: Duration::ZERO });
            continue;
        };
        let begun = Instant::now();
        let work = works.iter().find(|work| work.prompts.task == step.planned.task);
        let work = work.expect("a task with a step to run is prepared");
        let filled = work.compute(lake, catalog, model, step.planned.analysis, questions, progress)?;
        let n_rows = commit(lake, model, &step, filled, begun)?;
        outcomes.push(StepOutcome { step: step.planned, n_rows, elapsed: begun.elapsed() });
    }
    Ok(outcomes)
}

/// Rows for a slot's tables.
type Filled = Vec<(&'static Table, Vec<Vec<Cell>>)>;

/// A task with what its steps to run have been given.
struct Work<'a> {
    prompts: TaskPrompts,
    hypotheses: Vec<rsa::Prepared<'a>>,
    probes: Vec<decoding::Prepared<'a>>,
    ratios: Vec<attention_ratio::Prepared<'a>>,
}

fn prepare_all<'a>(
    catalog: &Catalog,
    model: &str,
    questions: &'a Questions,
    steps: &[Step],
) -> Result<Vec<Work<'a>>, AnalyzeError> {
    let mut works: Vec<Work> = Vec::new();
    let to_run: Vec<&PlannedStep> =
        steps.iter().map(|s| &s.planned).filter(|s| s.action == Action::Run).collect();
    for step in &to_run {
        if works.iter().any(|work| work.prompts.task == step.task) {
            continue;
        }
        let runs = |analysis| to_run.iter().any(|s| s.task == step.task && s.analysis == analysis);
        let prompts = TaskPrompts::load(catalog, &step.task, format!("study_prompts_{}", works.len()))?;
        let mut entries = TaskEntries::of(questions, &step.task);
        entries.keep(runs);
        works.push(Work {
            hypotheses: rsa::prepare(catalog, model, &prompts, &entries.hypotheses)?,
            probes: decoding::prepare(catalog, model, &prompts, &entries.probes)?,
            ratios: attention_ratio::prepare(catalog, model, &prompts, &entries.ratios)?,
            prompts,
        });
    }
    Ok(works)
}

impl Work<'_> {
    fn compute(
        &self,
        lake: &Lake,
        catalog: &Catalog,
        model: &str,
        analysis: Analysis,
        questions: &Questions,
        progress: &dyn Progress,
    ) -> Result<Filled, AnalyzeError> {
        let (prompts, settings) = (&self.prompts, &questions.analysis);
        Ok(match analysis {
            Analysis::Behavior => vec![(&tables::BEHAVIOR, behavior::compute(catalog, model, prompts)?)],
            Analysis::Rsa => {
                let found = rsa::compute(catalog, model, prompts, &self.hypotheses, settings, progress)?;
                vec![(&tables::RSA, found.rows), (&tables::MEASURES, found.measures)]
            }
            Analysis::Probes => {
                let found = decoding::compute(catalog, model, prompts, &self.probes, settings, progress)?;
                vec![(&tables::PROBES, found.rows), (&tables::MEASURES, found.measures)]
            }
            Analysis::AttentionRatios => {
                let found =
                    attention_ratio::compute(catalog, model, prompts, &self.ratios, settings, progress)?;
                vec![(&tables::ATTENTION_RATIOS, found.rows), (&tables::MEASURES, found.measures)]
            }
            Analysis::Associations => {
                // Behaviour and measures have been committed since the catalog was opened.
                let current = Catalog::open(lake)?;
                let rows = associations::compute(&current, model, prompts, settings, progress)?;
                vec![(&tables::ASSOCIATIONS, rows)]
            }
        })
    }
}

/// Writes a slot; the number of its rows.
fn commit(
    lake: &Lake,
    model: &str,
    step: &Step,
    filled: Filled,
    begun: Instant,
) -> Result<u64, AnalyzeError> {
    let mut transaction = lake.begin(step.planned.slot.clone())?;
    let mut n_rows = 0;
    for (table, rows) in filled {
        let mut writer = transaction.writer(table, Partition::of_model(model, &step.planned.task), None)?;
        for chunk in rows.chunks(ROWS_PER_BATCH) {
            writer.write(&build_batch(table, chunk)?)?;
        }
        n_rows += rows.len() as u64;
        transaction.stage(writer)?;
    }
    let elapsed_ms = begun.elapsed().as_millis() as u64;
    let details = Record::Analyze(AnalyzeRecord { elapsed_ms, ..step.record.clone() });
    let removes = of_other_studies(&lake.snapshot()?, &step.planned.slot);
    transaction.commit(CommitInfo { key: step.planned.key.clone(), details, removes })?;
    Ok(n_rows)
}

/// Slots of other studies that hold results of the same question about the same model and task. The tables do not say
/// which study a row belongs to, so that one commit takes the place of the other.
fn of_other_studies(snapshot: &Snapshot, slot: &Slot) -> Vec<Slot> {
    let Slot::Analyze { model, task, question, .. } = slot else { return Vec::new() };
    let same = |other: &&Slot| match other {
        Slot::Analyze { model: m, task: t, question: q, .. } => (m, t, q) == (model, task, question),
        _ => false,
    };
    let slots = snapshot.commits().map(|commit| &commit.slot).filter(|other| *other != slot);
    slots.filter(same).cloned().collect()
}

/// Rows turned into Arrow at a time.
const ROWS_PER_BATCH: usize = 65_536;
