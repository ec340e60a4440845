//! Typed partition paths: `model=…/task=…/layer=…`, encoded so that any name is a safe directory.

use crate::table::{PartitionColumn, Table};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The partition that a file belongs to. A level that its table does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
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

    /// This partition at one layer.
    #[must_use]
    pub fn at_layer(mut self, layer: i32) -> Self {
        self.layer = Some(layer);
        self
    }

    /// Directory of `table`'s files in this partition, relative to the lake.
    ///
    /// # Panics
    /// If a level that the table has is missing here: a fault of the caller.
    pub fn directory(&self, table: &Table) -> PathBuf {
        let mut path = PathBuf::from(table.name);
        for level in table.partitions {
            let value = match level {
                PartitionColumn::Model => self.model.clone(),
                PartitionColumn::Task => self.task.clone(),
                PartitionColumn::Layer => self.layer.map(|l| l.to_string()),
            };
            let value = value.unwrap_or_else(|| panic!("{} needs {}", table.name, level.name()));
            path.push(format!("{}={}", level.name(), percent_encode(&value)));
        }
        path
    }
}

/// Percent-encodes everything but ASCII letters, digits, `-`, `_` and inner `.`, as Hive readers decode it.
fn percent_encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (i, byte) in value.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && i > 0) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
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
