//! What a forward pass is asked for: pooled states, attention between segments, and logits of some rows.
//!
//! A plan names positions on paths through the prefix tree and never a matrix: a backend pools where it computes, and
//! hands over `[n_slots, width]` states and `[n_heads, n_pairs]` attention sums, layer by layer. The attention sum of a
//! query segment and a key segment is that of softmax(QKᵀ)·E over the query's rows, E being the key segments' indicator
//! `[n_keys, n_segments]`: a kernel that gives softmax(QKᵀ)·V gives it, with E in place of V.

use super::draw::Draw;
use super::edits::Edit;
use super::prefix_tree::Positions;
use crate::error::ExtractError;
use hypercolumn_schemas::{Pooling, Site};

/// Everything that is asked of one forward pass.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// Sites whose states are pooled.
    pub sites: Vec<Site>,
    /// What is asked of each path. Only tokens that this pass computes count as rows; keys may lie anywhere before them.
    pub paths: Vec<PathCapture>,
    /// Rows whose logits are needed, in any order.
    pub logits: Vec<LogitRequest>,
    /// Interventions, in the order in which those of one site are made.
    pub edits: Vec<Edit>,
}

/// What is asked of one path from the root of the tree.
#[derive(Clone, Debug, Default)]
pub struct PathCapture {
    /// The edge that ends the path.
    pub end: usize,
    /// Vectors to pool at every site.
    pub slots: Vec<PooledSlot>,
    /// Query segments.
    pub queries: Vec<Positions>,
    /// Key segments.
    pub keys: Vec<Positions>,
}

/// A vector to pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PooledSlot {
    /// The tokens; where there are none the vector is zero.
    pub positions: Positions,
    /// How their states become one vector.
    pub pooling: Pooling,
}

/// A row whose logits are needed.
#[derive(Clone, Debug)]
pub struct LogitRequest {
    /// The row in the tree, one that this pass computes.
    pub row: usize,
    /// Tokens whose log-probability is asked for.
    pub targets: Vec<u32>,
    /// Which token is asked for as the next.
    pub next: NextToken,
}

/// The token that is to follow a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NextToken {
    /// The likeliest, the first of those that tie.
    Likeliest,
    /// One drawn from the row's distribution.
    Drawn(Draw),
    /// None: nothing is decoded from the row.
    Unasked,
}

/// What was read off a row's logits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogitResult {
    /// The next token; none where it was not asked for.
    pub next: Option<u32>,
    /// Natural logarithms of the targets' probabilities, in order.
    pub logprobs: Vec<f64>,
}

/// Takes what a pass captures, in the order of the layers.
pub trait LayerSink: Send {
    /// Pooled states at a site: for each path and each of its slots, `width` values (`d_model`; at [`Site::Z`] those of
    /// all heads).
    ///
    /// # Errors
    /// When they cannot be taken; the pass ends.
    fn states(&mut self, layer: usize, site: Site, vectors: Vec<f32>) -> Result<(), ExtractError>;

    /// Attention sums at a layer, from 1: for each path and head `[n_queries, n_keys]`, over the query segment's rows of
    /// this pass and the key segment's positions.
    ///
    /// # Errors
    /// As [`LayerSink::states`].
    fn attention(&mut self, layer: usize, sums: Vec<f64>) -> Result<(), ExtractError>;

    /// What was read off logits, in the order of [`Capture::logits`]. Called last.
    fn logits(&mut self, results: Vec<LogitResult>);
}

/// Adds one state to a pool that is being filled, `[width]`: to the sum, which [`Pooling::Mean`] divides by the number of
/// states at the end, to the maximum, or as the last.
pub fn extend_pool(out: &mut [f32], pooling: Pooling, row: &[f32], is_first: bool) {
    match pooling {
        _ if is_first => out.copy_from_slice(row),
        Pooling::Last => out.copy_from_slice(row),
        Pooling::Mean => out.iter_mut().zip(row).for_each(|(o, v)| *o += v),
        Pooling::Max => out.iter_mut().zip(row).for_each(|(o, v)| *o = o.max(*v)),
    }
}
