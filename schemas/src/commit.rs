//! Commits: the log that says which files are in a lake.
//!
//! A commit fills a [`Slot`] with files. The latest commit of a slot is what the slot holds; a commit may also empty
//! other slots. A [`Snapshot`] is the log replayed.

use crate::error::LakeError;
use crate::partition::Partition;
use crate::record::{ExtractRecord, Record};
use crate::slot::Slot;
use crate::table::Table;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

/// Version of the commit files that this program writes and reads.
pub const COMMIT_FORMAT: u32 = 2;

/// Name of the log's directory inside a lake.
pub(crate) const LOG_DIRECTORY: &str = "_log";

/// One Parquet file of a commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Table's name.
    pub table: String,
    /// Path relative to the lake, with `/` between levels.
    pub path: String,
    /// Partition of every row.
    pub partition: Partition,
    /// Number of rows.
    pub n_rows: u64,
    /// Size in bytes.
    pub n_bytes: u64,
    /// BLAKE3 of the whole file, hex.
    pub blake3: String,
    /// Length of the vectors, where the table has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_length: Option<i32>,
}

/// One commit, as its file in the log spells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Version of this file's layout.
    pub format: u32,
    /// Position in the log, from 0.
    pub sequence: u64,
    /// The piece of work whose files these are.
    pub slot: Slot,
    /// Hash of inputs, settings and code version (see [`crate::content_key`]).
    pub key: String,
    /// Settings, model and timings of the files.
    pub details: Record,
    /// Seconds since the Unix epoch at commit.
    pub committed_at_s: u64,
    /// Version of the program.
    pub program: String,
    /// Slots that this commit empties.
    #[serde(default)]
    pub removes: Vec<Slot>,
    /// The slot's files.
    pub files: Vec<FileEntry>,
}

/// The content of a lake at one moment: the latest commit of every slot.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    slots: BTreeMap<Slot, Commit>,
    next_sequence: u64,
}

impl Snapshot {
    /// Replays the log below `lake`.
    pub(crate) fn read(lake: &Path) -> Result<Self, LakeError> {
        let log = lake.join(LOG_DIRECTORY);
        let mut names = Vec::new();
        for entry in fs::read_dir(&log).map_err(LakeError::io("list", &log))? {
            let entry = entry.map_err(LakeError::io("list", &log))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.len() == 25 && name.ends_with(".json") {
                names.push(name);
            }
        }
        names.sort();
        let mut snapshot = Self::default();
        for name in names {
            snapshot.apply(read_commit(&log.join(name))?);
        }
        Ok(snapshot)
    }

    /// Adds one commit.
    pub(crate) fn apply(&mut self, commit: Commit) {
        self.next_sequence = commit.sequence + 1;
        for slot in &commit.removes {
            self.slots.remove(slot);
        }
        self.slots.insert(commit.slot.clone(), commit);
    }

    /// Sequence number of the next commit.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The commit that fills `slot`, if any.
    pub fn slot(&self, slot: &Slot) -> Option<&Commit> {
        self.slots.get(slot)
    }

    /// All filled slots in order.
    pub fn commits(&self) -> impl Iterator<Item = &Commit> {
        self.slots.values()
    }

    /// All shards of all extractions, with what they record.
    pub fn extractions(&self) -> impl Iterator<Item = (&Commit, &ExtractRecord)> {
        self.commits().filter_map(|c| c.details.as_extract().map(|record| (c, record)))
    }

    /// The shards of `model`'s extraction of `task`.
    pub fn shards<'a>(
        &'a self,
        model: &'a str,
        task: &'a str,
    ) -> impl Iterator<Item = (&'a Commit, &'a ExtractRecord)> {
        self.extractions().filter(move |(c, _)| c.slot.model() == Some(model) && c.slot.task() == task)
    }

    /// Every file of `table`.
    pub fn files<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a FileEntry> {
        self.commits().flat_map(|c| &c.files).filter(move |f| f.table == table.name)
    }

    /// Relative paths of all files.
    pub(crate) fn paths(&self) -> HashSet<&str> {
        self.commits().flat_map(|c| &c.files).map(|f| f.path.as_str()).collect()
    }
}

/// File name of a commit in the log.
pub(crate) fn file_name(sequence: u64) -> String {
    format!("{sequence:020}.json")
}

fn read_commit(path: &Path) -> Result<Commit, LakeError> {
    let bytes = fs::read(path).map_err(LakeError::io("read", path))?;
    let unreadable =
        |e: serde_json::Error| LakeError::Commit { path: path.to_owned(), reason: e.to_string() };
    let value: Value = serde_json::from_slice(&bytes).map_err(unreadable)?;
    let found = value.get("format").and_then(Value::as_u64).unwrap_or(0) as u32;
    if found != COMMIT_FORMAT {
        return Err(LakeError::Format { path: path.to_owned(), found, known: COMMIT_FORMAT });
    }
    serde_json::from_value(value).map_err(unreadable)
}
