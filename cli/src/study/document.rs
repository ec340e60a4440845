//! Reads the text of a study; every refusal has its position in the text. What is refused is left out, and the rest is
//! read, so that all that is wrong can be named at once.

use super::reader::{Reader, is_misspelt};
use super::{ContrastEntry, ExtractEntry, Problem, StudyFile, TaskEntry};
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{
    ANALYSES, Entries, EntryError, EntryProblem, ReadEntries, field_names, missing_key,
};
use hypercolumn_extract::stage::settings::{AttentionRule, HiddenRule};
use hypercolumn_schemas::name_problem;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// A study that has been read.
pub(super) struct Document {
    pub(super) file: StudyFile,
    pub(super) tasks: Vec<Spanned<TaskEntry>>,
    /// Whether a task could not be read at all.
    pub(super) lacks_tasks: bool,
    pub(super) entries: Entries,
    /// Key and index of the entries of which a part was refused.
    pub(super) flawed: BTreeSet<(String, usize)>,
    /// What is wrong with the text.
    pub(super) problems: Vec<Problem>,
}

impl Document {
    /// Reads `text`.
    ///
    /// # Errors
    /// The problem of a text that is no TOML, beside which no other can be found.
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        let whole = DeTable::parse(text).map_err(|e| Problem::from_toml(&e))?;
        let mut reader = Reader::new(&whole, accepted_keys);
        check_names(whole.get_ref(), &mut reader.problems);
        let mut rest = whole.clone().into_inner();
        let ReadEntries { entries, errors } = read_entries(&mut rest, &mut reader);
        let flawed =
            errors.iter().filter_map(|e| Some((e.path.first()?.clone(), e.path.get(1)?.parse().ok()?)));
        let flawed = flawed.collect();
        refuse_entries(errors, &mut reader);
        let tasks = rest.remove(TASK).map_or_else(Vec::new, |tasks| read_tasks(tasks, &mut reader));
        let lacks_tasks = tasks.iter().any(Option::is_none);
        let tasks = tasks.into_iter().flatten().collect();
        let file = read_file(rest, &whole, &mut reader);
        Ok(Self { file, tasks, lacks_tasks, entries, flawed, problems: reader.problems })
    }
}

/// Keys whose values name a study, its model, or the results of an entry.
const NAME_KEYS: [&str; 3] = ["name", "model_name", "hypothesis"];

/// Refuses names of the study, its model and its entries that a partitioned table could not hold. Names of tasks are
/// checked with their prompts.
fn check_names(study: &DeTable<'_>, problems: &mut Vec<Problem>) {
    let keys = ANALYSES.iter().filter_map(|analysis| analysis.entry_key());
    let entries =
        keys.filter_map(|key| study.get(key)?.get_ref().as_array()).flat_map(|entries| entries.iter());
    let entries = entries.filter_map(|entry| entry.get_ref().as_table());
    for table in std::iter::once(study).chain(entries) {
        for key in NAME_KEYS {
            let Some(value) = table.get(key) else { continue };
            let Some(name) = value.get_ref().as_str() else { continue };
            if let Some(problem) = name_problem(key, name) {
                problems.push(Problem::at(value.span(), format!("`{name}` cannot be a `{key}`: {problem}")));
            }
        }
    }
}

/// Takes the entries of the analyses out of the study and reads them.
fn read_entries(study: &mut DeTable<'_>, reader: &mut Reader<'_, '_>) -> ReadEntries {
    let mut asked = serde_json::Map::new();
    for key in ANALYSES.iter().filter_map(|analysis| analysis.entry_key()) {
        let Some(value) = study.remove(key) else { continue };
        match Value::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => drop(asked.insert(key.to_owned(), value)),
            Err(error) => reader.problems.push(Problem::from_toml(&error)),
        }
    }
    Entries::read(&Value::Object(asked))
}

/// Refuses what is wrong with entries, but for a missing key of which an unknown one is a misspelling.
fn refuse_entries(errors: Vec<EntryError>, reader: &mut Reader<'_, '_>) {
    let is_unknown = |e: &&EntryError| matches!(e.problem, EntryProblem::UnknownKey(_));
    let unknown: Vec<Vec<String>> = errors.iter().filter(is_unknown).map(|e| e.path.clone()).collect();
    for EntryError { path, problem } in errors {
        match problem {
            EntryProblem::UnknownKey(accepted) => reader.refuse_key(&path, accepted),
            EntryProblem::Refused(reason) => {
                let beside = unknown.iter().filter(|u| u.starts_with(&path)).filter_map(|u| u.last());
                if !is_misspelt(missing_key(&reason), beside) {
                    reader.refuse_at(&path, reason);
                }
            }
        }
    }
}

/// The key of a study's tasks.
const TASK: &str = "task";

/// The key of a study's and a task's name.
const NAME: &str = "name";

