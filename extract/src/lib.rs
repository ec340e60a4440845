//! The extract stage: prompts in, pooled hidden states, attention, tokens and answers out.
//!
//! Reads `prompts` and `segments` from a lake, runs a language model over them once, and writes
//! `tokens`, `responses`, `choices`, `hidden_states` and `attention`, shard by shard.
//!
//! - [`model`]: model files, from where a model comes from to the architecture that its files describe.
//! - [`tokenize`]: chat templates, tokenizers, and which tokens belong to which segment.
//! - [`forward`]: the seam to a backend, and the prefix tree that it computes.
//! - [`cpu`]: the backend on the CPU, which is the reference.
//! - [`stage`]: what is to be done, doing it shard by shard, and writing it.
//!
//! What this crate leaves to others: where prompts come from (ingest) and what the tables mean (analyze).

pub mod cpu;
mod error;
pub mod forward;
pub mod model;
pub mod stage;
pub mod tokenize;

pub use error::{ExtractError, ModelFileState};
pub use stage::forecast::Forecast;
pub use stage::{ExtractPlan, Outcome, check_model, extract, plan, read_task};
