//! Qwen2 and Qwen2.5 (Yang et al. 2024): a Llama with biases on query, key and value; upper blocks may see a window.

use super::description::{Biases, Defaults, Description};
use super::llama::GATED_KEYS;
use super::{Family, GgufForm, Layout};
use crate::error::ExtractError;
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "qwen2",
    classes: &["Qwen2ForCausalLM"],
    describe,
    layout: Layout::LLAMA,
    harmless: &[],
    gguf: Some(GgufForm { architecture: "qwen2", keys: GATED_KEYS, implied: &[], layout: Layout::GGUF }),
};

fn describe(config: &Config) -> Result<Description, ExtractError> {
    let defaults = Defaults { family: "qwen2", n_kv_heads: Some(32), n_ctx: 32_768, ..Defaults::LLAMA };
    let mut model = Description::gated(config, &defaults)?;
    model.biases = Biases { query_key_value: true, ..Biases::default() };
    set_upper_windows(&mut model, config)?;
    Ok(model)
}

/// `sliding_window` counts only with `use_sliding_window`, and then from block `max_window_layers` on.
pub fn set_upper_windows(model: &mut Description, config: &Config) -> Result<(), ExtractError> {
    let first = match config.value("max_window_layers").map(|v| v.as_u64()) {
        None => 28,
        Some(Some(first)) => first as usize,
        Some(None) => return Err(config.refuse_value("max_window_layers", "a whole number")),
    };
    let window = config.optional_count("sliding_window", Some(4096));
    let window = if config.flag_or("use_sliding_window", false)? { window? } else { None };
    model.set_windows(config, window, |block| block >= first)
}
