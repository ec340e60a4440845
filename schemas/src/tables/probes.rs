//! `probes`: what can be read linearly from a state.

use crate::column::ColumnType::{Float64, Int16, Int32, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// condition × layer × site × role × pooling × target × probe × metric.
pub static PROBES: Table = Table {
    name: "probes",
    version: 1,
    grain: "condition × layer × site × role × pooling × target × probe × metric",
    doc: "What can be read linearly from a pooled state: cross-validated probes beside their baseline and a control task.",
    partitions: &[Model, Task],
    columns: &[
        required("condition", Text, "The condition whose prompts are used."),
        required("layer", Int16, "Layer."),
        required("site", Text, "Site in the layer."),
        required("role", Text, "Role of the pooled segment."),
        required("pooling", Text, "Pooling."),
        required("target", Text, "Name of the target in the study."),
        required("probe", Text, "logistic (multinomial, L2) or ridge."),
        required(
            "metric",
            Text,
            "balanced_accuracy, accuracy, macro_f1, log_loss; or r2, mean_absolute_error, pearson_r.",
        ),
        nullable("score", Float64, "On held-out prompts; null where undefined, see reason."),
        nullable("baseline", Float64, "The majority class or training mean on the same folds."),
        nullable(
            "control",
            Float64,
            "The same probe on a control task: labels drawn once per group at random.",
        ),
        nullable(
            "selectivity",
            Float64,
            "score minus control (control minus score for log_loss and mean_absolute_error, where less is better).",
        ),
        nullable(
            "p_value",
            Float64,
            "Targets permuted between groups (and within them, where they vary there) with held-out predictions fixed, the null distribution widened by √2 about its mean; one-sided: (1 + b) / (1 + n).",
        ),
        nullable(
            "q_value",
            Float64,
            "Benjamini-Hochberg over all layers and conditions of one target, probe, metric, role and pooling.",
        ),
        nullable("ci_low", Float64, "Lower end of the 95 % percentile bootstrap interval over groups."),
        nullable("ci_high", Float64, "Upper end."),
        required("n_prompts", Int32, "Prompts used."),
        nullable("n_groups", Int32, "Groups kept whole in folds."),
        nullable("n_classes", Int32, "Classes of a logistic target; null for ridge."),
        required("n_folds", Int32, "Outer folds."),
        required("seed", Text, "Seed of folds, control labels, permutations and bootstrap, as text."),
        nullable("reason", Text, "Why the score is undefined."),
    ],
    key: &["model", "task", "condition", "layer", "site", "role", "pooling", "target", "probe", "metric"],
};
