//! `associations`: how changes in representation go with changes in behaviour.

use crate::table;

table! {
    ASSOCIATIONS as AssociationRow;
    name: "associations",
    version: 4,
    grain: "condition × reference condition × measure × layer × behavior metric × statistic",
    doc: "Do changes in a measure go with changes in behaviour? Per item, the change from the reference condition to another, or between the conditions of a declared contrast, of the measure and of behaviour.",
    partitions: [Study, Model, Task],
    key: ["study", "model", "task", "condition", "reference_condition", "measure", "layer", "behavior_metric", "statistic"],
    condition: String = "The condition compared with the reference.",
    reference_condition: String = "The condition that it is compared with.",
    contrast: Option<String> = "Name of the declared contrast; null where it is compared with the task's reference condition.",
    measure: String = "The measure, as in measures; or behavior for the change of behaviour itself (layer -1).",
    layer: i16 = "Layer, or -1.",
    behavior_metric: String = "The metric, as in behavior. Changes are turned so that positive is better (absolute_error counts downwards).",
    statistic: String = "spearman or pearson (changes of measure against changes of behaviour across items); spearman_within, pearson_within (the same less each cluster's mean) and spearman_between, pearson_between (across means of clusters) where clusters have several items; paired_t, wilcoxon, cohens_dz (the measure's change against 0).",
    estimate: Option<f64> = "The statistic: a correlation; the mean change (paired_t); the rank-biserial correlation (wilcoxon); the standardised mean change (cohens_dz).",
    p_value: Option<f64> = "Two-sided, over clusters; null for cohens_dz.",
    q_value: Option<f64> = "Benjamini-Hochberg over the rows of the family.",
    ci_low: Option<f64> = "Lower end of the interval over clusters; null for wilcoxon.",
    ci_high: Option<f64> = "Upper end.",
    n: i32 = "Items with both changes.",
    n_units: i32 = "Clusters, which are the units of the tests.",
    n_clusters: i32 = "Clusters among the items.",
    cluster: String = "SQL whose values the clusters have in common.",
    family: String = "Name of the rows that are corrected together.",
    confidence: f64 = "Coverage of the intervals.",
    seed: String = "Seed of the study, as text; nothing here is random.",
    reason: Option<String> = "Why the estimate or its test is undefined; tested_in_rsa: the change of an alignment is tested in table rsa; tested_in_attention_ratios: that of a contrast with a matched control in table attention_ratios.",
}
