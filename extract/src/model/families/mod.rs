//! The model families: one small file each, which says how a configuration becomes an architecture and under
//! which names the weights lie.
//!
//! A new family is one file with a [`Family`] and a line in [`FAMILIES`]. The words for it are few: a [`Layout`] says
//! how the file stores what the engine needs, [`Description::gated`] covers what most families share, and a file
//! states only what differs. Reading weights is left to `checkpoint`, computing with them to the engine.

mod description;
mod gemma2;
mod gpt2;
mod gpt_neox;
mod layout;
mod llama;
mod mistral;
mod phi3;
mod qwen2;
mod qwen3;
mod rotary;
mod smollm3;

pub use description::{Biases, Description};
pub use layout::{FeedForward, Layout, Orientation, QueryKeyValue, RotaryPairs};

use super::config::Config;
use crate::error::ExtractError;

/// Every family.
pub const FAMILIES: &[&Family] = &[
    &llama::FAMILY,
    &mistral::FAMILY,
    &qwen2::FAMILY,
    &qwen3::FAMILY,
    &gemma2::FAMILY,
    &phi3::FAMILY,
    &gpt2::FAMILY,
    &gpt_neox::FAMILY,
    &smollm3::FAMILY,
];

/// A family of checkpoints.
#[derive(Debug)]
pub struct Family {
    /// `model_type` in `config.json`.
    pub model_type: &'static str,
    /// The entries of `architectures` in `config.json` that are this language model.
    pub classes: &'static [&'static str],
    /// Fills in the architecture.
    pub describe: fn(&Config) -> Result<Description, ExtractError>,
    /// How safetensors hold the weights.
    pub layout: Layout,
    /// Keys of `config.json` that this family's code does not need and that change no number.
    pub harmless: &'static [&'static str],
    /// How GGUF files say the same, where they do.
    pub gguf: Option<GgufForm>,
}

/// Sizes of a decoder: GGUF keys and the names that most families of `config.json` give them.
const SIZE_KEYS: &[(&str, &str)] = &[
    ("block_count", "num_hidden_layers"),
    ("context_length", "max_position_embeddings"),
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
];

/// A family in a GGUF file.
#[derive(Debug)]
pub struct GgufForm {
    /// `general.architecture`.
    pub architecture: &'static str,
    /// Metadata keys, without the architecture in front, and the keys of `config.json` that mean the same.
    /// In lists, since families share some.
    pub keys: &'static [&'static [(&'static str, &'static str)]],
    /// Entries that converters leave out because llama.cpp knows them: a key of `config.json` and how it follows.
    pub implied: &'static [(&'static str, Implied)],
    /// How the weights lie.
    pub layout: Layout,
}

/// How an entry that GGUF files leave out follows from those that they have.
#[derive(Clone, Copy, Debug)]
pub enum Implied {
    /// Gemma 2 divides scores by the square root of `d_model / n_heads` in its 27B, of the head width in its others.
    GemmaScoreScalar,
}

/// The family of a `model_type`.
pub fn by_model_type(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().copied().find(|f| f.model_type == name)
}

/// The family of a `general.architecture`.
pub fn by_gguf_architecture(name: &str) -> Option<(&'static Family, &'static GgufForm)> {
    FAMILIES.iter().find_map(|f| f.gguf.as_ref().filter(|g| g.architecture == name).map(|g| (*f, g)))
}