/// Reads all but the tasks and the entries.
fn read_file(rest: DeTable<'_>, whole: &Spanned<DeTable<'_>>, reader: &mut Reader<'_, '_>) -> StudyFile {
    // A study without a usable name is refused; this name only serves the checks that follow.
    let mut file = StudyFile::new(Spanned::new(0..0, String::new()));
    let has_name = rest.contains_key(NAME);
    let mut unknown = Vec::new();
    for (key, value) in rest {
        let name = key.get_ref().as_ref();
        match name {
            NAME => file.name = reader.value(value, &[NAME]).unwrap_or(file.name),
            "model" => file.model = reader.value(value, &[name]),
            "model_name" => file.model_name = reader.value(value, &[name]),
            "extract" => {
                let n_before = reader.problems.len();
                file.extract = reader.table(value, &[name]).unwrap_or_default();
                file.extract.is_flawed = reader.problems.len() > n_before;
            }
            "analysis" => {
                let span = value.span();
                let analysis: Option<AnalysisSettings> = reader.table(value, &[name]);
                file.analysis = Spanned::new(span, analysis.unwrap_or_default());
            }
            "contrast" => file.contrast = read_contrasts(value, reader),
            _ => {
                unknown.push(name.to_owned());
                reader.refuse_key(&[name.to_owned()], &accepted_keys(&[]));
            }
        }
    }
    if !has_name && !is_misspelt(Some(NAME), &unknown) {
        reader.problems.push(Problem::at(whole.span(), format!("missing field `{NAME}`")));
    }
    file
}

fn read_contrasts(contrasts: Spanned<DeValue<'_>>, reader: &mut Reader<'_, '_>) -> Vec<ContrastEntry> {
    let span = contrasts.span();
    let DeValue::Array(contrasts) = contrasts.into_inner() else {
        let message = "expected contrasts, each beginning with [[contrast]]";
        reader.problems.push(Problem::at(span, message));
        return Vec::new();
    };
    let read = |(index, contrast)| reader.table(contrast, &["contrast", &usize::to_string(&index)]);
    contrasts.into_iter().enumerate().filter_map(read).collect()
}

/// The tasks; none in the place of one that cannot be read.
fn read_tasks(tasks: Spanned<DeValue<'_>>, reader: &mut Reader<'_, '_>) -> Vec<Option<Spanned<TaskEntry>>> {
    let span = tasks.span();
    let DeValue::Array(tasks) = tasks.into_inner() else {
        reader.problems.push(Problem::at(span, "expected tasks, each beginning with [[task]]"));
        return vec![None];
    };
    tasks.into_iter().enumerate().map(|(index, task)| read_task(task, &index.to_string(), reader)).collect()
}

/// Reads a task. A generator's settings stand beside the task's own keys; they are the generator's to judge.
fn read_task(
    task: Spanned<DeValue<'_>>,
    index: &str,
    reader: &mut Reader<'_, '_>,
) -> Option<Spanned<TaskEntry>> {
    let span = task.span();
    let DeValue::Table(table) = task.into_inner() else {
        reader.problems.push(Problem::at(span, "expected a task: a table with `name`"));
        return None;
    };
    let n_before = reader.problems.len();
    let has_name = table.contains_key(NAME);
    let mut name = None;
    let mut entry = TaskEntry::new(Spanned::new(0..0, String::new()));
    for (key, value) in table {
        let own = key.get_ref().clone();
        let path = [TASK, index, own.as_ref()];
        match own.as_ref() {
            NAME => name = reader.value(value, &path),
            "generator" => entry.generator = reader.value(value, &path),
            "prompts" => entry.prompts = reader.value(value, &path),
            "map" => entry.map = reader.value(value, &path),
            "cluster" => entry.cluster = reader.value(value, &path),
            "reference" => entry.reference = reader.value(value, &path),
            "scorer" => entry.scorer = reader.value(value, &path),
            "tolerance" => entry.tolerance = reader.value(value, &path),
            "numbers" => entry.numbers = reader.value(value, &path),
            "pmi_baseline" => entry.pmi_baseline = reader.value(value, &path),
            "extract" => {
                let n_before = reader.problems.len();
                entry.extract = reader.table(value, &path).unwrap_or_default();
                entry.extract.is_flawed = reader.problems.len() > n_before;
            }
            _ => match toml::Value::deserialize(ValueDeserializer::from(value)) {
                Ok(setting) => entry.settings.push((Spanned::new(key.span(), own.into_owned()), setting)),
                Err(error) => reader.problems.push(Problem::from_toml(&error)),
            },
        }
    }
    if !has_name {
        reader.problems.push(Problem::at(span.clone(), "the key `name` is missing"));
    }
    entry.name = name?;
    entry.is_flawed = reader.problems.len() > n_before;
    Some(Spanned::new(span, entry))
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
