//! What a family's file fills in, and the part of it that most families share.

use super::super::architecture::{Activation, Architecture, Layer, Norm, Positions, Residual, RotaryAngles};
use super::rotary::{RotaryDefaults, rotary};
use crate::error::ExtractError;
use crate::model::architecture::Shape;
use crate::model::config::Config;

/// Most blocks that a model may have.
const MOST_BLOCKS: usize = 1 << 12;

/// A checkpoint's model: what it computes, and which optional tensors it has.
#[derive(Debug)]
pub struct Description {
    /// What the engine carries out.
    pub architecture: Architecture,
    /// Which linear maps have a bias.
    pub biases: Biases,
    /// Whether logits use the token embeddings, if the file has no matrix of its own for them.
    pub is_tied: bool,
}

/// Which linear maps of a block have a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// Query, key and value.
    pub query_key_value: bool,
    /// The projection after attention.
    pub attention_output: bool,
    /// Both sides of the feed-forward part.
    pub feed_forward: bool,
}

/// What transformers takes for absent keys of a gated decoder; families differ in these.
pub struct Defaults {
    /// Name of the family.
    pub family: &'static str,
    /// `num_key_value_heads` where the key is absent; `null` means one for each query head everywhere.
    pub n_kv_heads: Option<usize>,
    /// `head_dim`; `hidden_size / num_attention_heads` if `None`.
    pub head_dim: Option<usize>,
    /// `rms_norm_eps`.
    pub norm_epsilon: f64,
    /// The key of the non-linearity and its value.
    pub activation: (&'static str, &'static str),
    /// `tie_word_embeddings`.
    pub is_tied: bool,
    /// `max_position_embeddings`.
    pub n_ctx: usize,
    /// Of rotary positions.
    pub rotary: RotaryDefaults,
}

impl Defaults {
    /// Those of Llama.
    pub const LLAMA: Self = Self {
        family: "llama",
        n_kv_heads: None,
        head_dim: None,
        norm_epsilon: 1e-6,
        activation: ("hidden_act", "silu"),
        is_tied: false,
        n_ctx: 2048,
        rotary: RotaryDefaults::WHOLE_HEAD,
    };
}

impl Description {
    /// RMS norms, a gated feed-forward part, rotary positions, one half of a block after the other, no biases and
    /// no windows: what Llama and its relatives share.
    pub fn gated(config: &Config, defaults: &Defaults) -> Result<Self, ExtractError> {
        let d_model = config.count("hidden_size")?;
        let n_heads = config.count("num_attention_heads")?;
        let n_kv_heads = match config.value("num_key_value_heads") {
            None => defaults.n_kv_heads.unwrap_or(n_heads),
            Some(_) => config.count_or("num_key_value_heads", n_heads)?,
        };
        if n_heads % n_kv_heads != 0 {
            let accepted = format!("a divisor of the {n_heads} query heads");
            return Err(config.refuse_value("num_key_value_heads", &accepted));
        }
        let head_dim = head_dim(config, d_model, n_heads, defaults.head_dim)?;
        let rotary = rotary(config, head_dim, n_ctx(config, defaults.n_ctx)?, &defaults.rotary)?;
        let (n_layers, layers) = plain_layers(config, "num_hidden_layers")?;
        let n_vocabulary = config.count("vocab_size")?;
        let epsilon = config.positive_or("rms_norm_eps", defaults.norm_epsilon)? as f32;
        let architecture = Architecture {
            family: defaults.family,
            shape: Shape { n_layers, d_model, n_heads, n_vocabulary, n_ctx: rotary.n_ctx },
            n_kv_heads,
            head_dim,
            d_mlp: config.count("intermediate_size")?,
            norm: Norm::Rms { epsilon },
            residual: Residual::Sequential,
            activation: activation(config, defaults.activation)?,
            is_gated: true,
            positions: Positions::Rotary(rotary.angles),
            attention_scale: inverse_root(head_dim as f64),
            attention_softcap: None,
            logit_softcap: None,
            embedding_scale: None,
            layers,
        };
        let is_tied = config.flag_or("tie_word_embeddings", defaults.is_tied)?;
        Ok(Self { architecture, biases: Biases::default(), is_tied })
    }

