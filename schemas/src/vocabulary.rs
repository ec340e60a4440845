//! Names that every stage shares: sites of a model and poolings of a segment's tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A site: a position in a layer at which hidden states are captured. Layer 0 is the token embedding, layers 1..=L are the transformer blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// The token embedding, layer 0.
    Embed,
    /// The residual stream before a block.
    ResidPre,
    /// The residual stream between a block's attention and its feed-forward part.
    ResidMid,
    /// The output of a block's attention, which is added to the residual stream.
    AttnOut,
    /// The output of a block's feed-forward part, which is added to the residual stream.
    MlpOut,
    /// The residual stream after a block.
    ResidPost,
    /// After the model's last norm, layer L.
    FinalNorm,
    /// The heads' outputs before the output projection, head after head.
    Z,
}

impl Site {
    /// Every site, in the order in which a forward pass computes them.
    pub const ALL: [Self; 8] = [
        Self::Embed,
        Self::ResidPre,
        Self::Z,
        Self::AttnOut,
        Self::ResidMid,
        Self::MlpOut,
        Self::ResidPost,
        Self::FinalNorm,
    ];

    /// The sites that an extraction keeps unless it is asked for others.
    pub const DEFAULT: [Self; 3] = [Self::Embed, Self::ResidPost, Self::FinalNorm];

    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::ResidPre => "resid_pre",
            Self::ResidMid => "resid_mid",
            Self::AttnOut => "attn_out",
            Self::MlpOut => "mlp_out",
            Self::ResidPost => "resid_post",
            Self::FinalNorm => "final_norm",
            Self::Z => "z",
        }
    }
}

/// A pooling: the reduction of the states of a segment's tokens to one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean over tokens.
    Mean,
    /// The largest value of each dimension.
    Max,
    /// The last token.
    Last,
}

impl Pooling {
    /// Every pooling, in table order.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Max, Self::Last];

    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Last => "last",
        }
    }
}
