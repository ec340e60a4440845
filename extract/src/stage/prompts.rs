//! A task's prompts as the stage uses them: segments beside their prompt, candidate answers out of params.

use hypercolumn_schemas::TaskRows;
use hypercolumn_schemas::tables::{PromptRow, SegmentRow};
use serde_json::{Map, Value};
use std::collections::HashMap;

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

/// A task's prompts with their segments, in the order of ingestion.
pub fn join_segments(rows: TaskRows) -> Vec<Prompt> {
    let mut prompts: Vec<Prompt> = rows.prompts.into_iter().map(Prompt::from).collect();
    let index_of: HashMap<String, usize> =
        prompts.iter().enumerate().map(|(i, p)| (p.prompt_id.clone(), i)).collect();
    for row in rows.segments {
        if let Some(&index) = index_of.get(&row.prompt_id) {
            prompts[index].segments.push(Segment::from(row));
        }
    }
    for prompt in &mut prompts {
        prompt.segments.sort_by_key(|s| s.number);
    }
    prompts
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
