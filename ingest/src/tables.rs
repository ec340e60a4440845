//! Prompts into the lake: the tables `prompts` and `segments`, one slot a task.
//!
//! The slot's key is a hash of what the prompts come from (a generator's settings, or a file's bytes),
//! so that a task that is already there is left alone. Everything is checked in memory first: prompts
//! that are refused leave the lake as it was.

use crate::error::IngestError;
use crate::read::PromptsFile;
use crate::remarks::warnings;
use crate::tasks::Generator;
use crate::templates::TemplateTask;
use hypercolumn_schemas::Prompt;
use hypercolumn_schemas::tables::{PromptRow, SegmentRow};
use hypercolumn_schemas::{
    Commit, CommitInfo, IngestRecord, Lake, Partition, Recompute, Record, RecordVersion, Row, Slot, Snapshot,
    TaskRows, Transaction, content_key, describe_changes, name_problem, prompts_digest, tables,
};
use serde_json::{Value, json};
use std::time::Instant;

/// Raised when the same source would give other prompts than before.
const CODE_VERSION: u32 = 3;

/// Prompts written in one batch.
const BATCH_PROMPTS: usize = 512;

/// The source of a task's prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptSource {
    /// A built-in task.
    Generator(Generator),
    /// A user's file.
    File(PromptsFile),
    /// A template and a table of items.
    Template(Box<TemplateTask>),
}

/// The outcome of an ingest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestOutcome {
    /// Prompts of the task.
    pub n_prompts: u64,
    /// Segments of all its prompts, as given.
    pub n_segments: u64,
    /// Whether the lake held them already.
    pub reused: bool,
    /// How a file was read, where that is not plain; empty where the prompts are reused.
    pub messages: Vec<String>,
    /// Traits of the prompts that make results wrong or empty without an error; empty where the prompts are reused.
    pub warnings: Vec<String>,
}

/// The plan of an ingest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestPlan {
    /// Whether the lake holds these prompts already.
    pub reused: bool,
    /// Why, in a few words.
    pub reason: String,
}

/// Puts a task's prompts into `lake`, replacing what it held under this name; where they are the same, `recompute` says
/// whether they are written again.
///
/// # Errors
/// [`IngestError`] where the name, the settings or the file is refused, or the lake cannot be written;
/// the lake is then as it was.
pub fn ingest(
    lake: &Lake,
    task: &str,
    source: &PromptSource,
    recompute: Recompute,
) -> Result<IngestOutcome, IngestError> {
    let started = Instant::now();
    check_task(task)?;
    let description = describe(source)?;
    let slot = Slot::Ingest { task: task.to_owned() };
    let key = content_key(&(CODE_VERSION, &description));
    let is_whole = |commit: &&Commit| commit.files.iter().all(|file| lake.check(file).is_ok());
    let is_reused = |commit: &&Commit| recompute == Recompute::Changed && commit.key == key;
    if let Some(commit) = lake.snapshot()?.slot(&slot).filter(is_reused).filter(is_whole) {
        let n_rows = |table: &str| commit.files.iter().filter(|f| f.table == table).map(|f| f.n_rows).sum();
        let (n_prompts, n_segments) = (n_rows(tables::PROMPTS.name), n_rows(tables::SEGMENTS.name));
        let (messages, warnings) = Default::default();
        return Ok(IngestOutcome { n_prompts, n_segments, reused: true, messages, warnings });
    }
    let (prompts, messages) = load(source)?;
    let n_prompts = prompts.len() as u64;
    let n_segments = prompts.iter().map(|p| p.segments.len() as u64).sum();
    let mut transaction = lake.begin(slot)?;
    write(&mut transaction, task, &prompts)?;
    let details = Record::Ingest(IngestRecord {
        version: RecordVersion,
        source: description,
        n_prompts: prompts.len(),
        prompts_digest: prompts_digest(&prompts),
        elapsed_ms: started.elapsed().as_millis() as u64,
    });
    transaction.commit(CommitInfo { key, details, removes: Vec::new() })?;
    let warnings = warnings(&prompts);
    Ok(IngestOutcome { n_prompts, n_segments, reused: false, messages, warnings })
}

/// Plans an [`ingest`] into a lake that holds `snapshot`; a file is read only for its hash.
///
/// # Errors
/// As [`ingest`], where the name or the source is refused.
pub fn plan(snapshot: &Snapshot, task: &str, source: &PromptSource) -> Result<IngestPlan, IngestError> {
    check_task(task)?;
    let description = describe(source)?;
    let key = content_key(&(CODE_VERSION, &description));
    let (reused, reason) = match snapshot.slot(&Slot::Ingest { task: task.to_owned() }) {
        None => (false, "not in the lake yet".to_owned()),
        Some(commit) if commit.key == key => (true, "same source".to_owned()),
        Some(commit) => match commit.details.as_ingest() {
            Some(record) => (false, explain_change(&record.source, &description)),
            None => (false, "it was not ingested by this program".to_owned()),
        },
    };
    Ok(IngestPlan { reused, reason })
}

/// A task's rows as [`ingest`] would write them.
///
/// # Errors
/// [`IngestError`] where the name, the settings or the file is refused.
pub fn rows(task: &str, source: &PromptSource) -> Result<TaskRows, IngestError> {
    check_task(task)?;
    Ok(TaskRows::of_prompts(task, &load(source)?.0))
}

