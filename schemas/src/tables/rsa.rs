//! `rsa`: alignment of representations with hypotheses.

use crate::column::ColumnType::{Float64, Int16, Int32, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// condition × layer × site × role × pooling × normalization × similarity × hypothesis × comparison.
pub static RSA: Table = Table {
    name: "rsa",
    version: 1,
    grain: "condition × layer × site × role × pooling × normalization × similarity × hypothesis × comparison",
    doc: "Representational similarity analysis: how far the similarities of prompts, as the model represents them, follow a hypothesis.",
    partitions: &[Model, Task],
    columns: &[
        required("condition", Text, "The condition whose prompts are compared."),
        required("layer", Int16, "Layer."),
        required("site", Text, "Site in the layer."),
        required("role", Text, "Role of the pooled segment."),
        required("pooling", Text, "Pooling."),
        required(
            "normalization",
            Text,
            "none, center or standardize: done to each dimension across the condition's prompts.",
        ),
        required("similarity", Text, "cosine, correlation, euclidean, … between two prompts' vectors."),
        required("hypothesis", Text, "Name of the hypothesis in the study."),
        required("comparison", Text, "rho_a, spearman, …: how the two sets of pairs are compared."),
        nullable("estimate", Float64, "The alignment; null where undefined, see reason."),
        nullable(
            "p_value",
            Float64,
            "Permutation (Mantel) test, one-sided for a positive alignment: (1 + b) / (1 + n).",
        ),
        nullable(
            "q_value",
            Float64,
            "Benjamini-Hochberg over the rows of one hypothesis, comparison, normalization, similarity, role and pooling: all layers and conditions.",
        ),
        nullable(
            "p_value_max",
            Float64,
            "The same permutations, corrected over layers by their largest statistic.",
        ),
        nullable("ci_low", Float64, "Lower end of the 95 % percentile bootstrap interval over items."),
        nullable("ci_high", Float64, "Upper end."),
        required("n_prompts", Int32, "Prompts compared."),
        required(
            "n_pairs",
            Int32,
            "Pairs compared: pairs within an item and pairs where the hypothesis is null are left out.",
        ),
        nullable(
            "reference_condition",
            Text,
            "The condition with the fewest examples that shares items with this one; null in that condition itself.",
        ),
        nullable("change", Float64, "estimate minus the reference condition's, on the items that both have."),
        nullable("change_p_value", Float64, "Two-sided, from the bootstrap of the change over items."),
        nullable(
            "change_ci_low",
            Float64,
            "Lower end of the change's interval; the same draws of items serve both conditions.",
        ),
        nullable("change_ci_high", Float64, "Upper end."),
        required("n_permutations", Int32, "Permutations drawn."),
        required("n_bootstraps", Int32, "Bootstrap draws."),
        required("seed", Text, "Seed of both, as text (64-bit unsigned)."),
        nullable("reason", Text, "Why the estimate is undefined, e.g. constant_hypothesis, too_few_prompts."),
    ],
    key: &[
        "model",
        "task",
        "condition",
        "layer",
        "site",
        "role",
        "pooling",
        "normalization",
        "similarity",
        "hypothesis",
        "comparison",
    ],
};
