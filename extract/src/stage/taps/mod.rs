//! Pools what passes by in a forward pass: states by segment and pooling, attention by pair of segments.
//!
//! A prompt's numbers are sums over its own rows in reading order, so they do not depend on which
//! prompts share the pass. What is final once a layer is through is handed over at once; what a response
//! still adds to is kept until the last token.

mod attention;
mod hidden;
mod logits;

use crate::forward::{Shape, Taps, TokenTree};
use crate::stage::batch::Chunk;
use attention::AttentionTaps;
use hidden::HiddenTaps;
use hypercolumn_schemas::{Progress, Site};
use logits::LogitTaps;
pub use logits::Want;

/// What is final of a chunk at some point of the pass.
#[derive(Debug)]
pub enum Part {
    /// Pooled states at a site: for each of [`Chunk::slots`], `d_model` values.
    Hidden { layer: usize, site: Site, vectors: Vec<f32> },
    /// Attention masses at a layer: for each prompt and head, query segments × key segments, the response apart.
    Attention { layer: usize, masses: Vec<f32> },
    /// What there is to say of the responses, after the last token.
    Responses(ResponseParts),
}

/// Kept of responses.
#[derive(Debug)]
pub struct ResponseParts {
    /// By site in [`Shape::sites`] order: for each of [`Chunk::response_slots`], `d_model` values.
    pub hidden: Vec<Vec<f32>>,
    /// By layer from 1: for each prompt and head, masses from the response to each key segment, the response last.
    pub attention: Vec<Vec<f32>>,
    /// For each prompt, the number of response tokens.
    pub n_tokens: Vec<usize>,
}

/// Taps of one chunk of prompts.
pub struct ChunkTaps<'a> {
    hidden: HiddenTaps<'a>,
    attention: AttentionTaps<'a>,
    logits: LogitTaps,
    n_sites: usize,
    n_layers: usize,
    n_tokens: u64,
    reads_responses: bool,
    n_skipped: usize,
    progress: &'a dyn Progress,
    hand_over: &'a (dyn Fn(Part) + Sync),
}

impl<'a> ChunkTaps<'a> {
    /// Taps for a chunk whose prompts end at the runs `ends` of `tree`, with log-probabilities of `n_targets` tokens
    /// to find. The first pass advances `progress` by the prompts' tokens, a share at every site.
    pub fn new(
        chunk: &'a Chunk,
        shape: Shape,
        tree: &TokenTree,
        (ends, n_targets): (&[usize], usize),
        progress: &'a dyn Progress,
        hand_over: &'a (dyn Fn(Part) + Sync),
    ) -> Self {
        Self {
            hidden: HiddenTaps::new(chunk, shape, tree, ends),
            attention: AttentionTaps::new(chunk, tree, ends, (shape.n_layers, shape.n_heads)),
            logits: LogitTaps::new(chunk.readings.len(), n_targets),
            n_sites: shape.sites().count(),
            n_layers: shape.n_layers,
            n_tokens: chunk.plans().map(|p| p.n_tokens as u64).sum(),
            reads_responses: false,
            n_skipped: 0,
            progress,
            hand_over,
        }
    }

    /// A layer that an earlier run computed counts as done.
    pub fn skip_layer(&mut self) {
        self.n_skipped += 1;
        self.progress.advance(share(self.n_tokens, self.n_skipped, self.n_sites));
    }

    /// Says what the logits at `row` are needed for.
    pub fn want(&mut self, row: usize, want: Want) {
        self.logits.want(row, want);
    }

    /// Rows whose logits are needed in the next pass, ascending.
    pub fn wanted_rows(&self) -> Vec<usize> {
        self.logits.wanted_rows()
    }

    /// Prepares for a pass over response tokens: prompts, each with a new run of one token.
    pub fn begin_response_pass(&mut self, tree: &TokenTree, added: &[(usize, usize)]) {
        self.reads_responses = true;
        self.logits.clear_wants();
        self.hidden.begin_responses(tree, added);
        self.attention.begin_responses(tree, added);
    }

    /// The likeliest next token of a prompt, as of the last pass that asked for it.
    pub fn next_token(&self, prompt: usize) -> u32 {
        self.logits.next_token(prompt)
    }

    /// Log-probabilities of the targets; hands over what is kept of responses, which have `n_tokens` tokens. Call once,
    /// after the last pass.
    pub fn finish(self, n_tokens: Vec<usize>) -> Vec<f64> {
        let attention = self.attention.finish(&n_tokens);
        let hidden = self.hidden.finish(&n_tokens);
        (self.hand_over)(Part::Responses(ResponseParts { hidden, attention, n_tokens }));
        self.logits.into_target_logprobs()
    }
}

impl Taps for ChunkTaps<'_> {
    fn hidden(&mut self, layer: usize, site: Site, rows: &[f32]) {
        let index = if site == Site::FinalNorm { self.n_layers + 1 } else { layer };
        if self.reads_responses {
            if site == Site::ResidPost {
                self.attention.end_response_layer(layer);
            }
            return self.hidden.take_responses(index, rows);
        }
        self.progress.advance(share(self.n_tokens, index, self.n_sites));
        if site == Site::ResidPost {
            let masses = self.attention.end_layer();
            (self.hand_over)(Part::Attention { layer, masses });
        }
        (self.hand_over)(Part::Hidden { layer, site, vectors: self.hidden.pool(rows) });
    }

    fn attention(&self, _layer: usize, head: usize, run: usize, weights: &[f32]) {
        self.attention.take(head, run, weights);
    }

    fn logits(&self, row: usize, logits: &[f32]) {
        self.logits.take(row, logits);
    }
}

/// What part `index` of `n_parts` adds to a total that the parts make up exactly.
fn share(total: u64, index: usize, n_parts: usize) -> u64 {
    let until = |parts: usize| total * parts as u64 / n_parts as u64;
    until(index + 1) - until(index)
}
