//! A prompt and its segments in memory: what task generators make, readers of prompt files return and the extract
//! stage tokenizes. The tables `prompts` and `segments` hold the same as rows.
//!
//! Offsets are counted in Unicode scalar values, half open. Which tokens a segment has is left to the stage that runs
//! a model.

use crate::error::LakeError;
use crate::key::content_key;
use crate::tables::{PROMPTS, PromptRow, SEGMENTS, SegmentRow};
use crate::task_rows::TaskRows;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// One prompt: an item as presented under one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prompt {
    /// Unique within a task.
    pub prompt_id: String,
    /// The underlying problem; the same item appears under several conditions.
    pub item_id: String,
    /// The presentation of the item, e.g. `icl_2` for two in-context examples.
    pub condition: String,
    /// Number of in-context examples, never negative.
    pub n_examples: i32,
    /// The text that the model reads.
    pub text: String,
    /// The right continuation, where there is one; never empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Flat: strings, numbers and booleans.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// Spans of `text` with a role, in the order given, which numbers them from 1; segments may overlap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
}

/// A span of a prompt's text with a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// The function of the span in the prompt, e.g. `informative`; a free string, never empty.
    pub role: String,
    /// First Unicode scalar value of the span.
    pub start: u32,
    /// One past the last Unicode scalar value of the span; greater than `start`.
    pub end: u32,
}

impl Segment {
    /// The part of `text` that the segment covers, or `None` where it does not fit.
    #[must_use]
    pub fn slice<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut bounds = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
        let start = bounds.nth(self.start as usize)?;
        let length = self.end.checked_sub(self.start)?;
        let end = if length == 0 { start } else { bounds.nth(length as usize - 1)? };
        Some(&text[start..end])
    }
}

/// Params whose name begins with this are candidate answers.
pub const CHOICE_PREFIX: &str = "choice_";

/// The param that says what stands between a prompt and its answers.
const ANSWER_PREFIX: &str = "answer_prefix";

/// What a model is asked of a prompt: everything that decides the rows of an extraction.
#[derive(Serialize)]
pub struct PromptAsRead<'a> {
    prompt_id: &'a str,
    text: &'a str,
    expected: Option<&'a str>,
    choices: Vec<(&'a str, String)>,
    answer_prefix: Option<&'a str>,
    segments: &'a [Segment],
}

/// Digest of what a model is asked of these prompts, in whatever order they come.
#[must_use]
pub fn prompts_digest(prompts: &[Prompt]) -> String {
    let mut as_read: Vec<PromptAsRead<'_>> = prompts.iter().map(Prompt::as_read).collect();
    as_read.sort_by_key(|prompt| prompt.prompt_id);
    content_key(&as_read)
}

impl Prompt {
    /// The candidate answers by their name in `params`, in their order there.
    #[must_use]
    pub fn choices(&self) -> Vec<(&str, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let named = self.params.iter().filter(|(name, _)| name.starts_with(CHOICE_PREFIX));
        named.map(|(name, value)| (name.as_str(), text(value))).collect()
    }

    /// The prompt's own prefix of answers, if it has one.
    #[must_use]
    pub fn answer_prefix(&self) -> Option<&str> {
        self.params.get(ANSWER_PREFIX).and_then(Value::as_str)
    }

    /// What a model is asked of it.
    #[must_use]
    pub fn as_read(&self) -> PromptAsRead<'_> {
        PromptAsRead {
            prompt_id: &self.prompt_id,
            text: &self.text,
            expected: self.expected.as_deref(),
            choices: self.choices(),
            answer_prefix: self.answer_prefix(),
            segments: &self.segments,
        }
    }

    /// The prompt's row of `prompts`.
    #[must_use]
    pub fn row(&self) -> PromptRow {
        PromptRow {
            prompt_id: self.prompt_id.clone(),
            item_id: self.item_id.clone(),
            condition: self.condition.clone(),
            n_examples: self.n_examples,
            text: self.text.clone(),
            expected: self.expected.clone(),
            params: Value::Object(self.params.clone()).to_string(),
        }
    }

    /// The rows of `segments`, numbered from 1. Offsets fit an `i32`: no Arrow string has 2^31 characters.
    pub fn segment_rows(&self) -> impl Iterator<Item = SegmentRow> {
        self.segments.iter().zip(1..).map(|(segment, number)| SegmentRow {
            prompt_id: self.prompt_id.clone(),
            segment: number,
            role: segment.role.clone(),
            start: segment.start as i32,
            end: segment.end as i32,
            text: segment.slice(&self.text).unwrap_or_default().to_owned(),
        })
    }

    /// A prompt of a row, as yet without segments.
    fn from_row(row: PromptRow) -> Result<Self, LakeError> {
        let PromptRow { prompt_id, item_id, condition, n_examples, text, expected, params } = row;
        let params = serde_json::from_str(&params).map_err(|e| LakeError::Column {
            table: PROMPTS.name,
            column: "params".into(),
            problem: format!("of prompt `{prompt_id}` is not a JSON object: {e}"),
        })?;
        Ok(Self { prompt_id, item_id, condition, n_examples, text, expected, params, segments: Vec::new() })
    }
}

