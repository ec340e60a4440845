//! Llama 1 to 3 (Touvron et al. 2023; Grattafiori et al. 2024), Vicuna, SmolLM2 and others of the same shape.

use super::description::{Biases, Defaults, Description};
use super::{Family, GgufForm, Layout, RotaryPairs, SIZE_KEYS};
use crate::error::ExtractError;
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "llama",
    classes: &["LlamaForCausalLM", "LLaMAForCausalLM"],
    describe,
    layout: Layout::LLAMA,
    // SmolLM2 says in its own keys that it is a Llama.
    harmless: &["is_llama_config"],
    gguf: Some(GgufForm {
        architecture: "llama",
        keys: GATED_KEYS,
        implied: &[],
        // Converters reorder query and key rows so that rotary pairs lie side by side.
        layout: Layout { rotary_pairs: RotaryPairs::Adjacent, ..Layout::GGUF },
    }),
};

/// GGUF keys of a gated decoder.
pub const GATED_KEYS: &[&[(&str, &str)]] = &[
    SIZE_KEYS,
    &[
        ("attention.head_count_kv", "num_key_value_heads"),
        ("attention.key_length", "head_dim"),
        ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
        ("rope.freq_base", "rope_theta"),
    ],
];

fn describe(config: &Config) -> Result<Description, ExtractError> {
    let mut model = Description::gated(config, &Defaults::LLAMA)?;
    let attention = config.flag_or("attention_bias", false)?;
    model.biases = Biases {
        query_key_value: attention,
        attention_output: attention,
        feed_forward: config.flag_or("mlp_bias", false)?,
    };
    Ok(model)
}
