//! `responses`: what the model answers.

use crate::column::ColumnType::{Float32, Int32, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// one prompt.
pub static RESPONSES: Table = Table {
    name: "responses",
    version: 1,
    grain: "one prompt",
    doc: "What the model answers, decoded greedily, and how likely it finds the expected answer.",
    partitions: &[Model, Task],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required(
            "response",
            Text,
            "The greedy continuation, special tokens left out; ends at a stop string, the end-of-text token or the token limit.",
        ),
        required("n_tokens", Int32, "Number of response tokens; an end-of-text token is not counted."),
        nullable(
            "expected_logprob",
            Float32,
            "Natural logarithm of the probability of the expected answer: the sum over its tokens, each given the prompt and the tokens before it; null if the prompt has no expected answer.",
        ),
    ],
    key: &["model", "task", "prompt_id"],
};