impl TaskRows {
    /// The rows of `prompts`, as the ingest stage writes them.
    #[must_use]
    pub fn of_prompts(task: &str, prompts: &[Prompt]) -> Self {
        Self {
            task: task.to_owned(),
            prompts: prompts.iter().map(Prompt::row).collect(),
            segments: prompts.iter().flat_map(Prompt::segment_rows).collect(),
        }
    }

    /// The prompts with their segments, in the order of the rows of `prompts`.
    ///
    /// # Errors
    /// [`LakeError::Column`] where params are not a JSON object, a segment belongs to no prompt, or the segments of a
    /// prompt are not numbered 1..=n.
    pub fn into_prompts(self) -> Result<Vec<Prompt>, LakeError> {
        let mut prompts = self.prompts.into_iter().map(Prompt::from_row).collect::<Result<Vec<_>, _>>()?;
        let index_of: HashMap<String, usize> =
            prompts.iter().enumerate().map(|(i, p)| (p.prompt_id.clone(), i)).collect();
        let mut rows = self.segments;
        rows.sort_by_key(|row| row.segment);
        for row in rows {
            let prompt = index_of.get(&row.prompt_id).map(|&i| &mut prompts[i]);
            let follows = |p: &&mut Prompt| p.segments.len() as i64 + 1 == i64::from(row.segment);
            let prompt = prompt.filter(follows).ok_or_else(|| LakeError::Column {
                table: SEGMENTS.name,
                column: "segment".into(),
                problem: format!(
                    "is {} of prompt `{}`, which has no such segment",
                    row.segment, row.prompt_id
                ),
            })?;
            prompt.segments.push(Segment { role: row.role, start: row.start as u32, end: row.end as u32 });
        }
        Ok(prompts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(prompt_id: &str, segments: Vec<Segment>) -> Prompt {
        let params = serde_json::json!({ "n": 1, "name": "Zoë" }).as_object().expect("an object").clone();
        Prompt {
            prompt_id: prompt_id.into(),
            item_id: "i".into(),
            condition: "c".into(),
            n_examples: 0,
            text: "abc".into(),
            expected: None,
            params,
            segments,
        }
    }

    #[test]
    fn prompts_come_back_from_their_rows() {
        let segment = |start, end| Segment { role: "r".into(), start, end };
        let prompts = [prompt("b", vec![segment(1, 2), segment(0, 3)]), prompt("a", Vec::new())];
        let rows = TaskRows::of_prompts("t", &prompts);
        assert_eq!(rows.segments[1].text, "abc");
        let mut shuffled = rows.clone();
        shuffled.segments.reverse();
        assert_eq!(shuffled.into_prompts().expect("joined"), prompts);
    }

    #[test]
    fn rows_that_do_not_belong_together_are_refused() {
        let rows =
            TaskRows::of_prompts("t", &[prompt("a", vec![Segment { role: "r".into(), start: 0, end: 1 }])]);
        let mut cases = [rows.clone(), rows.clone(), rows];
        cases[0].segments[0].segment = 2;
        cases[1].segments[0].prompt_id = "other".into();
        cases[2].prompts[0].params = "[]".into();
        for case in cases {
            assert!(matches!(case.into_prompts(), Err(LakeError::Column { .. })));
        }
    }

    #[test]
    fn slice_refuses_what_does_not_fit() {
        let segment = |start, end| Segment { role: "r".into(), start, end };
        assert_eq!(segment(0, 3).slice("abc"), Some("abc"));
        assert_eq!(segment(2, 3).slice("abc"), Some("c"));
        assert_eq!(segment(0, 4).slice("abc"), None);
        assert_eq!(segment(4, 5).slice("abc"), None);
        assert_eq!(segment(2, 1).slice("abc"), None);
    }
}
