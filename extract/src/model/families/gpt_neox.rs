//! GPT-NeoX and Pythia (Black et al. 2022; Biderman et al. 2023): both halves of a block read the same residual stream, a
//! part of each head rotates, LayerNorm, biases, query, key and value fused head by head, no gate.

use super::description::{
    Biases, Description, activation, even_share, inverse_root, plain_layers, rotary_positions,
};
use super::rotary::RotaryDefaults;
use super::{Family, FeedForward, GgufForm, Layout, QueryKeyValue, SIZE_KEYS};
use crate::error::ExtractError;
use crate::model::architecture::Shape;
use crate::model::architecture::{Architecture, Norm, Positions, Residual};
use crate::model::config::Config;

pub const FAMILY: Family = Family {
    model_type: "gpt_neox",
    classes: &["GPTNeoXForCausalLM"],
    describe,
    layout: Layout {
        prefix: "gpt_neox.",
        embedding: "embed_in",
        final_norm: "final_layer_norm",
        unembedding: &["embed_out", "lm_head"],
        query_key_value: QueryKeyValue::PerHead("attention.query_key_value"),
        attention_output: "attention.dense",
        up: FeedForward::Plain("mlp.dense_h_to_4h"),
        down: "mlp.dense_4h_to_h",
        not_weights: &[".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"],
        ..Layout::LLAMA
    },
    harmless: &["is_decoder"],
    gguf: Some(GgufForm {
        architecture: "gptneox",
        keys: KEYS,
        implied: &[],
        // Converters stack queries, keys and values.
        layout: Layout {
            query_key_value: QueryKeyValue::Stacked("attn_qkv"),
            up: FeedForward::Plain("ffn_up"),
            ..Layout::GGUF
        },
    }),
};

const KEYS: &[&[(&str, &str)]] = &[
    SIZE_KEYS,
    &[
        ("attention.layer_norm_epsilon", "layer_norm_eps"),
        ("use_parallel_residual", "use_parallel_residual"),
        ("rope.freq_base", "rotary_emb_base"),
    ],
];

fn describe(config: &Config) -> Result<Description, ExtractError> {
    let (d_model, n_heads) = (config.count("hidden_size")?, config.count("num_attention_heads")?);
    let head_dim = even_share(config, d_model, n_heads)?;
    let (n_layers, layers) = plain_layers(config, "num_hidden_layers")?;
    let defaults = RotaryDefaults {
        base: ("rotary_emb_base", 10_000.0),
        partial_rotary_factor: Some(("rotary_pct", 0.25)),
        original_n_ctx: None,
    };
    refuse_other(config, "rope_theta", config.positive_or(defaults.base.0, defaults.base.1)?)?;
    refuse_other(config, "partial_rotary_factor", config.positive_or("rotary_pct", 0.25)?)?;
    let (angles, n_ctx) = rotary_positions(config, head_dim, 2048, &defaults)?;
    let is_parallel = config.flag_or("use_parallel_residual", true)?;
    let n_vocabulary = config.count("vocab_size")?;
    let architecture = Architecture {
        family: "gpt_neox",
        shape: Shape { n_layers, d_model, n_heads, n_vocabulary, n_ctx },
        n_kv_heads: n_heads,
        head_dim,
        d_mlp: config.count("intermediate_size")?,
        norm: Norm::Layer { epsilon: config.positive_or("layer_norm_eps", 1e-5)? as f32 },
        residual: if is_parallel { Residual::Parallel } else { Residual::Sequential },
        activation: activation(config, ("hidden_act", "gelu"))?,
        is_gated: false,
        positions: Positions::Rotary(angles),
        attention_scale: inverse_root(head_dim as f64),
        attention_softcap: None,
        logit_softcap: None,
        embedding_scale: None,
        layers,
    };
    let attention = config.flag_or("attention_bias", true)?;
    let biases = Biases { query_key_value: attention, attention_output: attention, feed_forward: true };
    Ok(Description { architecture, biases, is_tied: config.flag_or("tie_word_embeddings", false)? })
}

/// Some versions wrote a setting under a second name, which transformers does not read for this family.
fn refuse_other(config: &Config, key: &'static str, used: f64) -> Result<(), ExtractError> {
    if config.positive_or(key, used)? == used {
        return Ok(());
    }
    Err(config.refuse_value(key, &format!("{used}, as its other name says")))
}
