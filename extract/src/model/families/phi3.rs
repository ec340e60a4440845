//! Phi-3, Phi-3.5 and Phi-4 (Abdin et al. 2024): a Llama whose projections are fused, with LongRoPE in the long-context
//! versions; Phi-4-mini rotates a part of each head.

use super::description::{Defaults, Description};
use super::rotary::RotaryDefaults;
use super::{Family, FeedForward, GgufForm, Layout, QueryKeyValue, SIZE_KEYS};
use crate::error::ExtractError;
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "phi3",
    classes: &["Phi3ForCausalLM"],
    describe,
    layout: Layout {
        query_key_value: QueryKeyValue::Stacked("self_attn.qkv_proj"),
        up: FeedForward::GatedStacked("mlp.gate_up_proj"),
        ..Layout::LLAMA
    },
    // Phi-4-mini carries two keys of another implementation, both 1.
    harmless: &["full_attn_mod", "interpolate_factor"],
    gguf: Some(GgufForm {
        architecture: "phi3",
        keys: KEYS,
        implied: &[],
        layout: Layout {
            query_key_value: QueryKeyValue::Stacked("attn_qkv"),
            up: FeedForward::GatedStacked("ffn_up"),
            ..Layout::GGUF
        },
    }),
};

const KEYS: &[&[(&str, &str)]] = &[
    SIZE_KEYS,
    &[
        ("attention.head_count_kv", "num_key_value_heads"),
        ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
        ("attention.sliding_window", "sliding_window"),
        ("rope.freq_base", "rope_theta"),
        ("rope.scaling.original_context_length", "original_max_position_embeddings"),
    ],
];

fn describe(config: &Config) -> Result<Description, ExtractError> {
    let rotary = RotaryDefaults {
        partial_rotary_factor: Some(("partial_rotary_factor", 1.0)),
        original_n_ctx: Some(4096),
        ..RotaryDefaults::WHOLE_HEAD
    };
    // Outside of LongRoPE nothing reads it.
    let _ = config.value("original_max_position_embeddings");
    let defaults = Defaults { family: "phi3", norm_epsilon: 1e-5, n_ctx: 4096, rotary, ..Defaults::LLAMA };
    config.refuse_on("attention_bias")?;
    let mut model = Description::gated(config, &defaults)?;
    model.set_window(config.optional_count("sliding_window", None)?);
    Ok(model)
}
