//! `hidden_states`: pooled hidden states.

use crate::column::ColumnType::{Int16, Int32, Text, Vector};
use crate::column::required;
use crate::table::PartitionColumn::{Layer, Model, Task};
use crate::table::Table;

/// prompt × site × segment × pooling.
pub static HIDDEN_STATES: Table = Table {
    name: "hidden_states",
    version: 1,
    grain: "prompt × site × segment × pooling",
    doc: "Hidden states, pooled over the tokens of a segment. Layer 0 is the token embedding, layers 1..=L the transformer blocks.",
    partitions: &[Model, Task, Layer],
    columns: &[
        required("prompt_id", Text, "The prompt."),
        required(
            "site",
            Text,
            "embed (layer 0), resid_post (the residual stream after the block) or final_norm (layer L, after the model's last norm).",
        ),
        required(
            "segment",
            Int16,
            "0 the whole prompt; 1..=n the given segments; n+1 the last token; n+2 the response.",
        ),
        required("role", Text, "The segment's role: prompt, a given one, final, response."),
        required("pooling", Text, "mean, max (element-wise) or last."),
        required("n_tokens", Int32, "Number of tokens pooled."),
        required("vector", Vector, "The pooled state, f32, d_model values."),
    ],
    key: &["model", "task", "layer", "prompt_id", "site", "segment", "pooling"],
};
