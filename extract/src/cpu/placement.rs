//! Whether a model's weights stay in memory or are streamed through it, layer by layer.

use super::block::Block;
use super::block_table::DECODE_TILE;
use crate::error::ExtractError;
use crate::forward::{BatchWorkload, KvCache, MemoryForecast, MemoryTerm, Placed, Placement, Workload};
use crate::model::architecture::{Architecture, Checkpoint};
use std::sync::mpsc::sync_channel;

/// Memory besides weights and rows: code, tokenizer, tables being encoded.
const BASE_BYTES: u64 = 280 << 20;

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
        let Architecture { shape, n_kv_heads, head_dim, d_mlp, is_gated, .. } = architecture;
        let d = shape.d_model as u64;
        let heads = (shape.n_heads * head_dim) as u64;
        let shared = (n_kv_heads * head_dim) as u64;
        let inner = *d_mlp as u64 * if *is_gated { 3 } else { 2 };
        let block = 4 * d * (2 * heads + 2 * shared + inner);
        let unembedding = 4 * d * shape.n_vocabulary as u64;
        Self { block, all: block * shape.n_layers as u64 + unembedding, unembedding }
    }
}

/// The fastest placement within `available` bytes; see [`crate::forward::Backend::place`].
///
/// A block that is being packed exists twice for a moment, of its largest matrix at most half; the unembedding is read
/// when the blocks are gone, and exists twice as well.
pub fn choose(
    architecture: &Architecture,
    workload: &Workload,
    available: u64,
) -> Result<Placed, MemoryForecast> {
    let weights = WeightBytes::of(architecture);
    let packing = weights.block * 3 / 2;
    let candidates = [
        (Placement::Resident, weights.all + packing - weights.block),
        (Placement::Streamed { ahead: true }, (packing + weights.block).max(2 * weights.unembedding)),
        (Placement::Streamed { ahead: false }, packing.max(2 * weights.unembedding)),
    ];
    let with = |n_weight_bytes| forecast(architecture, workload, n_weight_bytes);
    let fits = |(_, n_bytes): &(Placement, u64)| with(*n_bytes).n_bytes() <= available;
    match candidates.into_iter().find(fits) {
        Some((placement, n_bytes)) => Ok(Placed { placement, forecast: with(n_bytes) }),
        None => Err(with(candidates[2].1)),
    }
}

/// The terms of memory. Rows are those that there is room for at most: of the first pass over the largest batch, and of the
/// responses, at their longest, of the batch that has most. Both rooms are kept from batch to batch.
fn forecast(architecture: &Architecture, workload: &Workload, n_weight_bytes: u64) -> MemoryForecast {
    let response_rows = |batch: &BatchWorkload| {
        batch.n_response_tokens.iter().map(|n| n.next_multiple_of(DECODE_TILE)).sum::<usize>()
    };
    let most = |rows: &dyn Fn(&BatchWorkload) -> usize| workload.batches.iter().map(rows).max().unwrap_or(0);
    let n_rows = (most(&|batch| batch.n_prompt_rows) + most(&response_rows)) as u64;
    let q_dim = architecture.shape.n_heads * architecture.head_dim;
    let kv_dim = architecture.n_kv_heads * architecture.head_dim;
    let n_caches = match workload.kv_cache {
        KvCache::Keep => architecture.shape.n_layers,
        KvCache::Drop => 1,
    };
    let value = size_of::<f32>() as u64;
    let term = |name, n_bytes| MemoryTerm { name, n_bytes };
    MemoryForecast {
        terms: vec![
            term("program", BASE_BYTES),
            term("weights", n_weight_bytes),
            // The residual stream and the embedding that it began with; queries and mixed values.
            term("rows", n_rows * value * 2 * (architecture.shape.d_model + q_dim) as u64),
            term("kv_cache", n_rows * value * (2 * kv_dim * n_caches) as u64),
            term("captured", workload.n_captured_bytes),
        ],
    }
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
