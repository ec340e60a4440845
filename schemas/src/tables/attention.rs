//! `attention`: attention between segments.

use crate::column::ColumnType::{Float32, Int16, Text};
use crate::column::required;
use crate::table::PartitionColumn::{Layer, Model, Task};
use crate::table::Table;

/// prompt × head × query segment × key segment.
pub static ATTENTION: Table = Table {
    name: "attention",
    version: 1,
    grain: "prompt × head × query segment × key segment",
    doc: "Attention between segments: the mean over the query segment's tokens of the sum over the key segment's tokens of the attention weight. Rows exist where both segments have tokens.",
    partitions: &[Model, Task, Layer],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required("head", Int16, "From 0."),
        required("query_segment", Int16, "The segment that attends."),
        required("key_segment", Int16, "The segment attended to."),
        required("query_role", Text, "Role of the query segment."),
        required("key_role", Text, "Role of the key segment."),
        required("mass", Float32, "Attention mass in [0, 1]."),
    ],
    key: &["model", "task", "layer", "prompt_id", "head", "query_segment", "key_segment"],
};
