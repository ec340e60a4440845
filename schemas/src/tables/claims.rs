//! `claims`: what a study claims, and whether its results bear it out.

use crate::table;

table! {
    CLAIMS as ClaimRow;
    name: "claims",
    version: 1,
    grain: "claim",
    doc: "What a study claims beforehand, and whether its results bear it out. A claim is about one row of another result table, or the difference of two; which row is said in the study, so that no layer is picked by its result.",
    partitions: [Study, Model, Task],
    key: ["study", "model", "task", "claim"],
    preset: String = "The study that makes the claim.",
    claim: String = "The claim, as the study words it.",
    about: String = "The result table that the claim is about.",
    condition: Option<String> = "The condition of the row.",
    reference_condition: Option<String> = "The condition that it is compared with; null where the claim is about a level.",
    layer: Option<i16> = "The row's layer; -1 for behaviour.",
    expected_sign: String = "positive or negative.",
    estimate: Option<f64> = "The row's change, or its estimate; the difference of two rows where the claim names two.",
    ci_low: Option<f64> = "Lower end of the interval over clusters; of a difference at least as wide as it has to be, whatever the correlation of its rows.",
    ci_high: Option<f64> = "Upper end.",
    p_value: Option<f64> = "Two-sided, the row's own; of a difference an upper bound.",
    q_value: Option<f64> = "Benjamini-Hochberg over the claims of a task.",
    verdict: String = "held: q_value below .05 and the expected sign; not held: q_value below .05 and the other sign, or the interval lies below `smallest`, the least effect that the study says would count; cannot be told: neither.",
    smallest: Option<f64> = "The least effect that the study says would count; null where it says none.",
    detectable: Option<f64> = "The effect that 80 % of such studies would find at the .05 level, from the standard error of this one: (t of .975 + t of .8) standard errors.",
    n: Option<i32> = "Prompts or items of the row; the fewer where there are two.",
    n_units: Option<i32> = "Units of the row's test; the fewer where there are two.",
    n_clusters: Option<i32> = "Clusters of the row's interval; the fewer where there are two.",
    confidence: f64 = "Coverage of the interval.",
    family: String = "Name of the rows that are corrected together.",
    seed: String = "Seed of the study, as text; nothing here is random.",
    reason: Option<String> = "Why there is no verdict: no_row, several_rows, or the row's own reason.",
}
