//! `prompts`: the texts.

use crate::column::ColumnType::{Int32, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::Task;
use crate::table::Table;

/// one prompt.
pub static PROMPTS: Table = Table {
    name: "prompts",
    version: 1,
    grain: "one prompt",
    doc: "The texts that are put before a model, as a generator wrote them or a user brought them.",
    partitions: &[Task],
    columns: &[
        required("prompt_id", Text, "Unique within the task."),
        required("item_id", Text, "The underlying problem; the same item appears under several conditions."),
        required("condition", Text, "How the item was presented, e.g. icl_2."),
        required("n_examples", Int32, "Number of in-context examples."),
        required("text", Text, "The prompt, UTF-8."),
        nullable("expected", Text, "The right answer as text; null if the prompt has none."),
        required(
            "params",
            Text,
            "A flat JSON object of strings, numbers and booleans; SQL views unpack it into columns.",
        ),
    ],
    key: &["task", "prompt_id"],
};
