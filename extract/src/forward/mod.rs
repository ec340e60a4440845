//! The seam to a model: what a backend must do, in terms that no tensor library and no device own.
//!
//! A batch is a part of a [`PrefixTree`], so that a token which many prompts share is computed once; a decoded token is
//! an edge of one. A [`Capture`] plan says what is wanted of it, and which [`Edit`]s intervene. A [`Backend`] decides where weights go, says what memory
//! that takes, loads a [`Model`], and pools on its own device: nothing but batches, plans and pooled results passes the
//! seam. How far a pass over the layers is, it keeps in a [`ResumeCheckpoint`] in whatever layout it computes with.
//!
//! What this module leaves to others: reading model files (`model`), what segments are (`stage`).

mod capture;
mod draw;
mod edits;
pub mod prefix_tree;
pub mod profile;
mod resume;

pub use capture::{
    Capture, LayerSink, LogitRequest, LogitResult, NextToken, PathCapture, PooledSlot, extend_pool,
};
pub use draw::Draw;
pub use edits::{AttentionKnockOut, Edit, StateChange, StateEdit, check_edits};
pub use prefix_tree::{Edge, Positions, PrefixTree};
pub use resume::ResumeCheckpoint;

use crate::error::ExtractError;
use crate::model::architecture::{Architecture, Checkpoint, Shape};
use hypercolumn_schemas::BackendId;
use profile::Profile;
use serde::Serialize;
use std::ops::Range;

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

/// Whether keys and values outlive their layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvCache {
    /// They do: further passes continue the tree.
    Keep,
    /// Each layer's are dropped after that layer; one pass reads the whole tree.
    Drop,
}

/// What an extraction asks of memory besides weights.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Every batch of prompts with its responses; one is in memory at a time.
    pub batches: Vec<BatchWorkload>,
    /// Whether responses follow.
    pub kv_cache: KvCache,
    /// Bytes of pooled results that may wait for the writer.
    pub n_captured_bytes: u64,
}

/// Rows of one batch of prompts.
#[derive(Clone, Debug)]
pub struct BatchWorkload {
    /// Rows of the first pass: tokens that are not shared, those of answers included.
    pub n_prompt_rows: usize,
    /// Tokens of each response at its longest.
    pub n_response_tokens: Vec<usize>,
}

/// Bytes of memory at most, about, by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryForecast {
    /// The terms; their sum is the forecast.
    pub terms: Vec<MemoryTerm>,
}

/// One term of a [`MemoryForecast`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryTerm {
    /// What the bytes are for.
    pub name: &'static str,
    /// How many.
    pub n_bytes: u64,
}

impl MemoryForecast {
    /// The sum of the terms.
    pub fn n_bytes(&self) -> u64 {
        self.terms.iter().map(|term| term.n_bytes).sum()
    }
}

/// A placement and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where the weights go.
    pub placement: Placement,
    /// Memory.
    pub forecast: MemoryForecast,
}

/// A way to carry models out.
pub trait Backend: Sync {
    /// What shards computed by it record, and what their keys hold.
    fn id(&self) -> BackendId;

    /// The fastest placement within `available_bytes`.
    ///
    /// # Errors
    /// What the leanest placement takes, where that is more.
    fn place(
        &self,
        architecture: &Architecture,
        workload: &Workload,
        available_bytes: u64,
    ) -> Result<Placed, MemoryForecast>;

    /// Bytes of f32 weights of one block, whatever the backend makes of them.
    fn block_bytes(&self, architecture: &Architecture) -> u64;

    /// Floating-point operations that matrix products of this model's sizes do in a second now.
    fn product_flop_per_second(&self, architecture: &Architecture) -> f64;

    /// Name of the layout in which it keeps states, keys and values in a [`ResumeCheckpoint`].
    fn resume_layout(&self) -> String;

    /// A checkpoint, ready to compute; weights that are to stay in memory are read now.
    ///
    /// # Errors
    /// When the checkpoint cannot be read.
    fn load<'a>(
        &self,
        checkpoint: &'a dyn Checkpoint,
        placement: Placement,
    ) -> Result<Box<dyn Model + 'a>, ExtractError>;
}

/// A loaded model.
pub trait Model {
    /// The model's sizes.
    fn shape(&self) -> Shape;

    /// Where the time of the passes went since this was last asked.
    fn take_profile(&self) -> Profile;

    /// Starts with an empty KV cache, for one tree.
    fn session(&self, kv_cache: KvCache) -> Box<dyn Session + '_>;
}

/// Edges of a tree that are computed together.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// The tree.
    pub tree: &'a PrefixTree,
    /// Indices of consecutive edges, which follow those computed before.
    pub edges: Range<usize>,
}

impl Batch<'_> {
    /// Rows of the tree that are computed.
    pub fn rows(&self) -> Range<usize> {
        let edges = &self.tree.edges[self.edges.clone()];
        match (edges.first(), edges.last()) {
            (Some(first), Some(last)) => first.row..last.row + last.len,
            _ => 0..0,
        }
    }

    /// Position of a row of the batch on every path that it is on.
    ///
    /// # Panics
    /// If the row is not of the batch.
    pub fn position(&self, row: usize) -> usize {
        let edges = &self.tree.edges[self.edges.clone()];
        let edge = &edges[edges.partition_point(|edge| edge.row <= row) - 1];
        edge.position + row - edge.row
    }
}

/// A model over one tree.
pub trait Session {
    /// Computes `batch` and hands what `capture` asks for to `sink`. Layers that `resume` has finished are left out, for
    /// the first batch of a tree.
    ///
    /// # Errors
    /// When an edit does not fit model and batch, weights cannot be read, the resume checkpoint cannot be read or written,
    /// or `sink` refuses.
    fn forward(
        &mut self,
        batch: &Batch<'_>,
        capture: &Capture,
        sink: &mut dyn LayerSink,
        resume: Option<&ResumeCheckpoint>,
    ) -> Result<(), ExtractError>;
}
