//! Reads a task's prompts and segments from the lake.

use crate::error::ExtractError;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int16Type, Int32Type};
use hypercolumn_schemas::{Lake, LakeError, Snapshot, Table, read_batches, tables};
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
    let batches = read_task(lake, snapshot, &tables::PROMPTS, task)?;
    if batches.is_empty() {
        let tasks: BTreeSet<_> =
            snapshot.files(&tables::PROMPTS).filter_map(|f| f.partition.task.clone()).collect();
        return Err(ExtractError::UnknownTask {
            task: task.to_owned(),
            available: tasks.into_iter().collect(),
        });
    }
    let mut prompts: Vec<Prompt> = batches.iter().flat_map(prompts_of).collect();
    let places: HashMap<String, usize> =
        prompts.iter().enumerate().map(|(i, p)| (p.prompt_id.clone(), i)).collect();
    for batch in read_task(lake, snapshot, &tables::SEGMENTS, task)? {
        for (prompt_id, segment) in segments_of(&batch) {
            if let Some(&place) = places.get(&prompt_id) {
                prompts[place].segments.push(segment);
            }
        }
    }
    for prompt in &mut prompts {
        prompt.segments.sort_by_key(|s| s.number);
    }
    Ok(prompts)
}

fn read_task(
    lake: &Lake,
    snapshot: &Snapshot,
    table: &'static Table,
    task: &str,
) -> Result<Vec<RecordBatch>, LakeError> {
    let mut batches = Vec::new();
    for file in snapshot.files(table).filter(|f| f.partition.task.as_deref() == Some(task)) {
        batches.extend(read_batches(lake, file)?);
    }
    Ok(batches)
}

fn prompts_of(batch: &RecordBatch) -> Vec<Prompt> {
    let column = |name: &str| batch.column_by_name(name).expect("a promised column").as_string::<i32>();
    let (ids, texts, expected, params) =
        (column("prompt_id"), column("text"), column("expected"), column("params"));
    (0..batch.num_rows())
        .map(|i| Prompt {
            prompt_id: ids.value(i).to_owned(),
            text: texts.value(i).to_owned(),
            expected: expected.is_valid(i).then(|| expected.value(i).to_owned()),
            choices: choices_of(params.value(i)),
            segments: Vec::new(),
        })
        .collect()
}

fn choices_of(params: &str) -> Vec<(String, String)> {
    let params: Map<String, Value> = serde_json::from_str(params).unwrap_or_default();
    params
        .into_iter()
        .filter(|(name, _)| name.starts_with(CHOICE_PREFIX))
        .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}

fn segments_of(batch: &RecordBatch) -> Vec<(String, Segment)> {
    let text = |name: &str| batch.column_by_name(name).expect("a promised column").as_string::<i32>();
    let number = |name: &str| batch.column_by_name(name).expect("a promised column");
    let (ids, roles) = (text("prompt_id"), text("role"));
    let numbers = number("segment").as_primitive::<Int16Type>();
    let starts = number("start").as_primitive::<Int32Type>();
    let ends = number("end").as_primitive::<Int32Type>();
    (0..batch.num_rows())
        .map(|i| {
            let segment = Segment {
                number: numbers.value(i),
                role: roles.value(i).to_owned(),
                start: starts.value(i) as u32,
                end: ends.value(i) as u32,
            };
            (ids.value(i).to_owned(), segment)
        })
        .collect()
}
