//! `segments`: spans of the texts with a role.

use crate::table;

table! {
    SEGMENTS as SegmentRow;
    name: "segments",
    version: 1,
    grain: "one segment of a prompt",
    doc: "Spans of a prompt's text with a role. Only given segments are listed; numbers 0 (whole prompt), n+1 (last token), n+2 (response) and n+3 (first_token, in attention alone) exist once a model has read the prompt.",
    partitions: [Task],
    key: ["task", "prompt_id", "segment"],
    prompt_id: String = "The prompt.",
    segment: i16 = "1..=n in the order given.",
    role: String = "Free text: instruction, example, informative, distractor, question, query, cue, …",
    start: i32 = "First character, in Unicode scalar values from 0.",
    end: i32 = "One past the last character, in Unicode scalar values.",
    text: String = "The characters from start to end.",
}
