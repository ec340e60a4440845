//! What the log holds: commits, which fill slots with files, and removals, which empty slots.

use crate::damage::LostNumbers;
use crate::partition::Partition;
use crate::record::Record;
use crate::slot::Slot;
use crate::table::Table;
use crate::tables;
use serde::{Deserialize, Serialize};

/// Digits of a file's BLAKE3 that its name holds.
const NAME_DIGITS: usize = 16;

/// One Parquet file of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Version of the table that the file was written with; none in format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_version: Option<u32>,
}

impl FileEntry {
    /// Name of a file whose content has this BLAKE3.
    pub(crate) fn file_name(blake3: &str) -> String {
        format!("part-{}.parquet", &blake3[..NAME_DIGITS])
    }

    /// Whether the file has the columns and partitions that its table has today.
    pub(crate) fn is_current(&self) -> bool {
        let is_today = |table: &Table| {
            self.table_version.is_none_or(|version| version == table.version) && self.partition.is_of(table)
        };
        tables::by_name(&self.table).is_some_and(is_today)
    }

    /// The reason why this entry cannot be of a lake, if there is one: a path has to follow from table, partition and
    /// content, so that no log can name a file outside its lake or of another table.
    pub(crate) fn problem(&self) -> Option<String> {
        let Some(table) = tables::by_name(&self.table) else {
            return Some(format!("lists a file of `{}`, which is no table", self.table));
        };
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if self.blake3.len() != 64 || !self.blake3.bytes().all(is_hex) {
            return Some(format!("lists `{}` without a BLAKE3", self.path));
        }
        let directory = self.partition.levels(table).join("/");
        let expected = format!("{directory}/{}", Self::file_name(&self.blake3));
        (self.path != expected).then(|| format!("lists `{}`, where only `{expected}` can be", self.path))
    }
}

/// Files become what a slot holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Position in the log, from 0.
    pub sequence: u64,
    /// BLAKE3 of the entry before this one; none in the first and in those of format 2.
    #[serde(default)]
    pub previous: Option<String>,
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
    /// Paths of the files that the rows were computed from; relative to the lake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// The slot's files.
    pub files: Vec<FileEntry>,
}

/// The cause of a [`Removal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalCause {
    /// Files or entries of the log were lost.
    Repair,
    /// A user asked for it.
    Drop,
}

/// Slots become empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// Position in the log, from 0.
    pub sequence: u64,
    /// BLAKE3 of the entry before this one.
    pub previous: Option<String>,
    /// The cause.
    pub cause: RemovalCause,
    /// Seconds since the Unix epoch.
    pub committed_at_s: u64,
    /// Version of the program.
    pub program: String,
    /// The slots.
    pub removes: Vec<Slot>,
    /// Numbers of the log that are known to be lost from here on.
    #[serde(default)]
    pub lost: Vec<LostNumbers>,
    /// What was found, for people.
    #[serde(default)]
    pub findings: Vec<String>,
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub enum LogEntry {
    /// A slot was filled.
    Commit(Box<Commit>),
    /// Slots were emptied.
    Removal(Removal),
}

impl LogEntry {
    /// Position in the log.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Commit(commit) => commit.sequence,
            Self::Removal(removal) => removal.sequence,
        }
    }

    /// BLAKE3 of the entry before this one.
    pub(crate) fn previous(&self) -> Option<&str> {
        match self {
            Self::Commit(commit) => commit.previous.as_deref(),
            Self::Removal(removal) => removal.previous.as_deref(),
        }
    }

    /// The reason why the entry cannot be of a lake, if there is one.
    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Self::Commit(commit) => commit.files.iter().find_map(FileEntry::problem),
            Self::Removal(_) => None,
        }
    }
}