    /// Gives every block the same window, in tokens with the query's own.
    pub fn set_window(&mut self, window: Option<usize>) {
        self.architecture.layers.iter_mut().for_each(|layer| layer.window = window);
    }

    /// Gives a window to the blocks that `layer_types` calls `sliding_attention`; where the key is absent, to those
    /// that `by_default` picks.
    pub fn set_windows(
        &mut self,
        config: &Config,
        window: Option<usize>,
        by_default: impl Fn(usize) -> bool,
    ) -> Result<(), ExtractError> {
        const ACCEPTED: &str = "one of `full_attention`, `sliding_attention` for each block";
        let types = config.list("layer_types")?;
        if types.is_some_and(|t| t.len() != self.architecture.layers.len()) {
            return Err(config.refuse_value("layer_types", ACCEPTED));
        }
        for (i, layer) in self.architecture.layers.iter_mut().enumerate() {
            let slides = match types.map(|t| t[i].as_str()) {
                None => by_default(i) && window.is_some(),
                Some(Some("full_attention")) => false,
                Some(Some("sliding_attention")) if window.is_some() => true,
                Some(Some("sliding_attention")) => {
                    return Err(config.refuse_value("sliding_window", "a size, since `layer_types` uses it"));
                }
                Some(_) => return Err(config.refuse_value("layer_types", ACCEPTED)),
            };
            layer.window = if slides { window } else { None };
        }
        Ok(())
    }
}

/// The number of blocks, and each without anything special.
pub fn plain_layers(config: &Config, key: &'static str) -> Result<(usize, Vec<Layer>), ExtractError> {
    let n_layers = config.count(key)?;
    if n_layers > MOST_BLOCKS {
        return Err(config.refuse_value(key, &format!("at most {MOST_BLOCKS}")));
    }
    Ok((n_layers, vec![Layer { window: None, rotates: true }; n_layers]))
}

fn head_dim(
    config: &Config,
    d_model: usize,
    n_heads: usize,
    default: Option<usize>,
) -> Result<usize, ExtractError> {
    if config.given("head_dim").is_some() {
        return config.count("head_dim");
    }
    match default {
        Some(width) => Ok(width),
        None => even_share(config, d_model, n_heads),
    }
}

/// Width of a head where heads share the residual stream's width.
pub fn even_share(config: &Config, d_model: usize, n_heads: usize) -> Result<usize, ExtractError> {
    if d_model.is_multiple_of(n_heads) {
        return Ok(d_model / n_heads);
    }
    Err(config.refuse(format!("{n_heads} attention heads do not divide a hidden size of {d_model}")))
}

/// 1/√x, as transformers rounds it.
pub fn inverse_root(x: f64) -> f32 {
    x.powf(-0.5) as f32
}

/// The non-linearity under a key, by transformers' names.
pub fn activation(
    config: &Config,
    (key, default): (&'static str, &'static str),
) -> Result<Activation, ExtractError> {
    match config.text_or(key, default)? {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" | "gelu_python" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_fast" | "gelu_accurate" | "gelu_pytorch_tanh" | "gelu_python_tanh" => {
            Ok(Activation::GeluTanh)
        }
        _ => Err(config.refuse_value(key, "`silu`, `swish`, `gelu`, `gelu_new` or `gelu_pytorch_tanh`")),
    }
}

/// `max_position_embeddings`, transformers' default of the family where it is absent.
fn n_ctx(config: &Config, default: usize) -> Result<usize, ExtractError> {
    // Early checkpoints say the same under a second name, which transformers does not read.
    let _ = config.value("max_sequence_length");
    config.count_or("max_position_embeddings", default)
}

/// Rotary positions of a family that is no gated decoder.
pub fn rotary_positions(
    config: &Config,
    head_dim: usize,
    default_n_ctx: usize,
    defaults: &RotaryDefaults,
) -> Result<(RotaryAngles, usize), ExtractError> {
    let rotary = rotary(config, head_dim, n_ctx(config, default_n_ctx)?, defaults)?;
    Ok((rotary.angles, rotary.n_ctx))
}
