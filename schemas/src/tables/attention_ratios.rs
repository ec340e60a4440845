//! `attention_ratios`: attention to relevant against irrelevant parts.

use crate::table;

table! {
    ATTENTION_RATIOS as AttentionRatioRow;
    name: "attention_ratios",
    version: 1,
    grain: "condition × layer × head × head reduction × query × relevant × irrelevant",
    doc: "Attention to relevant against irrelevant parts of the prompt. Where heads are combined, it is done within each prompt, before averaging over prompts.",
    partitions: [Model, Task],
    key: ["model", "task", "condition", "layer", "head", "head_reduction", "query", "relevant", "irrelevant"],
    condition: String = "The condition.",
    layer: i16 = "Layer.",
    head: i16 = "Head, or -1 where heads are combined.",
    head_reduction: String = "none (one head), mean (of the masses of all heads) or max (the head with the largest ratio in each prompt).",
    query: String = "SQL that picked the query segments.",
    relevant: String = "SQL that picked the relevant segments.",
    irrelevant: String = "SQL that picked the irrelevant segments.",
    ratio: Option<f64> = "exp(log_ratio): the geometric mean over prompts of mass per token of relevant over mass per token of irrelevant segments.",
    log_ratio: Option<f64> = "Mean over prompts of the natural logarithm of the ratio per token.",
    ci_low: Option<f64> = "Lower end of the 95 % percentile bootstrap interval of log_ratio over items.",
    ci_high: Option<f64> = "Upper end.",
    p_value: Option<f64> = "One-sample t test of log_ratio against 0, two-sided.",
    q_value: Option<f64> = "Benjamini-Hochberg over the rows of one query, relevant, irrelevant and head reduction: all layers, heads and conditions.",
    ratio_raw: Option<f64> = "exp(log_ratio_raw): the ratio of masses, not divided by token counts.",
    log_ratio_raw: Option<f64> = "Mean over prompts of the natural logarithm of the ratio of masses.",
    relevant_mass: Option<f64> = "Mean over prompts of the attention mass to relevant segments.",
    irrelevant_mass: Option<f64> = "Mean over prompts of the attention mass to irrelevant segments.",
    relevant_tokens: Option<f64> = "Mean over prompts of the number of relevant tokens.",
    irrelevant_tokens: Option<f64> = "Mean over prompts of the number of irrelevant tokens.",
    top_head: Option<i16> = "Where heads are combined by max: the head that most often gave the max.",
    n_prompts: i32 = "Prompts with both kinds of segment and a query.",
    reason: Option<String> = "Why the ratio is undefined.",
}
