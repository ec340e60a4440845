//! `responses`: what the model answers.

use crate::table;

table! {
    RESPONSES as ResponseRow;
    name: "responses",
    version: 3,
    grain: "one response to one prompt",
    doc: "What the model answers, decoded greedily and, where n_samples asks for it, drawn from its distribution; and how likely it finds the expected answer.",
    partitions: [Model, Task],
    key: ["model", "task", "prompt_id", "sample"],
    prompt_id: String = "The prompt.",
    sample: i16 = "0: the greedy response, whose tokens, states and attention are in the other tables; from 1: responses drawn with the study's temperature and top_p.",
    response: String = "The continuation, special tokens left out; ends at a stop string, the end-of-text token or the token limit.",
    n_tokens: i32 = "Number of response tokens; an end-of-text token is not counted.",
    expected_logprob: Option<f32> = "Natural logarithm of the probability of the expected answer: the sum over its tokens, each given the prompt and the tokens before it, the same for every sample; null if the prompt has no expected answer.",
    scored: Option<String> = "The text whose probability that is: the expected answer with what stands before it (answer_prefix); null if the prompt has no expected answer.",
}
