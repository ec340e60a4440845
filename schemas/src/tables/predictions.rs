//! `predictions`: what a probe predicted for each held-out prompt.

use crate::table;

table! {
    PREDICTIONS as PredictionRow;
    name: "predictions",
    version: 2,
    grain: "prompt × layer × site × role × pooling × target × probe",
    doc: "What a probe predicted for a prompt that it was not trained on, in the first of its fold plans.",
    partitions: [Study, Model, Task],
    key: ["study", "model", "task", "prompt_id", "layer", "site", "role", "pooling", "target", "probe"],
    prompt_id: String = "The prompt.",
    condition: String = "The prompt's condition.",
    layer: i16 = "Layer.",
    site: String = "Site in the layer.",
    role: String = "Role of the pooled segment.",
    pooling: String = "Pooling.",
    target: String = "Name of the target in the study.",
    probe: String = "logistic or ridge.",
    fold: i32 = "Outer fold that held the prompt out, from 0.",
    predicted: String = "The likeliest class, or the predicted value.",
    r#true: String = "The class or value that the target has.",
    log_probability: Option<f64> = "Natural logarithm of the probability given to the true class; null for ridge.",
}
