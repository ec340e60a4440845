//! `tokens`: what the model reads.

use crate::column::ColumnType::{Bool, Int32, Text, UInt32};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// one token of a prompt or response.
pub static TOKENS: Table = Table {
    name: "tokens",
    version: 1,
    grain: "one token of a prompt or response",
    doc: "What the model reads: token ids, and where each token lies in the prompt's text.",
    partitions: &[Model, Task],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required("position", Int32, "From 0; a response's tokens follow its prompt's."),
        required("token_id", UInt32, "Id in the model's vocabulary."),
        required("piece", Text, "The vocabulary's own spelling of the token."),
        nullable(
            "start",
            Int32,
            "First character in the prompt's text, in Unicode scalar values; null in a response and for a chat \
             template's tokens, which belong to no segment but `final`.",
        ),
        nullable(
            "end",
            Int32,
            "One past the last character; null where start is; equal to start for a token with no text (BOS).",
        ),
        required("is_response", Bool, "Whether the model wrote it."),
    ],
    key: &["model", "task", "prompt_id", "position"],
};
