//! The sizes of a model's attention heads.

use super::product::n_lanes;
use crate::model::architecture::Architecture;

/// The sizes of a model's heads.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; each serves `n_heads / n_kv_heads` query heads in order.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

impl Heads {
    /// Values of all query heads of a row.
    pub fn q_dim(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Values of all key heads, or of all value heads, of a row.
    pub fn kv_dim(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }

    /// Values of a head as the cache holds them: whole vectors.
    pub fn padded(&self) -> usize {
        self.head_dim.next_multiple_of(n_lanes())
    }

    /// Query heads that share a key head.
    pub fn group(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }
}

/// Head sizes of a model.
pub fn heads(architecture: &Architecture) -> Heads {
    Heads {
        n_heads: architecture.shape.n_heads,
        n_kv_heads: architecture.n_kv_heads,
        head_dim: architecture.head_dim,
    }
}
