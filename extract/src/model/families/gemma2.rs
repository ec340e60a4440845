//! Gemma 2 (Gemma Team 2024): soft caps on scores and logits, a norm before and after each half of a block, factors
//! stored as w for 1 + w, embeddings scaled by √d_model, a window in every other block.

use super::description::{Biases, Defaults, Description, inverse_root};
use super::{Family, GgufForm, Implied, Layout, SIZE_KEYS};
use crate::error::ExtractError;
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "gemma2",
    classes: &["Gemma2ForCausalLM"],
    describe,
    layout: Layout {
        post_attention_norm: Some("post_attention_layernorm"),
        feed_forward_norm: "pre_feedforward_layernorm",
        post_feed_forward_norm: Some("post_feedforward_layernorm"),
        norm_offset: 1.0,
        ..Layout::LLAMA
    },
    // Published configurations carry these beside `hidden_activation` and `sliding_window`, which alone count.
    harmless: &["hidden_act", "sliding_window_size"],
    gguf: Some(GgufForm {
        architecture: "gemma2",
        keys: KEYS,
        implied: &[("query_pre_attn_scalar", Implied::GemmaScoreScalar)],
        // Converters add the 1 to the norms.
        layout: Layout {
            post_attention_norm: Some("post_attention_norm"),
            post_feed_forward_norm: Some("post_ffw_norm"),
            ..Layout::GGUF
        },
    }),
};

const KEYS: &[&[(&str, &str)]] = &[
    SIZE_KEYS,
    &[
        ("attention.head_count_kv", "num_key_value_heads"),
        ("attention.key_length", "head_dim"),
        ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
        ("attention.sliding_window", "sliding_window"),
        ("attn_logit_softcapping", "attn_logit_softcapping"),
        ("final_logit_softcapping", "final_logit_softcapping"),
        ("rope.freq_base", "rope_theta"),
    ],
];

fn describe(config: &Config) -> Result<Description, ExtractError> {
    config.refuse_on("use_bidirectional_attention")?;
    let defaults = Defaults {
        family: "gemma2",
        n_kv_heads: Some(4),
        head_dim: Some(256),
        activation: ("hidden_activation", "gelu_pytorch_tanh"),
        is_tied: true,
        n_ctx: 8192,
        ..Defaults::LLAMA
    };
    let mut model = Description::gated(config, &defaults)?;
    let attention = config.flag_or("attention_bias", false)?;
    model.biases = Biases { query_key_value: attention, attention_output: attention, ..Biases::default() };
    let softcap = |key, default| config.optional_positive(key, Some(default)).map(|c| c.map(|c| c as f32));
    let architecture = &mut model.architecture;
    architecture.attention_scale = inverse_root(config.positive_or("query_pre_attn_scalar", 256.0)?);
    architecture.attention_softcap = softcap("attn_logit_softcapping", 50.0)?;
    architecture.logit_softcap = softcap("final_logit_softcapping", 30.0)?;
    architecture.embedding_scale = Some((architecture.shape.d_model as f64).sqrt() as f32);
    let window = config.optional_count("sliding_window", Some(4096))?;
    model.set_windows(config, window, |block| block.is_multiple_of(2))?;
    Ok(model)
}
