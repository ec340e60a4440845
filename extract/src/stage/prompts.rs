//! Reads a task's prompts and segments from the lake.

use crate::error::ExtractError;
use hypercolumn_schemas::tables::{self, PromptRow, SegmentRow};
use hypercolumn_schemas::{Lake, LakeError, Row, Snapshot, read_rows};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// Params whose name begins so are candidate answers.
const CHOICE_PREFIX: &str = "choice_";

/// A prompt as the lake holds it.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub prompt_id: String,
    pub text: String,
    pub expected: Option<String>,
    /// Candidate answers by their name in params, in params' order.
    pub choices: Vec<(String, String)>,
    pub segments: Vec<Segment>,
}

/// A given segment; its number is its place, from 1.
#[derive(Clone, Debug)]
pub struct Segment {
    pub number: i16,
    pub role: String,
    pub start: u32,
    pub end: u32,
}

/// All prompts of `task`, in the order of ingestion.
pub fn read_prompts(lake: &Lake, snapshot: &Snapshot, task: &str) -> Result<Vec<Prompt>, ExtractError> {
    let rows: Vec<PromptRow> = read_task(lake, snapshot, task)?;
    if rows.is_empty() {
        let tasks: BTreeSet<_> =
            snapshot.files(&tables::PROMPTS).filter_map(|f| f.partition.task.clone()).collect();
        return Err(ExtractError::UnknownTask {
            task: task.to_owned(),
            available: tasks.into_iter().collect(),
        });
    }
    let mut prompts: Vec<Prompt> = rows.into_iter().map(Prompt::from).collect();
    let index_of: HashMap<String, usize> =
        prompts.iter().enumerate().map(|(i, p)| (p.prompt_id.clone(), i)).collect();
    for row in read_task::<SegmentRow>(lake, snapshot, task)? {
        if let Some(&index) = index_of.get(&row.prompt_id) {
            prompts[index].segments.push(Segment::from(row));
        }
    }
    for prompt in &mut prompts {
        prompt.segments.sort_by_key(|s| s.number);
    }
    Ok(prompts)
}

fn read_task<R: Row>(lake: &Lake, snapshot: &Snapshot, task: &str) -> Result<Vec<R>, LakeError> {
    let mut rows = Vec::new();
    for file in snapshot.files(R::TABLE).filter(|f| f.partition.task.as_deref() == Some(task)) {
        rows.extend(read_rows::<R>(lake, file)?);
    }
    Ok(rows)
}

impl From<PromptRow> for Prompt {
    fn from(row: PromptRow) -> Self {
        let PromptRow { prompt_id, text, expected, params, .. } = row;
        Self { prompt_id, text, expected, choices: choices_of(&params), segments: Vec::new() }
    }
}

impl From<SegmentRow> for Segment {
    fn from(row: SegmentRow) -> Self {
        Self { number: row.segment, role: row.role, start: row.start as u32, end: row.end as u32 }
    }
}

fn choices_of(params: &str) -> Vec<(String, String)> {
    let params: Map<String, Value> = serde_json::from_str(params).unwrap_or_default();
    params
        .into_iter()
        .filter(|(name, _)| name.starts_with(CHOICE_PREFIX))
        .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}
