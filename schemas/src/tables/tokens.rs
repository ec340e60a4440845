//! `tokens`: what the model reads.

use crate::table;

table! {
    TOKENS as TokenRow, columns TokenColumns;
    name: "tokens",
    version: 1,
    grain: "one token of a prompt or response",
    doc: "What the model reads: token ids, and where each token lies in the prompt's text.",
    partitions: [Model, Task],
    key: ["model", "task", "prompt_id", "position"],
    prompt_id: String = "The prompt.",
    position: i32 = "From 0; a response's tokens follow its prompt's.",
    token_id: u32 = "Id in the model's vocabulary.",
    piece: String = "The vocabulary's own spelling of the token.",
    start: Option<i32> = "First character in the prompt's text, in Unicode scalar values; null in a response and for a chat template's tokens, which belong to no segment but `final`.",
    end: Option<i32> = "One past the last character; null where start is; equal to start for a token with no text (BOS).",
    is_response: bool = "Whether the model wrote it.",
}
