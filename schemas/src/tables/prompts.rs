//! `prompts`: the texts.

use crate::table;

table! {
    PROMPTS as PromptRow;
    name: "prompts",
    version: 1,
    grain: "one prompt",
    doc: "The texts that are put before a model, as a generator wrote them or a user brought them.",
    partitions: [Task],
    key: ["task", "prompt_id"],
    prompt_id: String = "Unique within the task.",
    item_id: String = "The underlying problem; the same item appears under several conditions.",
    condition: String = "How the item was presented, e.g. icl_2.",
    n_examples: i32 = "Number of in-context examples.",
    text: String = "The prompt, UTF-8.",
    expected: Option<String> = "The right answer as text; null if the prompt has none.",
    params: String = "A flat JSON object of strings, numbers and booleans; SQL views unpack it into columns.",
}
