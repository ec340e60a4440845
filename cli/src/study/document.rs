//! Reads the text of a study; every refusal has its position in the text.

use super::{ContrastEntry, ExtractEntry, Problem, StudyFile, TaskEntry};
use crate::suggestion::suggest;
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{ANALYSES, Entries, EntryError, EntryProblem, field_names};
use hypercolumn_extract::stage::settings::{AttentionRule, HiddenRule};
use hypercolumn_schemas::name_problem;
use serde::Deserialize;
use serde_json::Value;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, ValueDeserializer};

/// A study that has been read.
pub(super) struct Document {
    pub(super) file: StudyFile,
    pub(super) tasks: Vec<Spanned<TaskEntry>>,
    pub(super) entries: Entries,
    /// Position of each entry in the text, in the order of the entries.
    pub(super) spans: Vec<Range<usize>>,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        let table = DeTable::parse(text).map_err(|e| Problem::from_toml(&e))?;
        check_names(table.get_ref())?;
        let mut rest = table.clone();
        let mut asked = serde_json::Map::new();
        let mut spans = Vec::new();
        for key in ANALYSES.iter().filter_map(|analysis| analysis.entry_key()) {
            let Some(value) = rest.get_mut().remove(key) else { continue };
            if let Some(array) = value.get_ref().as_array() {
                spans.extend(array.iter().map(|entry| entry.span()));
            }
            let value =
                Value::deserialize(ValueDeserializer::from(value)).map_err(|e| Problem::from_toml(&e))?;
            asked.insert(key.to_owned(), value);
        }
        let tasks =
            rest.get_mut().remove(TASK).map_or_else(|| Ok(Vec::new()), |tasks| read_tasks(tasks, &table))?;
        let file = read(Deserializer::from(rest), &[], &table)?;
        let entries = Entries::from_json(&Value::Object(asked)).map_err(|e| refuse_entry(&table, e))?;
        Ok(Self { file, tasks, entries, spans })
    }
}

/// Keys whose values name a study, its model, or the results of an entry.
const NAME_KEYS: [&str; 3] = ["name", "model_name", "hypothesis"];

/// Refuses names of the study, its model and its entries that a partitioned table could not hold. Names of tasks are
/// checked with their prompts.
fn check_names(study: &DeTable<'_>) -> Result<(), Problem> {
    let keys = ANALYSES.iter().filter_map(|analysis| analysis.entry_key());
    let entries =
        keys.filter_map(|key| study.get(key)?.get_ref().as_array()).flat_map(|entries| entries.iter());
    let entries = entries.filter_map(|entry| entry.get_ref().as_table());
    for table in std::iter::once(study).chain(entries) {
        for key in NAME_KEYS {
            let Some(value) = table.get(key) else { continue };
            let Some(name) = value.get_ref().as_str() else { continue };
            if let Some(problem) = name_problem(key, name) {
                return Err(Problem::at(value.span(), format!("`{name}` cannot be a `{key}`: {problem}")));
            }
        }
    }
    Ok(())
}

/// The key of a study's tasks.
const TASK: &str = "task";

/// Deserializes the value at `path` of the study `whole`.
fn read<'de, T: Deserialize<'de>>(
    value: impl serde::Deserializer<'de, Error = toml::de::Error>,
    path: &[&str],
    whole: &Spanned<DeTable<'_>>,
) -> Result<T, Problem> {
    let mut unknown: Option<Vec<String>> = None;
    let read = serde_ignored::deserialize(value, |within| {
        unknown.get_or_insert_with(|| {
            path.iter().map(|segment| (*segment).to_owned()).chain(segments_of(&within)).collect()
        });
    });
    // A key that is unknown may be a misspelt one whose absence is refused too: it is named first.
    if let Some(path) = unknown {
        let (key, parent) = path.split_last().expect("the path of a key");
        let accepted = accepted_keys(parent);
        let names: Vec<&str> = accepted.iter().map(String::as_str).collect();
        return Err(refuse_key(whole, &path, key, &names));
    }
    read.map_err(|e| Problem::from_toml(&e))
}

fn read_tasks(
    tasks: Spanned<DeValue<'_>>,
    whole: &Spanned<DeTable<'_>>,
) -> Result<Vec<Spanned<TaskEntry>>, Problem> {
    let span = tasks.span();
    let DeValue::Array(tasks) = tasks.into_inner() else {
        return Err(Problem::at(span, "expected tasks, each beginning with [[task]]"));
    };
    tasks.into_iter().enumerate().map(|(index, task)| read_task(task, &index.to_string(), whole)).collect()
}

