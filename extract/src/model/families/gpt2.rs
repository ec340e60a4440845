//! GPT-2 (Radford et al. 2019): learned positions, LayerNorm, biases everywhere, transposed matrices (`Conv1D`), one fused
//! projection, no gate, tied embeddings.

use super::description::{Biases, Description, activation, even_share, inverse_root, plain_layers};
use super::{Family, FeedForward, GgufForm, Layout, Orientation, QueryKeyValue};
use crate::error::ExtractError;
use crate::model::architecture::Shape;
use crate::model::architecture::{Architecture, Norm, Positions, Residual};
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "gpt2",
    classes: &["GPT2LMHeadModel"],
    describe,
    layout: Layout {
        prefix: "transformer.",
        block: "h.",
        embedding: "wte",
        positions: Some("wpe"),
        final_norm: "ln_f",
        attention_norm: "ln_1",
        query_key_value: QueryKeyValue::Stacked("attn.c_attn"),
        attention_output: "attn.c_proj",
        feed_forward_norm: "ln_2",
        up: FeedForward::Plain("mlp.c_fc"),
        down: "mlp.c_proj",
        orientation: Orientation::InputsByOutputs,
        // The causal mask.
        not_weights: &[".attn.bias", ".attn.masked_bias"],
        ..Layout::LLAMA
    },
    // The order of two roundings; the same in f32.
    harmless: &["reorder_and_upcast_attn", "n_special", "predict_special_tokens"],
    gguf: Some(GgufForm {
        architecture: "gpt2",
        keys: KEYS,
        implied: &[],
        // Converters transpose the matrices.
        layout: Layout {
            positions: Some("position_embd"),
            query_key_value: QueryKeyValue::Stacked("attn_qkv"),
            up: FeedForward::Plain("ffn_up"),
            ..Layout::GGUF
        },
    }),
};

const KEYS: &[&[(&str, &str)]] = &[&[
    ("block_count", "n_layer"),
    ("context_length", "n_positions"),
    ("embedding_length", "n_embd"),
    ("feed_forward_length", "n_inner"),
    ("attention.head_count", "n_head"),
    ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
]];

fn describe(config: &Config) -> Result<Description, ExtractError> {
    config.refuse_on("scale_attn_by_inverse_layer_idx")?;
    config.refuse_on("add_cross_attention")?;
    let (d_model, n_heads) = (config.count("n_embd")?, config.count("n_head")?);
    let head_dim = even_share(config, d_model, n_heads)?;
    let (n_layers, layers) = plain_layers(config, "n_layer")?;
    let scales = config.flag_or("scale_attn_weights", true)?;
    let (n_vocabulary, n_ctx) = (config.count("vocab_size")?, config.count_or("n_positions", 1024)?);
    let architecture = Architecture {
        family: "gpt2",
        shape: Shape { n_layers, d_model, n_heads, n_vocabulary, n_ctx },
        n_kv_heads: n_heads,
        head_dim,
        d_mlp: config.count_or("n_inner", 4 * d_model)?,
        norm: Norm::Layer { epsilon: config.positive_or("layer_norm_epsilon", 1e-5)? as f32 },
        residual: Residual::Sequential,
        activation: activation(config, ("activation_function", "gelu_new"))?,
        is_gated: false,
        positions: Positions::Learned,
        attention_scale: if scales { inverse_root(head_dim as f64) } else { 1.0 },
        attention_softcap: None,
        logit_softcap: None,
        embedding_scale: None,
        layers,
    };
    let biases = Biases { query_key_value: true, attention_output: true, feed_forward: true };
    Ok(Description { architecture, biases, is_tied: config.flag_or("tie_word_embeddings", true)? })
}
