//! `attention_ratios`: attention to relevant against irrelevant parts.

use crate::column::ColumnType::{Float64, Int16, Int32, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// condition × layer × head × head reduction × query × relevant × irrelevant.
pub static ATTENTION_RATIOS: Table = Table {
    name: "attention_ratios",
    version: 1,
    grain: "condition × layer × head × head reduction × query × relevant × irrelevant",
    doc: "Attention to relevant against irrelevant parts of the prompt. Where heads are combined, it is done within each prompt, before averaging over prompts.",
    partitions: &[Model, Task],
    columns: &[
        required("condition", Text, "The condition."),
        required("layer", Int16, "Layer."),
        required("head", Int16, "Head, or -1 where heads are combined."),
        required(
            "head_reduction",
            Text,
            "none (one head), mean (of the masses of all heads) or max (the head with the largest ratio in each prompt).",
        ),
        required("query", Text, "SQL that picked the query segments."),
        required("relevant", Text, "SQL that picked the relevant segments."),
        required("irrelevant", Text, "SQL that picked the irrelevant segments."),
        nullable(
            "ratio",
            Float64,
            "exp(log_ratio): the geometric mean over prompts of mass per token of relevant over mass per token of irrelevant segments.",
        ),
        nullable("log_ratio", Float64, "Mean over prompts of the natural logarithm of the ratio per token."),
        nullable(
            "ci_low",
            Float64,
            "Lower end of the 95 % percentile bootstrap interval of log_ratio over items.",
        ),
        nullable("ci_high", Float64, "Upper end."),
        nullable("p_value", Float64, "One-sample t test of log_ratio against 0, two-sided."),
        nullable(
            "q_value",
            Float64,
            "Benjamini-Hochberg over the rows of one query, relevant, irrelevant and head reduction: all layers, heads and conditions.",
        ),
        nullable(
            "ratio_raw",
            Float64,
            "exp(log_ratio_raw): the ratio of masses, not divided by token counts.",
        ),
        nullable(
            "log_ratio_raw",
            Float64,
            "Mean over prompts of the natural logarithm of the ratio of masses.",
        ),
        nullable("relevant_mass", Float64, "Mean over prompts of the attention mass to relevant segments."),
        nullable(
            "irrelevant_mass",
            Float64,
            "Mean over prompts of the attention mass to irrelevant segments.",
        ),
        nullable("relevant_tokens", Float64, "Mean over prompts of the number of relevant tokens."),
        nullable("irrelevant_tokens", Float64, "Mean over prompts of the number of irrelevant tokens."),
        nullable(
            "top_head",
            Int16,
            "Where heads are combined by max: the head that most often gave the max.",
        ),
        required("n_prompts", Int32, "Prompts with both kinds of segment and a query."),
        nullable("reason", Text, "Why the ratio is undefined."),
    ],
    key: &[
        "model",
        "task",
        "condition",
        "layer",
        "head",
        "head_reduction",
        "query",
        "relevant",
        "irrelevant",
    ],
};