/// The prompts themselves, and how a file was read.
fn load(source: &PromptSource) -> Result<(Vec<Prompt>, Vec<String>), IngestError> {
    match source {
        PromptSource::Generator(generator) => Ok((generator.generate()?, Vec::new())),
        PromptSource::File(file) => file.read().map(|reading| (reading.prompts, reading.messages)),
        PromptSource::Template(task) => task.generate().map(|reading| (reading.prompts, reading.messages)),
    }
}

/// Refuses a name that could not be a partition, before anything is written under it.
///
/// # Errors
/// [`IngestError::TaskName`].
pub fn check_task(task: &str) -> Result<(), IngestError> {
    match name_problem("task", task) {
        Some(problem) => Err(IngestError::TaskName { name: task.to_owned(), problem }),
        None => Ok(()),
    }
}

/// The settings or the file that decide the prompts, as JSON, for the key. The path of a file decides nothing.
fn describe(source: &PromptSource) -> Result<Value, IngestError> {
    match source {
        PromptSource::Generator(generator) => {
            Ok(json!({ "generator": serde_json::to_value(generator).expect("settings are JSON") }))
        }
        PromptSource::File(file) => Ok(json!({ "file": file.describe()? })),
        PromptSource::Template(task) => Ok(json!({ "template": task.describe()? })),
    }
}

/// Names what differs between two descriptions of a source.
fn explain_change(before: &Value, now: &Value) -> String {
    let of_kind = |kind: &str| before[kind].is_object() && now[kind].is_object();
    match describe_changes(&before["generator"], &now["generator"]) {
        _ if of_kind("file") => "the file changed".into(),
        _ if of_kind("template") => changed_keys(&before["template"], &now["template"]),
        Some(changes) if of_kind("generator") => changes,
        None if of_kind("generator") => "the generator changed".into(),
        _ => "the source changed".into(),
    }
}

/// The settings of a template that differ; their values, texts and tables, are too long to show.
fn changed_keys(before: &Value, now: &Value) -> String {
    let keys = now.as_object().into_iter().flat_map(|settings| settings.keys());
    let changed: Vec<String> =
        keys.filter(|key| before[*key] != now[*key]).map(|key| format!("`{key}`")).collect();
    match changed.is_empty() {
        true => "the template's settings changed".to_owned(),
        false => format!("{} changed", changed.join(", ")),
    }
}

fn write(transaction: &mut Transaction, task: &str, prompts: &[Prompt]) -> Result<(), IngestError> {
    let mut writer = transaction.writer(&tables::PROMPTS, Partition::of_task(task), None)?;
    for chunk in prompts.chunks(BATCH_PROMPTS) {
        writer.write(&PromptRow::to_batch(&chunk.iter().map(Prompt::row).collect::<Vec<_>>())?)?;
    }
    transaction.stage(writer)?;
    let mut writer = transaction.writer(&tables::SEGMENTS, Partition::of_task(task), None)?;
    for chunk in prompts.chunks(BATCH_PROMPTS) {
        writer.write(&SegmentRow::to_batch(
            &chunk.iter().flat_map(Prompt::segment_rows).collect::<Vec<_>>(),
        )?)?;
    }
    transaction.stage(writer)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercolumn_schemas::read_batches;
    use serde_json::Map;

    fn small(lines: u32) -> PromptSource {
        let settings: Map<_, _> = [("lines", json!(lines)), ("prompts_per_line", json!(2))]
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect();
        PromptSource::Generator(Generator::from_settings("linear_regression", &settings).expect("possible"))
    }

    #[test]
    fn a_task_is_written_once_and_then_reused() {
        let directory = tempfile::tempdir().expect("a directory");
        let lake = Lake::create(directory.path().join("lake")).expect("a lake");
        let first = ingest(&lake, "lines", &small(4), Recompute::Changed).expect("written");
        assert_eq!((first.n_prompts, first.reused), (4 * 2 * 4, false));
        let second = ingest(&lake, "lines", &small(4), Recompute::Changed).expect("reused");
        assert_eq!(second, IngestOutcome { reused: true, ..first.clone() });
        let snapshot = lake.snapshot().expect("readable");
        let n_rows = |table| -> usize {
            let entries = snapshot.files(table);
            let batches = entries.flat_map(|entry| read_batches(&lake, entry).expect("readable"));
            batches.map(|batch| batch.num_rows()).sum()
        };
        assert_eq!(n_rows(&tables::PROMPTS) as u64, first.n_prompts);
        assert_eq!(n_rows(&tables::SEGMENTS) as u64, first.n_segments);
    }

    #[test]
    fn a_plan_says_what_changed() {
        let directory = tempfile::tempdir().expect("a directory");
        let lake = Lake::create(directory.path().join("lake")).expect("a lake");
        let reason =
            |source| plan(&lake.snapshot().expect("a log"), "lines", &source).expect("possible").reason;
        assert_eq!(reason(small(4)), "not in the lake yet");
        ingest(&lake, "lines", &small(4), Recompute::Changed).expect("written");
        assert_eq!(reason(small(4)), "same source");
        assert_eq!(reason(small(5)), "lines was 4, is 5");
    }

    #[test]
    fn a_task_needs_a_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let lake = Lake::create(directory.path().join("lake")).expect("a lake");
        for name in ["", "  ", "a\nb"] {
            assert!(
                matches!(
                    ingest(&lake, name, &small(4), Recompute::Changed),
                    Err(IngestError::TaskName { .. })
                ),
                "{name:?}"
            );
        }
    }
}
