//! `associations`: how changes in representation go with changes in behaviour.

use crate::table;

table! {
    ASSOCIATIONS as AssociationRow;
    name: "associations",
    version: 1,
    grain: "condition × measure × layer × behavior metric × statistic",
    doc: "Do changes in a measure go with changes in behaviour? Per item, the change from the reference condition (fewest examples) to another, of the measure and of behaviour.",
    partitions: [Model, Task],
    key: ["model", "task", "condition", "measure", "layer", "behavior_metric", "statistic"],
    condition: String = "The condition compared with the reference.",
    reference_condition: String = "The condition with the fewest examples.",
    measure: String = "The measure, as in measures; or behavior for the change of behaviour itself (layer -1).",
    layer: i16 = "Layer, or -1.",
    behavior_metric: String = "The metric, as in behavior. Changes are turned so that positive is better (absolute_error counts downwards).",
    statistic: String = "spearman or pearson (changes of measure against changes of behaviour across items); paired_t, wilcoxon, cohens_dz (the measure's change against 0).",
    estimate: Option<f64> = "The statistic: a correlation; the mean change (paired_t); the rank-biserial correlation (wilcoxon); the standardised mean change (cohens_dz).",
    p_value: Option<f64> = "Two-sided; null for cohens_dz.",
    q_value: Option<f64> = "Benjamini-Hochberg across layers and conditions of one measure, metric and statistic.",
    ci_low: Option<f64> = "Lower end of the 95 % percentile bootstrap interval over items.",
    ci_high: Option<f64> = "Upper end.",
    n: i32 = "Items with both changes.",
    reason: Option<String> = "Why the estimate is undefined.",
}
