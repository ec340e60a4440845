//! SmolLM3 (Bakouch et al. 2025): a Llama in which every fourth block has no positions.

use super::description::{Biases, Defaults, Description};
use super::llama::GATED_KEYS;
use super::rotary::RotaryDefaults;
use super::{Family, GgufForm, Layout, RotaryPairs};
use crate::error::ExtractError;
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "smollm3",
    classes: &["SmolLM3ForCausalLM"],
    describe,
    layout: Layout::LLAMA,
    harmless: &["max_window_layers"],
    gguf: Some(GgufForm {
        architecture: "smollm3",
        keys: GATED_KEYS,
        implied: &[],
        layout: Layout { rotary_pairs: RotaryPairs::Adjacent, ..Layout::GGUF },
    }),
};

fn describe(config: &Config) -> Result<Description, ExtractError> {
    let defaults = Defaults {
        family: "smollm3",
        n_kv_heads: Some(4),
        is_tied: true,
        n_ctx: 32_768,
        rotary: RotaryDefaults { base: ("rope_theta", 2_000_000.0), ..RotaryDefaults::WHOLE_HEAD },
        ..Defaults::LLAMA
    };
    let mut model = Description::gated(config, &defaults)?;
    let attention = config.flag_or("attention_bias", false)?;
    model.biases = Biases {
        query_key_value: attention,
        attention_output: attention,
        feed_forward: config.flag_or("mlp_bias", false)?,
    };
    let rotates = rotating_blocks(config, model.architecture.layers.len())?;
    for (layer, rotates) in model.architecture.layers.iter_mut().zip(&rotates) {
        layer.rotates = *rotates;
    }
    let window = config.optional_count("sliding_window", None)?;
    let window = if config.flag_or("use_sliding_window", false)? { window } else { None };
    model.set_windows(config, window, |block| !rotates[block])?;
    Ok(model)
}

/// `no_rope_layers` has a 1 for each block that rotates; without it, every `no_rope_layer_interval`-th does not.
fn rotating_blocks(config: &Config, n_layers: usize) -> Result<Vec<bool>, ExtractError> {
    let interval = config.count_or("no_rope_layer_interval", 4)?;
    let Some(given) = config.list("no_rope_layers")? else {
        return Ok((1..=n_layers).map(|block| block % interval != 0).collect());
    };
    let rotates = given.iter().take(n_layers).map(|v| match v.as_u64() {
        Some(0) => Some(false),
        Some(1) => Some(true),
        _ => None,
    });
    let rotates: Option<Vec<bool>> = rotates.collect();
    let accepted = "a 0 or 1 for each block";
    rotates.filter(|r| r.len() == n_layers).ok_or_else(|| config.refuse_value("no_rope_layers", accepted))
}
