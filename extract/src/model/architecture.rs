//! What a decoder-only transformer is, as data: everything in which families differ, and nothing else.
//!
//! A family's file fills an [`Architecture`] from a checkpoint's configuration and says under which names
//! the weights lie; the engine carries it out. Neither knows the other. What cannot be said here is not
//! supported, and a family refuses it by name.

use crate::error::ExtractError;
use hypercolumn_schemas::Site;

/// The sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of transformer blocks, L.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads of a block.
    pub n_heads: usize,
    /// Entries of the vocabulary.
    pub n_vocabulary: usize,
    /// Longest sequence that the model was made for, in tokens.
    pub n_ctx: usize,
}

/// A layer and a site in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSite {
    /// Layer; 0 is the embedding.
    pub layer: usize,
    /// Site.
    pub site: Site,
}

impl Shape {
    /// Every layer and site that an extraction keeps unless it is asked for others, in order: embed, resid_post of
    /// layers 1..=L, final_norm.
    pub fn default_sites(&self) -> impl Iterator<Item = LayerSite> + use<> {
        let n = self.n_layers;
        let blocks = (1..=n).map(|layer| LayerSite { layer, site: Site::ResidPost });
        let ends = |layer, site| std::iter::once(LayerSite { layer, site });
        ends(0, Site::Embed).chain(blocks).chain(ends(n, Site::FinalNorm))
    }
}

/// A decoder-only transformer without its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Name of the family, for messages and provenance.
    pub family: &'static str,
    /// Layers, widths, vocabulary, context.
    pub shape: Shape,
    /// Key and value heads of a block; each serves `n_heads / n_kv_heads` query heads in order.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width between the two matrices of a feed-forward part.
    pub d_mlp: usize,
    /// Every normalization of the model.
    pub norm: Norm,
    /// How a block's two parts meet the residual stream.
    pub residual: Residual,
    /// The non-linearity of the feed-forward part.
    pub activation: Activation,
    /// Whether the feed-forward part is gated: activation(gate) · up, against activation(up).
    pub is_gated: bool,
    /// How positions enter.
    pub positions: Positions,
    /// Factor of query · key before the softmax, 1/√head_dim as a rule.
    pub attention_scale: f32,
    /// c in c · tanh(score / c), applied to attention scores after scaling.
    pub attention_softcap: Option<f32>,
    /// c in c · tanh(logit / c).
    pub logit_softcap: Option<f32>,
    /// Factor of token embeddings as they enter; the `embed` site shows them after it.
    pub embedding_scale: Option<f32>,
    /// What is special about each block, first to last; as many as `shape.n_layers`.
    pub layers: Vec<Layer>,
}

impl Architecture {
    /// Width of the states at a site: `d_model`, at [`Site::Z`] that of all heads.
    pub fn width(&self, site: Site) -> usize {
        if site == Site::Z { self.shape.n_heads * self.head_dim } else { self.shape.d_model }
    }
}

/// What may differ between the blocks of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Number of tokens that a query sees, itself included; `None` for all before it.
    pub window: Option<usize>,
    /// Whether queries and keys are rotated, where the model has rotary positions at all.
    pub rotates: bool,
}

/// A normalization over the last axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    /// x / √(mean(x²) + ε) · scale (Zhang and Sennrich 2019).
    Rms {
        /// ε.
        epsilon: f32,
    },
    /// (x − mean(x)) / √(var(x) + ε) · scale + shift (Ba et al. 2016).
    Layer {
        /// ε.
        epsilon: f32,
    },
}

/// How attention and feed-forward meet the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residual {
    /// x += attention(norm(x)), then x += feed_forward(norm(x)).
    Sequential,
    /// x += attention(norm(x)) + feed_forward(norm'(x)), both from the same x.
    Parallel,
}

/// Non-linearities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(x).
    Silu,
    /// x · Φ(x), exactly.
    Gelu,
    /// GELU's tanh approximation (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
}

/// How positions enter.
#[derive(Clone, Debug, PartialEq)]
pub enum Positions {
    /// Query and key vectors are rotated (Su et al. 2021).
    Rotary(RotaryAngles),
    /// A learned vector is added to each token's embedding.
    Learned,
}

/// Rotary angles: pair i turns by position · frequency i; dimension i is paired with i + n, n being the number
/// of frequencies. Dimensions past 2n are left as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct RotaryAngles {
    /// Radians per position of each pair, any scaling applied.
    pub frequencies: Vec<f32>,
    /// Factor of cosines and sines (YaRN, LongRoPE); 1 as a rule.
    pub magnitude: f32,
}

/// A matrix `n_out × n_in`, row-major, with a bias of `n_out` where the family has one: y = W x + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// `n_out × n_in` values.
    pub weight: Vec<f32>,
    /// `n_out` values.
    pub bias: Option<Vec<f32>>,
    /// Rows.
    pub n_out: usize,
    /// Columns.
    pub n_in: usize,
}

/// Weights of one normalization.
#[derive(Clone, Debug, PartialEq)]
pub struct NormWeights {
    /// Factors, as they multiply: a family whose file stores w for 1 + w adds the 1.
    pub scale: Vec<f32>,
    /// Terms, for [`Norm::Layer`] only.
    pub shift: Option<Vec<f32>>,
}

/// Weights of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// Before attention.
    pub attention_norm: NormWeights,
    /// All query heads, then all key heads, then all value heads. Rotary pairs lie as [`RotaryAngles`] says.
    pub query_key_value: Linear,
    /// Over each query head, after projection and before rotation: `head_dim` factors.
    pub query_norm: Option<NormWeights>,
    /// As `query_norm`, for keys.
    pub key_norm: Option<NormWeights>,
    /// From the heads side by side back to the residual stream.
    pub attention_output: Linear,
    /// Of attention's result, before it joins the residual stream.
    pub post_attention_norm: Option<NormWeights>,
    /// Before the feed-forward part.
    pub feed_forward_norm: NormWeights,
    /// All of gate, then all of up, where the model is gated; else up alone.
    pub up: Linear,
    /// Back to the residual stream.
    pub down: Linear,
    /// Of the feed-forward part's result, before it joins the residual stream.
    pub post_feed_forward_norm: Option<NormWeights>,
}

/// A checkpoint whose configuration was read and whose tensors were found to have the shapes it asks for;
/// weights are read when they are asked for and kept by whoever asks.
pub trait Checkpoint: Send + Sync {
    /// What the model is.
    fn architecture(&self) -> &Architecture;

    /// Token embeddings of `ids`: `ids.len() × d_model`, without [`Architecture::embedding_scale`].
    ///
    /// # Errors
    /// When the file cannot be read; the same for the methods below.
    fn embeddings(&self, ids: &[u32]) -> Result<Vec<f32>, ExtractError>;

    /// Learned position vectors, `n_ctx × d_model`; `None` for [`Positions::Rotary`].
    fn position_embeddings(&self) -> Result<Option<Vec<f32>>, ExtractError>;

    /// Weights of block `index`, from 0.
    fn layer(&self, index: usize) -> Result<LayerWeights, ExtractError>;

    /// After the last block.
    fn final_norm(&self) -> Result<NormWeights, ExtractError>;

    /// To logits: `n_vocabulary × d_model`, the token embeddings where these are tied.
    fn unembedding(&self) -> Result<Linear, ExtractError>;
}
