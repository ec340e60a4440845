//! A task's prompts and segments as rows, whether a lake holds them or they are about to be written.

use crate::error::LakeError;
use crate::lake::Lake;
use crate::reader::read_rows;
use crate::row::Row;
use crate::snapshot::Snapshot;
use crate::tables::{PromptRow, SegmentRow};

/// The rows of a task that the ingest stage writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskRows {
    /// The task.
    pub task: String,
    /// Its prompts, in order.
    pub prompts: Vec<PromptRow>,
    /// Their segments.
    pub segments: Vec<SegmentRow>,
}

impl TaskRows {
    /// The rows of `task` in a lake; no prompts if the lake has no such task.
    ///
    /// # Errors
    /// When a listed file cannot be read or is not what its table says.
    pub fn read(lake: &Lake, snapshot: &Snapshot, task: &str) -> Result<Self, LakeError> {
        let prompts = read_task(lake, snapshot, task)?;
        Ok(Self { task: task.to_owned(), prompts, segments: read_task(lake, snapshot, task)? })
    }
}

fn read_task<R: Row>(lake: &Lake, snapshot: &Snapshot, task: &str) -> Result<Vec<R>, LakeError> {
    let mut rows = Vec::new();
    for file in snapshot.files(R::TABLE).filter(|f| f.partition.task.as_deref() == Some(task)) {
        rows.extend(read_rows::<R>(lake, file)?);
    }
    Ok(rows)
}
