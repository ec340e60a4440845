//! What a language model must do here. No tensor library is mentioned: a backend may use any.
//!
//! Prompts reach a model as a [`TokenTree`]: runs of tokens, each continuing its parent's path, so that
//! a token shared by many prompts is computed once. A decoded token is a run of one. What passes by is
//! shown to [`Taps`], layer by layer, and kept by nobody else.

pub mod prefix_tree;
pub mod profile;
pub(crate) mod segment_plan;

use crate::error::ExtractError;
use crate::forward::profile::Profile;
use hypercolumn_schemas::Site;
pub use prefix_tree::{Run, TokenTree};
use std::ops::Range;

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
    pub context: usize,
}

impl Shape {
    /// Every (layer, site) that a table has, in order: embed, resid_post 1..=L, final_norm.
    pub fn sites(&self) -> impl Iterator<Item = (usize, Site)> + use<> {
        let n = self.n_layers;
        let blocks = (1..=n).map(|l| (l, Site::ResidPost));
        std::iter::once((0, Site::Embed)).chain(blocks).chain(std::iter::once((n, Site::FinalNorm)))
    }
}

/// Receives what passes by in a forward pass. Rows are those of the runs being computed, in order.
pub trait Taps: Send + Sync {
    /// States at one site: `n_rows × d_model`, row-major.
    fn hidden(&mut self, layer: usize, site: Site, rows: &[f32]);

    /// Attention weights of one run in one head: `run.len × (run.position + run.len)`, row-major; row `i`
    /// is zero past position `run.position + i`. Runs and heads come from several threads in any order, each
    /// once a layer.
    fn attention(&self, layer: usize, head: usize, run: usize, weights: &[f32]);

    /// Logits at a wanted row (an index into the tree's tokens): `n_vocabulary` values. Rows come from several
    /// threads in any order, each once.
    fn logits(&self, row: usize, logits: &[f32]);
}

/// A loaded model.
pub trait Backend {
    /// The model's sizes.
    fn shape(&self) -> Shape;

    /// Where the time of the passes went, since this was last asked.
    fn take_profile(&self) -> Profile;

    /// An empty memory of keys and values, for one tree. `goes_on` says whether [`Session::forward`] will be called
    /// more than once: if not, no layer's keys and values outlive it.
    fn session(&self, goes_on: bool) -> Box<dyn Session + '_>;
}

/// Keys and values of one layer, as a backend lays them out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Keys.
    pub keys: Vec<f32>,
    /// Values.
    pub values: Vec<f32>,
}

/// How far a pass was when it ended before its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Started {
    /// Layers that are through and need not be computed.
    pub n_layers: usize,
    /// States after the last of them: `n_rows × d_model`.
    pub rows: Vec<f32>,
    /// By layer, if they were asked for.
    pub memory: Vec<Memory>,
}

/// Remembers how far a pass is.
pub trait Ledger: Sync {
    /// What was through before; with keys and values if the pass is not the last.
    ///
    /// # Errors
    /// When what was remembered cannot be read; likewise when it cannot be written, below.
    fn started(&self, keeps_memory: bool) -> Result<Started, ExtractError>;

    /// A layer, from 1, is through: the states after it, and its keys and values if the pass is not the last.
    ///
    /// # Errors
    /// See above.
    fn through(
        &self,
        layer: usize,
        rows: &[f32],
        memory: Option<(&[f32], &[f32])>,
    ) -> Result<(), ExtractError>;
}

/// A model reading one tree: keys and values of every run computed so far.
pub trait Session {
    /// Computes `runs`, which must follow the runs computed before, and shows `taps` what passes.
    /// `wanted` are the tree rows, ascending and within `runs`, whose logits are needed. Layers that `ledger` has as
    /// through are left out, for the first pass of a tree; `taps` see the others.
    ///
    /// # Errors
    /// When weights or the ledger cannot be read.
    fn forward(
        &mut self,
        tree: &TokenTree,
        runs: Range<usize>,
        wanted: &[usize],
        taps: &mut dyn Taps,
        ledger: Option<&dyn Ledger>,
    ) -> Result<(), ExtractError>;
}
