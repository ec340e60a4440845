//! `associations`: how changes in representation go with changes in behaviour.

use crate::column::ColumnType::{Float64, Int16, Int32, Text};
use crate::column::{nullable, required};
use crate::table::PartitionColumn::{Model, Task};
use crate::table::Table;

/// condition × measure × layer × behavior metric × statistic.
pub static ASSOCIATIONS: Table = Table {
    name: "associations",
    version: 1,
    grain: "condition × measure × layer × behavior metric × statistic",
    doc: "Do changes in a measure go with changes in behaviour? Per item, the change from the reference condition (fewest examples) to another, of the measure and of behaviour.",
    partitions: &[Model, Task],
    columns: &[
        required("condition", Text, "The condition compared with the reference."),
        required("reference_condition", Text, "The condition with the fewest examples."),
        required(
            "measure",
            Text,
            "The measure, as in measures; or behavior for the change of behaviour itself (layer -1).",
        ),
        required("layer", Int16, "Layer, or -1."),
        required(
            "behavior_metric",
            Text,
            "The metric, as in behavior. Changes are turned so that positive is better (absolute_error counts downwards).",
        ),
        required(
            "statistic",
            Text,
            "spearman or pearson (changes of measure against changes of behaviour across items); paired_t, wilcoxon, cohens_dz (the measure's change against 0).",
        ),
        nullable(
            "estimate",
            Float64,
            "The statistic: a correlation; the mean change (paired_t); the rank-biserial correlation (wilcoxon); the standardised mean change (cohens_dz).",
        ),
        nullable("p_value", Float64, "Two-sided; null for cohens_dz."),
        nullable(
            "q_value",
            Float64,
            "Benjamini-Hochberg across layers and conditions of one measure, metric and statistic.",
        ),
        nullable("ci_low", Float64, "Lower end of the 95 % percentile bootstrap interval over items."),
        nullable("ci_high", Float64, "Upper end."),
        required("n", Int32, "Items with both changes."),
        nullable("reason", Text, "Why the estimate is undefined."),
    ],
    key: &["model", "task", "condition", "measure", "layer", "behavior_metric", "statistic"],
};
