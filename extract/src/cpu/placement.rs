//! Whether a model's weights stay in memory or pass through it, layer by layer.

use super::block::Block;
use crate::error::ExtractError;
use crate::model::architecture::{Architecture, Checkpoint};
use serde::Serialize;
use std::sync::mpsc::sync_channel;

/// Memory besides weights and rows: code, tokenizer, tables being encoded.
const BASE_BYTES: u64 = 400 << 20;

/// Where the blocks' weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// All in memory.
    Resident,
    /// Read from the checkpoint for every pass, used for every row and dropped; `ahead` says whether the next
    /// block is read while one computes.
    Streamed {
        /// Costs the memory of another block.
        ahead: bool,
    },
}

/// Bytes of f32 weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightBytes {
    /// Of one block.
    pub block: u64,
    /// Of all blocks, the unembedding and learned positions.
    pub all: u64,
    /// Of the unembedding.
    pub unembedding: u64,
}

impl WeightBytes {
    /// Bytes that the engine needs for a model, by its sizes; norms and biases, which are small, left out.
    pub fn of(architecture: &Architecture) -> Self {
        let Architecture { shape, n_key_heads, head_width, d_feed_forward, is_gated, .. } = architecture;
        let d = shape.d_model as u64;
        let heads = (shape.n_heads * head_width) as u64;
        let shared = (n_key_heads * head_width) as u64;
        let inner = *d_feed_forward as u64 * if *is_gated { 3 } else { 2 };
        let block = 4 * d * (2 * heads + 2 * shared + inner);
        let unembedding = 4 * d * shape.n_vocabulary as u64;
        Self { block, all: block * shape.n_layers as u64 + unembedding, unembedding }
    }
}

impl Placement {
    /// The fastest placement within `available` bytes when `n_rows` rows are computed at once, which `goes_on` keeps
    /// the keys and values of every layer for; and the bytes that it is predicted to take.
    ///
    /// A block that is being packed exists twice for a moment, of its largest matrix at most half; the unembedding is read
    /// when the blocks are gone, and exists twice as well.
    ///
    /// # Errors
    /// The bytes that the leanest placement needs.
    pub fn choose(
        architecture: &Architecture,
        n_rows: usize,
        goes_on: bool,
        available: u64,
    ) -> Result<(Self, u64), u64> {
        let weights = WeightBytes::of(architecture);
        let rows = BASE_BYTES + row_bytes(architecture, goes_on) * n_rows as u64;
        let packing = weights.block * 3 / 2;
        let candidates = [
            (Self::Resident, weights.all + packing - weights.block),
            (Self::Streamed { ahead: true }, (packing + weights.block).max(2 * weights.unembedding)),
            (Self::Streamed { ahead: false }, packing.max(2 * weights.unembedding)),
        ];
        for (placement, bytes) in candidates {
            if rows + bytes <= available {
                return Ok((placement, rows + bytes));
            }
        }
        Err(rows + candidates[2].1)
    }
}

/// Bytes of one row on its way: residual stream, embedding, queries, mixed values, keys and values.
pub fn row_bytes(architecture: &Architecture, goes_on: bool) -> u64 {
    let heads = architecture.shape.n_heads * architecture.head_width;
    let shared = architecture.n_key_heads * architecture.head_width;
    let n_memories = if goes_on { architecture.shape.n_layers } else { 1 };
    4 * (2 * architecture.shape.d_model + 2 * heads + 2 * shared * n_memories) as u64
}

/// Blocks in order, wherever they are.
pub enum Blocks {
    /// In memory.
    Resident(Vec<Block>),
    /// In the checkpoint.
    Streamed {
        /// Whether one is read while another computes.
        ahead: bool,
    },
}

impl Blocks {
    /// Reads the blocks, unless they are to be read later.
    pub fn load(checkpoint: &dyn Checkpoint, placement: Placement) -> Result<Self, ExtractError> {
        match placement {
            Placement::Streamed { ahead } => Ok(Self::Streamed { ahead }),
            Placement::Resident => {
                let n = checkpoint.architecture().shape.n_layers;
                (0..n).map(|index| load(checkpoint, index)).collect::<Result<_, _>>().map(Self::Resident)
            }
        }
    }

    /// Calls `visit` with every block from the one numbered `first`, in order. If none is to be read meanwhile, on a thread
    /// of the pool: it takes part in the work that it shares out, where another would sleep and be woken for every product.
    pub fn each(
        &self,
        checkpoint: &dyn Checkpoint,
        first: usize,
        mut visit: impl FnMut(usize, &Block) -> Result<(), ExtractError> + Send,
    ) -> Result<(), ExtractError> {
        let n = checkpoint.architecture().shape.n_layers;
        match self {
            Self::Resident(blocks) => rayon::scope(|_| {
                blocks.iter().enumerate().skip(first).try_for_each(|(index, block)| visit(index, block))
            }),
            Self::Streamed { ahead: false } => (first..n)
                .try_for_each(|index| load(checkpoint, index).and_then(|block| visit(index, &block))),
            Self::Streamed { ahead: true } => std::thread::scope(|scope| {
                let (sender, blocks) = sync_channel(0);
                scope.spawn(move || {
                    for index in first..n {
                        let block = load(checkpoint, index);
                        if sender.send((index, block)).is_err() {
                            return;
                        }
                    }
                });
                blocks.into_iter().try_for_each(|(index, block)| block.and_then(|block| visit(index, &block)))
            }),
        }
    }
}

fn load(checkpoint: &dyn Checkpoint, index: usize) -> Result<Block, ExtractError> {
    Ok(Block::pack(checkpoint.layer(index)?, checkpoint.architecture(), index))
}
