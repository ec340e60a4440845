//! Mistral (Jiang et al. 2023): a Llama in which every block sees a window of the last tokens.

use super::description::{Defaults, Description};
use super::{Family, Layout};
use crate::error::ExtractError;
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "mistral",
    classes: &["MistralForCausalLM"],
    describe,
    layout: Layout::LLAMA,
    harmless: &[],
    // GGUF files call a Mistral `llama`.
    gguf: None,
};

fn describe(config: &Config) -> Result<Description, ExtractError> {
    let defaults = Defaults { family: "mistral", n_kv_heads: Some(8), n_ctx: 131_072, ..Defaults::LLAMA };
    let mut model = Description::gated(config, &defaults)?;
    model.set_window(config.optional_count("sliding_window", Some(4096))?);
    Ok(model)
}