/// Reads a task. A generator's settings stand beside the task's own keys; they are the generator's to judge.
fn read_task(
    task: Spanned<DeValue<'_>>,
    index: &str,
    whole: &Spanned<DeTable<'_>>,
) -> Result<Spanned<TaskEntry>, Problem> {
    let span = task.span();
    let DeValue::Table(table) = task.into_inner() else {
        return Err(Problem::at(span, "expected a task: a table with `name`"));
    };
    let (mut name, mut generator, mut prompts, mut map) = (None, None, None, None);
    let (mut cluster, mut reference) = (None, None);
    let (mut scorer, mut tolerance, mut numbers) = (None, None, None);
    let mut extract = ExtractEntry::default();
    let mut settings = Vec::new();
    for (key, value) in table {
        let path = [TASK, index, key.get_ref()];
        let value = ValueDeserializer::from(value);
        match key.get_ref().as_ref() {
            "name" => name = Some(read(value, &path, whole)?),
            "generator" => generator = Some(read(value, &path, whole)?),
            "prompts" => prompts = Some(read(value, &path, whole)?),
            "map" => map = Some(read(value, &path, whole)?),
            "cluster" => cluster = Some(read(value, &path, whole)?),
            "reference" => reference = Some(read(value, &path, whole)?),
            "scorer" => scorer = Some(read(value, &path, whole)?),
            "tolerance" => tolerance = Some(read(value, &path, whole)?),
            "numbers" => numbers = Some(read(value, &path, whole)?),
            "extract" => extract = read(value, &path, whole)?,
            _ => {
                let setting = toml::Value::deserialize(value).map_err(|e| Problem::from_toml(&e))?;
                settings.push((Spanned::new(key.span(), key.get_ref().clone().into_owned()), setting));
            }
        }
    }
    let name = name.ok_or_else(|| Problem::at(span.clone(), "the key `name` is missing"))?;
    let entry = TaskEntry {
        name,
        generator,
        prompts,
        map,
        cluster,
        reference,
        scorer,
        tolerance,
        numbers,
        extract,
        settings,
    };
    Ok(Spanned::new(span, entry))
}

/// The keys of the table at `path`.
fn accepted_keys(path: &[String]) -> Vec<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let names: &[&str] = match path.as_slice() {
        [] => {
            let entries = ANALYSES.iter().filter_map(|analysis| analysis.entry_key());
            return field_names::<StudyFile>()
                .iter()
                .copied()
                .chain([TASK])
                .chain(entries)
                .map(str::to_owned)
                .collect();
        }
        ["analysis"] => field_names::<AnalysisSettings>(),
        ["contrast", _] => field_names::<ContrastEntry>(),
        [.., "extract"] => field_names::<ExtractEntry>(),
        [.., "hidden_states", _] => field_names::<HiddenRule>(),
        [.., "attention"] => field_names::<AttentionRule>(),
        _ => &[],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn refuse_entry(table: &Spanned<DeTable<'_>>, EntryError { path, problem }: EntryError) -> Problem {
    match problem {
        EntryProblem::UnknownKey(accepted) => {
            let key = path.last().cloned().unwrap_or_default();
            refuse_key(table, &path, &key, accepted)
        }
        EntryProblem::Refused(reason) => Problem::at(locate(table, &path), reason),
    }
}

fn refuse_key(table: &Spanned<DeTable<'_>>, path: &[String], key: &str, accepted: &[&str]) -> Problem {
    Problem::at(locate(table, path), format!("unknown key `{key}`")).hint(suggest(key, "keys", accepted))
}

/// The keys and indices of a path. Names that serde_spanned uses for positions are no keys.
fn segments_of(path: &serde_ignored::Path<'_>) -> Vec<String> {
    let text = path.to_string();
    text.split('.').filter(|s| !s.starts_with("$__") && *s != "?").map(str::to_owned).collect()
}

/// Position in the text of the value at `path`, or of its key in a table; of the deepest that exists.
fn locate(table: &Spanned<DeTable<'_>>, path: &[String]) -> Range<usize> {
    let mut span = table.span();
    let mut node = Node::Table(table.get_ref());
    for segment in path {
        let found = match node {
            Node::Table(table) => {
                table.get_key_value(segment.as_str()).map(|(key, value)| (key.span(), value))
            }
            Node::Array(array) => segment
                .parse()
                .ok()
                .and_then(|index: usize| array.get(index))
                .map(|value| (value.span(), value)),
            Node::Leaf => None,
        };
        let Some((found, value)) = found else { break };
        span = found;
        node = match value.get_ref() {
            DeValue::Table(table) => Node::Table(table),
            DeValue::Array(array) => Node::Array(array),
            _ => Node::Leaf,
        };
    }
    span
}

enum Node<'a, 'i> {
    Table(&'a DeTable<'i>),
    Array(&'a [Spanned<DeValue<'i>>]),
    Leaf,
}
