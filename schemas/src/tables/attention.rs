//! `attention`: attention between segments.

use crate::table;

table! {
    ATTENTION as AttentionRow;
    name: "attention",
    version: 1,
    grain: "prompt × head × query segment × key segment",
    doc: "Attention between segments: the mean over the query segment's tokens of the sum over the key segment's tokens of the attention weight. Rows exist where both segments have tokens. The key first_token is the first that the model reads, where attention rests whatever it says.",
    partitions: [Model, Task, Layer],
    key: ["model", "task", "layer", "prompt_id", "head", "query_segment", "key_segment"],
    prompt_id: String = "The prompt.",
    head: i16 = "From 0.",
    query_segment: i16 = "The segment that attends.",
    key_segment: i16 = "The segment attended to.",
    query_role: String = "Role of the query segment.",
    key_role: String = "Role of the key segment.",
    mass: f32 = "Attention mass in [0, 1].",
}
