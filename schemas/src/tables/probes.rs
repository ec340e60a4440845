//! `probes`: what can be read linearly from a state.

use crate::table;

table! {
    PROBES as ProbeRow;
    name: "probes",
    version: 1,
    grain: "condition × layer × site × role × pooling × target × probe × metric",
    doc: "What can be read linearly from a pooled state: cross-validated probes beside their baseline and a control task.",
    partitions: [Model, Task],
    key: ["model", "task", "condition", "layer", "site", "role", "pooling", "target", "probe", "metric"],
    condition: String = "The condition whose prompts are used.",
    layer: i16 = "Layer.",
    site: String = "Site in the layer.",
    role: String = "Role of the pooled segment.",
    pooling: String = "Pooling.",
    target: String = "Name of the target in the study.",
    probe: String = "logistic (multinomial, L2) or ridge.",
    metric: String = "balanced_accuracy, accuracy, macro_f1, log_loss; or r2, mean_absolute_error, pearson_r.",
    score: Option<f64> = "On held-out prompts; null where undefined, see reason.",
    baseline: Option<f64> = "The majority class or training mean on the same folds.",
    control: Option<f64> = "The same probe on a control task: labels drawn once per group at random.",
    selectivity: Option<f64> = "score minus control (control minus score for log_loss and mean_absolute_error, where less is better).",
    p_value: Option<f64> = "Targets permuted between groups (and within them, where they vary there) with held-out predictions fixed, the null distribution widened by √2 about its mean; one-sided: (1 + b) / (1 + n).",
    q_value: Option<f64> = "Benjamini-Hochberg over all layers and conditions of one target, probe, metric, role and pooling.",
    ci_low: Option<f64> = "Lower end of the 95 % percentile bootstrap interval over groups.",
    ci_high: Option<f64> = "Upper end.",
    n_prompts: i32 = "Prompts used.",
    n_groups: Option<i32> = "Groups kept whole in folds.",
    n_classes: Option<i32> = "Classes of a logistic target; null for ridge.",
    n_folds: i32 = "Outer folds.",
    seed: String = "Seed of folds, control labels, permutations and bootstrap, as text.",
    reason: Option<String> = "Why the score is undefined.",
}
