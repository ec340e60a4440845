//! Attention over a token tree: every edge attends to the keys on its own path and nothing else.
//!
//! One edge's weights for one group of heads exist at a time in each thread; they are reduced to
//! segments and overwritten. No padding, no mask over other prompts: what is not on the path is never read.

use super::block_table::BatchLayout;
use super::edits::LayerEdits;
use super::elementwise::softcap;
use super::heads::Heads;
use super::kv_cache::LayerKvCache;
use super::product::{Operand, PackedPanel, Rows, multiply};
use super::workers::sized;
use crate::cpu::capture::AttentionSums;
use crate::cpu::vector::{N_PARTS, softmax, vectorized};
use crate::forward::Edge;
use crate::forward::profile::{Clock, Work};
use std::ops::Range;

/// Rows of a long edge whose queries are multiplied together: keys that none of them sees are left out.
const QUERY_ROWS: usize = 32;

/// How scores become weights.
#[derive(Clone, Copy, Debug)]
pub struct Scoring {
    /// Factor of query · key.
    pub scale: f32,
    /// c in c · tanh(score / c).
    pub softcap: Option<f32>,
    /// Tokens that a query sees, itself included.
    pub window: Option<usize>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub struct AttentionScratch {
    queries: Vec<f32>,
    weights: Vec<f32>,
}

/// Attention of one layer, for any edge of a batch.
pub struct Attention<'a> {
    /// What is computed together.
    pub layout: &'a BatchLayout<'a>,
    /// Keys and values of the layer.
    pub kv_cache: &'a LayerKvCache,
    /// Head sizes.
    pub heads: Heads,
    /// From scores to weights.
    pub scoring: Scoring,
    /// Interventions in the layer.
    pub(super) edits: &'a LayerEdits<'a>,
}

impl Attention<'_> {
    /// Attends for one edge of the batch: `queries` and `out` are its rows, `len × (n_heads · width)`.
    pub fn attend(
        &self,
        edge: usize,
        queries: &[f32],
        out: &mut [f32],
        scratch: &mut AttentionScratch,
        clock: &mut Clock,
        sums: &AttentionSums,
    ) {
        let AttentionScratch { queries: gathered, weights } = scratch;
        let n_keys = self.layout.n_keys(edge);
        let len = self.layout.edge(edge).len;
        let group = self.heads.group();
        for key_head in 0..self.heads.n_kv_heads {
            let heads = key_head * group..(key_head + 1) * group;
            self.gather(queries, heads.clone(), gathered);
            let weights = sized(weights, group * len * n_keys);
            self.attention_weights(edge, key_head, gathered, weights);
            self.weighted_values(edge, heads.clone(), weights, out);
            clock.lap(Work::Attention);
            for (head, weights) in heads.zip(weights.chunks(len * n_keys)) {
                sums.take(head, edge, weights);
            }
            clock.lap(Work::Pooling);
        }
    }

    /// Queries of some heads, head by head and row by row, scaled.
    fn gather(&self, queries: &[f32], heads: Range<usize>, gathered: &mut Vec<f32>) {
        let (all, width) = (self.heads.q_dim(), self.heads.head_dim);
        gathered.clear();
        for head in heads {
            for row in queries.chunks(all) {
                gathered.extend(row[head * width..][..width].iter().map(|q| q * self.scoring.scale));
            }
        }
    }

    /// Attention weights of the gathered queries: rows of `n_keys`.
    fn attention_weights(&self, edge: usize, key_head: usize, queries: &[f32], weights: &mut [f32]) {
        let n_keys = self.layout.n_keys(edge);
        let width = self.heads.head_dim;
        let &Edge { position, len, .. } = self.layout.edge(edge);
        let n = queries.len() / width;
        // Of a short edge all heads together, otherwise some rows of a head.
        let (part, block) = if len <= QUERY_ROWS { (n, n) } else { (len, QUERY_ROWS) };
        for (queries, weights) in queries.chunks(part * width).zip(weights.chunks_mut(part * n_keys)) {
            for (first, queries) in (0..).step_by(block).zip(queries.chunks(block * width)) {
                let n = queries.len() / width;
                let left = Operand::Rows(Rows { values: queries, n, stride: width });
                for span in self.layout.path_to(edge, n_keys.min(position + first + n)) {
                    let keys = self.kv_cache.of(&span).keys_of(&span, key_head);
                    let values = &mut weights[first * n_keys + span.position..];
                    multiply(&left, &[keys], &mut Rows { values, n, stride: n_keys }, span.len, &[]);
                }
            }
        }
        if let Some(c) = self.scoring.softcap {
            softcap(weights, c);
        }
        let rows = self.layout.edge(edge).rows();
        let group = self.heads.group();
        let heads = key_head * group..(key_head + 1) * group;
        self.edits.hide(rows.clone(), heads.clone(), weights, f32::NEG_INFINITY);
        softmax_rows(weights, n_keys, position, len, self.scoring.window.unwrap_or(usize::MAX));
        // The exponential of what is hidden is e^-87 and not 0.
        self.edits.hide(rows, heads, weights, 0.0);
    }

    /// Weighted sums of values, into the rows' places of these heads.
    fn weighted_values(&self, edge: usize, heads: Range<usize>, weights: &[f32], out: &mut [f32]) {
        let n_keys = self.layout.n_keys(edge);
        let &Edge { position, len, .. } = self.layout.edge(edge);
        let (all, width) = (self.heads.q_dim(), self.heads.head_dim);
        let key_head = heads.start / self.heads.group();
        let values = |end: usize| -> Vec<PackedPanel> {
            let path = self.layout.path_to(edge, end);
            path.map(|p| self.kv_cache.of(&p).values_of(&p, key_head)).collect()
        };
        if len == 1 {
            let n = heads.len();
            let left = Rows { values: weights, n, stride: n_keys };
            let mut out = Rows { values: &mut out[heads.start * width..], n, stride: width };
            return multiply(&Operand::Rows(left), &values(n_keys), &mut out, width, &[]);
        }
        for first in (0..len).step_by(QUERY_ROWS) {
            let n = QUERY_ROWS.min(len - first);
            let values = values(position + first + n);
            for (index, head) in heads.clone().enumerate() {
                let left = Rows { values: &weights[(index * len + first) * n_keys..], n, stride: n_keys };
                let mut out = Rows { values: &mut out[first * all + head * width..], n, stride: all };
                multiply(&Operand::Rows(left), &values, &mut out, width, &[]);
            }
        }
    }
}

vectorized! {
    /// Softmax of each row of scores over the keys that it sees, exactly 0 elsewhere. Rows are those of an edge, given by
    /// its position and length, head after head.
    fn softmax_rows<'a>(scores: &'a mut [f32], n_keys: usize, position: usize, len: usize, window: usize) {
        for (i, row) in scores.chunks_exact_mut(n_keys).enumerate() {
            let visible = position + i % len + 1;
            let first = visible.saturating_sub(window);
            // Of keys that are not seen, as many as fill up a vector take part as e^-87, which is nothing beside the sum.
            let end = n_keys.min(first + (visible - first).next_multiple_of(N_PARTS));
            row[..first].fill(0.0);
            row[visible..end].fill(f32::NEG_INFINITY);
            softmax(&mut row[first..end]);
            row[visible..].fill(0.0);
        }
    }
}
