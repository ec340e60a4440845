//! `contrasts`: changes between two conditions that a study declares.

use crate::table;

table! {
    CONTRASTS as ContrastRow;
    name: "contrasts",
    version: 1,
    grain: "contrast × analysis × question × variant × layer × site × head",
    doc: "Changes between the two conditions of each contrast that a study declares, matched by item. Changes from a task's reference condition are in the tables of the analyses themselves.",
    partitions: [Study, Model, Task],
    key: ["study", "model", "task", "contrast", "analysis", "question", "variant", "layer", "site", "head"],
    contrast: String = "Name of the contrast in the study.",
    condition: String = "The condition whose value counts positively.",
    reference_condition: String = "The condition whose value is subtracted.",
    analysis: String = "What changes: behavior (an item's score, turned so that positive is better), rsa (the alignment) or attention_ratios (the contrast of log masses).",
    question: String = "The metric, the hypothesis, or the name of the attention ratio.",
    variant: String = "How it was measured: role, pooling, normalization, similarity and comparison of rsa; mean, max or none (one head) of attention_ratios; empty for behavior.",
    layer: i16 = "Layer; -1 for behavior.",
    site: String = "Site in the layer; empty but for rsa.",
    head: i16 = "Head, or -1.",
    change: Option<f64> = "The value in condition less that in reference_condition, on the items that both have.",
    ci_low: Option<f64> = "Lower end of the interval over clusters.",
    ci_high: Option<f64> = "Upper end.",
    p_value: Option<f64> = "Two-sided test of change against 0 over clusters; null for the maximum over heads.",
    q_value: Option<f64> = "Benjamini-Hochberg over the rows of the family.",
    p_value_fwer: Option<f64> = "Family-wise error p-value over the layers, sites and heads of one question, variant and contrast, by random signs of the clusters; null for behavior.",
    n_items: i32 = "Items that both conditions have.",
    n_units: i32 = "Clusters, which are the units of the test.",
    n_clusters: i32 = "Clusters.",
    cluster: String = "SQL whose values the clusters have in common.",
    family: String = "Name of the rows that are corrected together.",
    confidence: f64 = "Coverage of the interval.",
    n_bootstraps: i32 = "Draws of signs behind p_value_fwer.",
    seed: String = "Seed of the study, as text.",
    reason: Option<String> = "Why the change is undefined.",
}
