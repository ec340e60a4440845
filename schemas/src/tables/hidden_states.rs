//! `hidden_states`: pooled hidden states.

use crate::table;

table! {
    HIDDEN_STATES as HiddenStateRow, columns HiddenStateColumns;
    name: "hidden_states",
    version: 1,
    grain: "prompt × site × segment × pooling",
    doc: "Hidden states, pooled over the tokens of a segment. Layer 0 is the token embedding, layers 1..=L the transformer blocks.",
    partitions: [Model, Task, Layer],
    key: ["model", "task", "layer", "prompt_id", "site", "segment", "pooling"],
    prompt_id: String = "The prompt.",
    site: String = "embed (layer 0), resid_post (the residual stream after the block) or final_norm (layer L, after the model's last norm).",
    segment: i16 = "0 the whole prompt; 1..=n the given segments; n+1 the last token; n+2 the response.",
    role: String = "The segment's role: prompt, a given one, final, response.",
    pooling: String = "mean, max (element-wise) or last.",
    n_tokens: i32 = "Number of tokens pooled.",
    vector: Vec<f32> = "The pooled state, f32, d_model values.",
}
