//! Text to tokens: which token ids a prompt becomes, and which of them belong to a segment.
//!
//! [`chat`] renders a prompt with a model's chat template, [`tokenizer`] gives ids and character offsets,
//! [`segment_tokens`] says which tokens belong to which segment. Reading prompts from a lake is left to the stage.

pub mod chat;
mod chat_files;
pub(crate) mod segment_tokens;
pub mod tokenizer;
