//! `choices`: how likely each candidate answer is.

use crate::table;

table! {
    CHOICES as ChoiceRow;
    name: "choices",
    version: 2,
    grain: "one candidate answer of a prompt",
    doc: "Forced choice: how likely the model finds each candidate. Candidates are the prompt's params whose name begins with choice_.",
    partitions: [Model, Task],
    key: ["model", "task", "prompt_id", "choice"],
    prompt_id: String = "The prompt.",
    choice: String = "The candidate's name in params, e.g. choice_1.",
    text: String = "The candidate.",
    scored: String = "The text that is scored: the candidate with what stands before it (answer_prefix).",
    n_tokens: i32 = "Number of its tokens.",
    logprob: f32 = "Natural logarithm of its probability after the prompt, summed over its tokens.",
    is_expected: bool = "Whether it is the expected answer.",
}
