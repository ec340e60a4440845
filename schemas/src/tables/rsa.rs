//! `rsa`: alignment of representations with hypotheses.

use crate::table;

table! {
    RSA as RsaRow;
    name: "rsa",
    version: 1,
    grain: "condition × layer × site × role × pooling × normalization × similarity × hypothesis × comparison",
    doc: "Representational similarity analysis: how far the similarities of prompts, as the model represents them, follow a hypothesis.",
    partitions: [Model, Task],
    key: ["model", "task", "condition", "layer", "site", "role", "pooling", "normalization", "similarity", "hypothesis", "comparison"],
    condition: String = "The condition whose prompts are compared.",
    layer: i16 = "Layer.",
    site: String = "Site in the layer.",
    role: String = "Role of the pooled segment.",
    pooling: String = "Pooling.",
    normalization: String = "none, center or standardize: done to each dimension across the condition's prompts.",
    similarity: String = "cosine, correlation, euclidean, … between two prompts' vectors.",
    hypothesis: String = "Name of the hypothesis in the study.",
    comparison: String = "rho_a, spearman, …: how the two sets of pairs are compared.",
    estimate: Option<f64> = "The alignment; null where undefined, see reason.",
    p_value: Option<f64> = "Permutation (Mantel) test, one-sided for a positive alignment: (1 + b) / (1 + n).",
    q_value: Option<f64> = "Benjamini-Hochberg over the rows of one hypothesis, comparison, normalization, similarity, role and pooling: all layers and conditions.",
    p_value_max: Option<f64> = "The same permutations, corrected over layers by their largest statistic.",
    ci_low: Option<f64> = "Lower end of the 95 % percentile bootstrap interval over items.",
    ci_high: Option<f64> = "Upper end.",
    n_prompts: i32 = "Prompts compared.",
    n_pairs: i32 = "Pairs compared: pairs within an item and pairs where the hypothesis is null are left out.",
    reference_condition: Option<String> = "The condition with the fewest examples that shares items with this one; null in that condition itself.",
    change: Option<f64> = "estimate minus the reference condition's, on the items that both have.",
    change_p_value: Option<f64> = "Two-sided, from the bootstrap of the change over items.",
    change_ci_low: Option<f64> = "Lower end of the change's interval; the same draws of items serve both conditions.",
    change_ci_high: Option<f64> = "Upper end.",
    n_permutations: i32 = "Permutations drawn.",
    n_bootstraps: i32 = "Bootstrap draws.",
    seed: String = "Seed of both, as text (64-bit unsigned).",
    reason: Option<String> = "Why the estimate is undefined, e.g. constant_hypothesis, too_few_prompts.",
}
