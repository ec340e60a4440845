//! A table of items: a file, or rows that a study spells out.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::{IngestError, Location};
use crate::read::intake::Intake;
use crate::read::{ColumnMap, Item, check_file, describe_file, read_rows};

/// A table of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemTable {
    /// A file, or a directory of datasets.
    File(PathBuf),
    /// Rows by column, and what to call them in messages.
    Rows { name: &'static str, rows: Vec<Map<String, Value>> },
}

impl ItemTable {
    /// The items, and how they were read.
    ///
    /// # Errors
    /// [`IngestError`]: a file that cannot be read, no items, or rows that are refused.
    pub(crate) fn read(&self, map: &ColumnMap) -> Result<(Vec<Item>, Vec<String>), IngestError> {
        match self {
            Self::File(path) => read_rows(path, map),
            Self::Rows { rows, .. } => {
                let mut intake = Intake::new(map);
                for row in rows {
                    let location = Location::Row(intake.next_row());
                    intake.take(location, row.clone());
                }
                intake.finish(self.path())
            }
        }
    }

    /// What decides the items, for an ingest's key.
    ///
    /// # Errors
    /// [`IngestError`] where a file cannot be opened or read.
    pub(crate) fn describe(&self) -> Result<Value, IngestError> {
        match self {
            Self::File(path) => describe_file(path),
            Self::Rows { rows, .. } => Ok(json!(rows)),
        }
    }

    /// Whether a file's format is known and the file is there, short of reading it.
    ///
    /// # Errors
    /// [`IngestError`] where it is not.
    pub(crate) fn check(&self) -> Result<(), IngestError> {
        match self {
            Self::File(path) => check_file(path),
            Self::Rows { .. } => Ok(()),
        }
    }

    /// The table's path, or its name in the study.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Rows { name, .. } => Path::new(name),
        }
    }
}
