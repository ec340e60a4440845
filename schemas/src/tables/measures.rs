//! `measures`: each prompt's own measures.

use crate::column::ColumnType::{Float64, Int16, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// one measure of one prompt at one layer.
pub static MEASURES: Table = Table {
    name: "measures",
    version: 1,
    grain: "one measure of one prompt at one layer",
    doc: "What associations are computed from: each prompt's own alignment, held-out probe score and log attention ratio.",
    partitions: &[Model, Task],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required("item_id", Text, "The prompt's item."),
        required("condition", Text, "The prompt's condition."),
        required(
            "measure",
            Text,
            "What was measured, e.g. alignment: same line; probe: slope; attention: final to informative over distractor.",
        ),
        required("layer", Int16, "Layer."),
        nullable(
            "value",
            Float64,
            "Alignment: the comparison over the pairs of this prompt alone; probe: log-probability of the true class, or minus the absolute error, when held out; attention: log-ratio, heads combined by mean.",
        ),
    ],
    key: &["model", "task", "prompt_id", "measure", "layer"],
};
