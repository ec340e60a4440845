//! `segments`: spans of the texts with a role.

use crate::column::ColumnType::{Int16, Int32, Text};
use crate::column::required;
use crate::table::PartitionColumn::Task;
use crate::table::Table;

/// one segment of a prompt.
pub static SEGMENTS: Table = Table {
    name: "segments",
    version: 1,
    grain: "one segment of a prompt",
    doc: "Spans of a prompt's text with a role. Only given segments are listed; numbers 0 (whole prompt), n+1 (last token) and n+2 (response) exist once a model has read the prompt.",
    partitions: &[Task],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required("segment", Int16, "1..=n in the order given."),
        required(
            "role",
            Text,
            "Free text: instruction, example, informative, distractor, question, query, cue, …",
        ),
        required("start", Int32, "First character, in Unicode scalar values from 0."),
        required("end", Int32, "One past the last character, in Unicode scalar values."),
        required("text", Text, "The characters from start to end."),
    ],
    key: &["task", "prompt_id", "segment"],
};
