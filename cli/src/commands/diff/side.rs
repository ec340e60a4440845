//! One side of a comparison: which rows of which tables, and the settings that they were made with.

use crate::failure::Failure;
use crate::suggestion::suggest;
use hypercolumn_schemas::{Commit, LogEntry, PartitionColumn, Record, Slot, Snapshot, Table, tables};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What is compared with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry,
    Study,
    Model,
}

/// A column of partitions and its value.
pub(super) struct Filter {
    pub(super) column: &'static str,
    pub(super) value: String,
}

/// One side of a comparison.
pub(super) struct Side {
    pub(super) kind: Kind,
    pub(super) label: String,
    /// The rows: those of which every partition column has this value.
    pub(super) filters: Vec<Filter>,
    /// Tables that have such rows.
    pub(super) tables: Vec<&'static str>,
    pub(super) settings: Value,
    /// Why the rows cannot be compared.
    pub(super) remark: Option<String>,
}

/// Fields of records that say how long something took, or that are digests of other fields.
const NOT_SETTINGS: [&str; 10] = [
    "elapsed_ms",
    "elapsed_s",
    "load_s",
    "profile_s",
    "linear_flop",
    "version",
    "stage",
    "run_key",
    "shard",
    "study_arguments",
];

impl Side {
    /// Reads `N`, `study:NAME` or `model:NAME`.
    pub(super) fn read(text: &str, entries: &[LogEntry], snapshot: &Snapshot) -> Result<Self, Failure> {
        if let Ok(number) = text.parse::<u64>() {
            return Self::of_entry(number, entries, snapshot);
        }
        match text.split_once(':') {
            Some(("study", name)) => Self::of_study(name, snapshot),
            Some(("model", name)) => Self::of_model(name, snapshot),
            _ => Err(Failure::usage(format!("could not compare `{text}`"))
                .because("it names no entry, study or model")
                .hint("accepted: the number of an entry as `hypercolumn history` shows it, study:NAME, model:NAME")),
        }
    }

    fn of_entry(number: u64, entries: &[LogEntry], snapshot: &Snapshot) -> Result<Self, Failure> {
        let refuse =
            |reason: String| Failure::usage(format!("could not compare entry {number}")).because(reason);
        let entry = entries.iter().find(|entry| entry.sequence() == number);
        let commit = match entry {
            None => return Err(refuse(format!("the log has entries below {}", entries.len()))),
            Some(LogEntry::Removal(_)) => return Err(refuse("it fills no slot".to_owned())),
            Some(LogEntry::Commit(commit)) => commit,
        };
        let now = snapshot.slot(&commit.slot).map(|now| now.sequence);
        let remark = match now {
            Some(now) if now == number => None,
            Some(now) => {
                Some(format!("the rows of entry {number} are not there any more: entry {now} replaced them"))
            }
            None => Some(format!("the rows of entry {number} are not there any more")),
        };
        let (study, model) = match &commit.slot {
            Slot::Analyze { study, .. } => (Some(study.as_str()), commit.slot.model()),
            slot => (None, slot.model()),
        };
        let filters = [("study", study), ("model", model), ("task", Some(commit.slot.task()))];
        let filter =
            |(column, value): (&'static str, Option<&str>)| Some(Filter { column, value: value?.to_owned() });
        let names: BTreeSet<&str> = commit.files.iter().map(|file| file.table.as_str()).collect();
        let mut settings = settings_of(commit);
        settings["slot"] = json!(commit.slot);
        Ok(Self {
            kind: Kind::Entry,
            label: format!("entry {number}, {}", commit.slot),
            filters: filters.into_iter().filter_map(filter).collect(),
            tables: tables_where(|table| names.contains(table.name)),
            settings,
            remark,
        })
    }

    fn of_study(name: &str, snapshot: &Snapshot) -> Result<Self, Failure> {
        let study = |commit: &Commit| match &commit.slot {
            Slot::Analyze { study, .. } => Some(study.clone()),
            _ => None,
        };
        let mut settings = Map::new();
        for commit in of_name(snapshot, "study", name, study)? {
            let Slot::Analyze { model, task, question, .. } = &commit.slot else { continue };
            settings.insert(format!("{model} {task} {question}"), settings_of(commit));
        }
        Ok(Self {
            kind: Kind::Study,
            label: format!("study {name}"),
            filters: vec![Filter { column: "study", value: name.to_owned() }],
            tables: tables_where(|table| table.partitions.contains(&PartitionColumn::Study)),
            settings: Value::Object(settings),
            remark: None,
        })
    }

    fn of_model(name: &str, snapshot: &Snapshot) -> Result<Self, Failure> {
        let model = |commit: &Commit| commit.slot.model().map(str::to_owned);
        let mut settings = Map::new();
        for commit in of_name(snapshot, "model", name, model)? {
            if commit.details.as_extract().is_some() {
                settings.insert(commit.slot.task().to_owned(), settings_of(commit));
            }
        }
        // Tables by layer are as large as the model is deep; a query of one's own says which part matters.
        let is_compared = |table: &Table| {
            table.partitions.contains(&PartitionColumn::Model)
                && !table.partitions.contains(&PartitionColumn::Layer)
                && table.name != tables::TOKENS.name
        };
        Ok(Self {
            kind: Kind::Model,
            label: format!("model {name}"),
            filters: vec![Filter { column: "model", value: name.to_owned() }],
            tables: tables_where(is_compared),
            settings: Value::Object(settings),
            remark: None,
        })
    }
}

fn tables_where(is_wanted: impl Fn(&Table) -> bool) -> Vec<&'static str> {
    tables::ALL.into_iter().filter(|table| is_wanted(table)).map(|table| table.name).collect()
}

/// The commits of a study or a model.
fn of_name<'a>(
    snapshot: &'a Snapshot,
    kind: &str,
    name: &str,
    name_of: impl Fn(&Commit) -> Option<String>,
) -> Result<Vec<&'a Commit>, Failure> {
    let found: Vec<&Commit> =
        snapshot.commits().filter(|commit| name_of(commit).as_deref() == Some(name)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let known: BTreeSet<String> = snapshot.commits().filter_map(&name_of).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(Failure::usage(format!("could not compare {kind} `{name}`"))
        .because(format!("the lake has no such {kind}"))
        .hint(suggest(name, kind, &known)))
}

/// What a commit's rows depend on, without the time that they took.
fn settings_of(commit: &Commit) -> Value {
    let mut record = match &commit.details {
        Record::Extract(record) => serde_json::to_value(record),
        Record::Ingest(record) => serde_json::to_value(record),
        Record::Analyze(record) => serde_json::to_value(record),
    }
    .expect("a record is JSON");
    if let Value::Object(fields) = &mut record {
        fields.retain(|name, _| !NOT_SETTINGS.contains(&name.as_str()));
    }
    record
}
