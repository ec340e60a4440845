//! What an extraction keeps, and how it answers, as the command line says it.

use super::{ChatOption, PoolingArg};
use clap::Args as ClapArgs;

/// Settings of an extraction in place of the study's.
#[derive(Debug, ClapArgs)]
pub struct KeepArgs {
    /// Poolings to keep, in place of the study's.
    #[arg(long, value_delimiter = ',', value_name = "POOLING,…")]
    pub pooling: Vec<PoolingArg>,
    /// Longest response in tokens; 0 for none.
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// End a response with this text; may be repeated.
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Responses drawn for each prompt beside the greedy one.
    #[arg(long, value_name = "N")]
    pub n_samples: Option<usize>,
    /// Temperature of drawn responses.
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Nucleus of drawn responses: the likeliest tokens that reach this probability together.
    #[arg(long, value_name = "P")]
    pub top_p: Option<f64>,
    /// Seed of drawn responses.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Text between a prompt and an answer that is scored, in place of what the prompt suggests; may be empty.
    #[arg(long, value_name = "TEXT")]
    pub answer_prefix: Option<String>,
    #[command(flatten)]
    pub chat: ChatOption,
}
