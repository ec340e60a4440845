//! `behavior`: how good the answers are.

use crate::table;

/// What stands before the names of metrics of drawn responses.
pub const SAMPLED: &str = "sampled_";

table! {
    BEHAVIOR as BehaviorRow;
    name: "behavior",
    version: 4,
    grain: "one metric of one response to one prompt",
    doc: "How good the model's answers are.",
    partitions: [Study, Model, Task],
    key: ["study", "model", "task", "prompt_id", "metric", "sample"],
    prompt_id: String = "The prompt.",
    item_id: String = "The prompt's item.",
    condition: String = "The prompt's condition.",
    metric: String = "absolute_error (expected answers that are numbers), contains (1.0 if the response contains the expected answer as whole words, else 0.0), or what the task's scorer says: exact_match, first_line (the first line with text is the expected answer), numeric (the absolute error is within the tolerance); expected_logprob, forced_choice (1.0 if the expected answer is the likeliest candidate, else 0.0; a tie counts as its share), forced_choice_per_token and forced_choice_per_character (the same by log-probability divided by the candidate's tokens or characters); for drawn responses, the metrics of responses with `sampled_` before their names, so that no mean mixes them with greedy ones.",
    sample: i16 = "The response: 0 is the greedy one (and stands for metrics that are about no response), from 1 those that were drawn.",
    score: Option<f64> = "The metric's value; null where the response holds no number.",
    parsed: Option<String> = "What was read from the response; null if nothing was found.",
}
