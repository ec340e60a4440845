//! Everything that can go wrong between a prompt and its rows.

use crate::model::source::SourceError;
use hypercolumn_schemas::LakeError;
use std::path::PathBuf;

/// An error of the extract stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The model could not be found or fetched.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No prompts of this name in the lake.
    #[error("the lake has no task `{task}`")]
    UnknownTask {
        /// The name asked for.
        task: String,
        /// Tasks that the lake has.
        available: Vec<String>,
    },
    /// The model's file cannot be used.
    #[error("model file `{}`: {problem}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What can be done about it.
        state: ModelFileState,
    },
    /// The lake holds another model under this name.
    #[error("{}", describe_clash(name, [held_source, held_hash], [source_text, content_hash]))]
    NameTaken {
        /// The name in the lake.
        name: String,
        /// Where the model of the lake came from.
        held_source: String,
        /// Its content hash.
        held_hash: String,
        /// Where this model comes from.
        source_text: String,
        /// Its content hash.
        content_hash: String,
    },
    /// The chat template that was asked for is absent or cannot be used.
    #[error("chat template: {problem}")]
    ChatTemplate {
        /// What is wrong with it, and what is there.
        problem: String,
    },
    /// A prompt's text gives no token at all.
    #[error("prompt `{prompt_id}` has no tokens in this model's vocabulary")]
    NoTokens {
        /// The prompt.
        prompt_id: String,
    },
    /// Prompts do not fit the model's context with their responses.
    #[error("{}", describe_too_long(too_long, *n_ctx))]
    TooLong {
        /// Every such prompt, in the task's order.
        too_long: Vec<TooLongPrompt>,
        /// The model's context length in tokens.
        n_ctx: usize,
    },
    /// The tokenizer refused a text.
    #[error("could not tokenize prompt `{prompt_id}`: {problem}")]
    Tokenize {
        /// The prompt.
        prompt_id: String,
        /// The tokenizer's reason.
        problem: String,
    },
    /// Not even one block's weights at a time fit into memory.
    #[error(
        "the model needs {:.1} GB of memory with these prompts, {:.1} GB may be used",
        *needed_bytes as f64 / 1e9, *available_bytes as f64 / 1e9
    )]
    Memory {
        /// Bytes that the leanest way takes.
        needed_bytes: u64,
        /// Bytes that may be used.
        available_bytes: u64,
    },
    /// The resume checkpoint that a killed run left cannot be used.
    #[error("`{}` is not what was written", path.display())]
    ResumeCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// An edit of a capture plan does not fit the model or the batch.
    #[error("edit {index} of the capture plan: {problem}")]
    Edit {
        /// Index among the plan's edits.
        index: usize,
        /// What does not fit.
        problem: String,
    },
    /// The arithmetic library failed.
    #[error("the forward pass failed")]
    Forward(#[from] candle_core::Error),
    /// The model gave a number that is not finite.
    #[error("the model gave a non-finite value at layer {layer} for prompt `{prompt_id}`")]
    NonFinite {
        /// Layer of the value.
        layer: usize,
        /// The prompt.
        prompt_id: String,
    },
}

/// Whether a model's file is as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFileState {
    /// It is not: another copy may be.
    Damaged,
    /// It may be; this program does not carry out what it says.
    Unsupported,
}

/// Names both models that would have one name: their source and the first digits of their content hash.
fn describe_clash(name: &str, held: [&str; 2], given: [&str; 2]) -> String {
    let [[held_source, held_hash], [source, hash]] =
        [held, given].map(|[source, hash]| [source, hash.get(..12).unwrap_or(hash)]);
    if held_source == source {
        return format!(
            "`{source}` has changed since the lake's rows of model `{name}` were made: its content was {held_hash}, \
             it is {hash}"
        );
    }
    format!(
        "the lake already holds another model as `{name}`: `{held_source}` with content {held_hash}; this one is \
         `{source}` with content {hash}"
    )
}

/// A prompt that does not fit the model's context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLongPrompt {
    /// The prompt.
    pub prompt_id: String,
    /// Tokens of prompt and longest possible response or answer.
    pub n_tokens: usize,
}

/// Prompts that a message names; the others are counted.
const N_NAMED: usize = 10;

fn describe_too_long(too_long: &[TooLongPrompt], n_ctx: usize) -> String {
    let longest = too_long.iter().map(|prompt| prompt.n_tokens).max().unwrap_or(0);
    let named: Vec<String> = too_long
        .iter()
        .take(N_NAMED)
        .map(|prompt| format!("`{}` ({})", prompt.prompt_id, prompt.n_tokens))
        .collect();
    let named = named.join(", ");
    let n = too_long.len();
    let context = format!("the model's context has {n_ctx}");
    match n {
        1 => {
            let prompt_id = &too_long[0].prompt_id;
            format!("prompt `{prompt_id}` needs {longest} tokens with its response; {context}")
        }
        _ if n <= N_NAMED => {
            format!("{n} prompts need up to {longest} tokens with their responses; {context}: {named}")
        }
        _ => format!(
            "{n} prompts need up to {longest} tokens with their responses; {context}: {named} and {} more",
            n - N_NAMED
        ),
    }
}
