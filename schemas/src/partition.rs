//! Typed partition paths: `study=…/model=…/task=…/layer=…`, encoded so that any name is a safe directory.

use crate::table::{PartitionColumn, Table};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::PathBuf;

/// The partition that a file belongs to. A level that its table does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
    /// The study's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<String>,
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The task's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<i32>,
}

impl Partition {
    /// A partition by task alone.
    pub fn of_task(task: &str) -> Self {
        Self { task: Some(task.to_owned()), ..Self::default() }
    }

    /// A partition by model and task.
    pub fn of_model(model: &str, task: &str) -> Self {
        Self { model: Some(model.to_owned()), ..Self::of_task(task) }
    }

    /// A partition of a study's results about a model and a task.
    pub fn of_study(study: &str, model: &str, task: &str) -> Self {
        Self { study: Some(study.to_owned()), ..Self::of_model(model, task) }
    }

    /// This partition at one layer.
    #[must_use]
    pub fn at_layer(mut self, layer: i32) -> Self {
        self.layer = Some(layer);
        self
    }

    /// Levels of the directory of `table`'s files, from the table's name on; levels that have no value here are left out.
    pub(crate) fn levels(&self, table: &Table) -> Vec<String> {
        let level = |level: &PartitionColumn| {
            let value = self.value(*level)?;
            Some(format!("{}={}", level.name(), percent_encode(&value)))
        };
        std::iter::once(table.name.to_owned()).chain(table.partitions.iter().filter_map(level)).collect()
    }

    /// Whether every level of `table` has a value here.
    pub(crate) fn is_of(&self, table: &Table) -> bool {
        table.partitions.iter().all(|level| self.value(*level).is_some())
    }

    fn value(&self, level: PartitionColumn) -> Option<String> {
        match level {
            PartitionColumn::Study => self.study.clone(),
            PartitionColumn::Model => self.model.clone(),
            PartitionColumn::Task => self.task.clone(),
            PartitionColumn::Layer => self.layer.map(|l| l.to_string()),
        }
    }

    /// Directory of `table`'s files in this partition, relative to the lake.
    ///
    /// # Panics
    /// If a level that the table has is missing here: a fault of the caller.
    pub fn directory(&self, table: &Table) -> PathBuf {
        let missing = table.partitions.iter().find(|level| self.value(**level).is_none());
        if let Some(level) = missing {
            panic!("{} needs {}", table.name, level.name());
        }
        self.levels(table).iter().collect()
    }
}

/// Characters with a meaning of their own in Hive paths, which are encoded: everything but ASCII letters, digits, `-`, `_` and `.`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A name as one level of a path: percent-encoded, a leading `.` too, so that no name hides or leaves its directory.
pub(crate) fn percent_encode(name: &str) -> String {
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{}", utf8_percent_encode(rest, ENCODED)),
        None => utf8_percent_encode(name, ENCODED).to_string(),
    }
}

/// The name that a level of a path encodes, if it encodes one.
pub(crate) fn percent_decode(level: &str) -> Option<String> {
    percent_decode_str(level).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables;

    #[test]
    fn a_name_cannot_leave_its_directory() {
        let p = Partition::of_task("../../etc passwd=1");
        assert_eq!(p.directory(&tables::PROMPTS), PathBuf::from("prompts/task=%2E.%2F..%2Fetc%20passwd%3D1"));
    }

    #[test]
    fn layers_are_plain_numbers() {
        let p = Partition::of_model("smollm2-135m", "a").at_layer(3);
        assert_eq!(
            p.directory(&tables::ATTENTION),
            PathBuf::from("attention/model=smollm2-135m/task=a/layer=3")
        );
    }
}
