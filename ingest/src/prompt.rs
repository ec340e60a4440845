//! A prompt and its segments: what every task generator writes and every reader returns.
//!
//! Offsets are counted in Unicode scalar values, half open, as in the prompts format. What a
//! segment means for tokens, pooling or attention is left to the stages that run a model.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

/// One prompt: an item as presented under one condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prompt {
    /// Unique within a task.
    pub prompt_id: String,
    /// The underlying problem; the same item appears under several conditions.
    pub item_id: String,
    /// How the item was presented, e.g. `icl_2`.
    pub condition: String,
    /// Number of in-context examples, never negative.
    pub n_examples: i32,
    /// What the model reads.
    pub text: String,
    /// The right continuation, where there is one; never empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Flat: strings, numbers and booleans.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// The named spans of `text`, in the order given; they may overlap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
}

/// A span of a prompt's text with a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// What the span is in the prompt, e.g. `informative`; a free string, never empty.
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

/// A prompt's text under construction, which remembers where each segment lies.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    text: String,
    n_chars: u32,
    segments: Vec<Segment>,
}

impl Draft {
    /// Appends text that belongs to no segment.
    pub(crate) fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
        self.n_chars += count_chars(piece);
    }

    /// Appends text as one segment. Separators are pushed apart, so that no segment ends in one.
    pub(crate) fn push_segment(&mut self, role: &str, piece: &str) {
        let start = self.n_chars;
        self.push(piece);
        self.segments.push(Segment { role: role.to_owned(), start, end: self.n_chars });
    }

    /// The text and its segments.
    pub(crate) fn finish(self) -> (String, Vec<Segment>) {
        (self.text, self.segments)
    }
}

fn count_chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).expect("a generated piece is far shorter than 2^32")
}

/// Writes prompts in the prompts format, one JSON object a line.
///
/// # Errors
///
/// Whatever the writer refuses.
pub fn write_jsonl<W: Write>(prompts: &[Prompt], mut writer: W) -> io::Result<()> {
    for prompt in prompts {
        serde_json::to_writer(&mut writer, prompt)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draft_counts_scalar_values_not_bytes() {
        let mut draft = Draft::default();
        draft.push("né ");
        draft.push_segment("example", "Zoë 🙂");
        draft.push("\n");
        let (text, segments) = draft.finish();
        assert_eq!(segments, [Segment { role: "example".into(), start: 3, end: 8 }]);
        assert_eq!(segments[0].slice(&text), Some("Zoë 🙂"));
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
