//! `behavior`: how good the answers are.

use crate::column::ColumnType::{Float64, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// one metric of one prompt.
pub static BEHAVIOR: Table = Table {
    name: "behavior",
    version: 1,
    grain: "one metric of one prompt",
    doc: "How good the model's answers are.",
    partitions: &[Model, Task],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required("item_id", Text, "The prompt's item."),
        required("condition", Text, "The prompt's condition."),
        required(
            "metric",
            Text,
            "absolute_error (expected answers that are numbers), exact (1.0 if the response contains the expected answer, else 0.0), expected_logprob, forced_choice (1.0 if the expected answer is the likeliest candidate, else 0.0).",
        ),
        nullable("score", Float64, "The metric's value; null where the response holds no number."),
        nullable("parsed", Text, "What was read from the response; null if nothing was found."),
    ],
    key: &["model", "task", "prompt_id", "metric"],
};
