//! Qwen3 (Yang et al. 2025): a Llama with a norm over each query and key head and a head width of its own.

use super::description::{Biases, Defaults, Description};
use super::llama::GATED_KEYS;
use super::qwen2::set_upper_windows;
use super::{Family, GgufForm, Layout};
use crate::error::ExtractError;
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "qwen3",
    classes: &["Qwen3ForCausalLM"],
    describe,
    layout: Layout { head_norms: Some(("self_attn.q_norm", "self_attn.k_norm")), ..Layout::LLAMA },
    harmless: &[],
    gguf: Some(GgufForm {
        architecture: "qwen3",
        keys: GATED_KEYS,
        implied: &[],
        layout: Layout { head_norms: Some(("attn_q_norm", "attn_k_norm")), ..Layout::GGUF },
    }),
};

fn describe(config: &Config) -> Result<Description, ExtractError> {
    let defaults = Defaults {
        family: "qwen3",
        n_kv_heads: Some(32),
        head_dim: Some(128),
        n_ctx: 32_768,
        ..Defaults::LLAMA
    };
    let mut model = Description::gated(config, &defaults)?;
    let attention = config.flag_or("attention_bias", false)?;
    model.biases = Biases { query_key_value: attention, attention_output: attention, ..Biases::default() };
    set_upper_windows(&mut model, config)?;
    Ok(model)
}
