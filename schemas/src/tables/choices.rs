//! `choices`: how likely each candidate answer is.

use crate::column::ColumnType::{Bool, Float32, Int32, Text};
use crate::column::required;
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// one candidate answer of a prompt.
pub static CHOICES: Table = Table {
    name: "choices",
    version: 1,
    grain: "one candidate answer of a prompt",
    doc: "Forced choice: how likely the model finds each candidate. Candidates are the prompt's params whose name begins with choice_.",
    partitions: &[Model, Task],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required("choice", Text, "The candidate's name in params, e.g. choice_1."),
        required("text", Text, "The candidate."),
        required("n_tokens", Int32, "Number of its tokens."),
        required(
            "logprob",
            Float32,
            "Natural logarithm of its probability after the prompt, summed over its tokens.",
        ),
        required("is_expected", Bool, "Whether it is the expected answer."),
    ],
    key: &["model", "task", "prompt_id", "choice"],
};
