//! The extract stage: prompts in, pooled hidden states, attention, tokens and answers out.
//!
//! Reads `prompts` and `segments` from a lake, runs a language model over them once, and writes
//! `tokens`, `responses`, `choices`, `hidden_states` and `attention`, shard by shard.
//!
//! The road of a prompt: `chat` puts a template around it if asked to, [`tokenizer`] gives ids and character offsets,
//! `membership` says which tokens belong to which segment, `tree` packs prompts so that tokens they share are computed
//! once, [`backend`] is what a model must do, [`model`] reads a checkpoint and does it, `taps` pool what passes by,
//! `rows` turns pools into table rows. `sweep` keeps how far a model larger than memory is, [`profile`] where time goes.
//!
//! What this crate leaves to others: where prompts come from (ingest) and what the tables mean (analyze).

mod attention_files;
pub mod backend;
mod chat;
mod chunk;
mod error;
mod forecast;
pub mod inspect;
mod membership;
pub mod model;
mod plan;
pub mod profile;
mod prompts;
mod reading;
pub mod resources;
mod rows;
pub mod settings;
mod shard;
pub mod source;
mod stage;
mod sweep;
mod taps;
pub mod tokenizer;
mod tree;
mod vector;
mod writers;

pub use error::ExtractError;
pub use forecast::Forecast;
pub use stage::{ExtractPlan, Outcome, extract, plan};
