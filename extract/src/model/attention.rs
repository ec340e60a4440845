//! Attention over a token tree: every run attends to the keys on its own path and nothing else.
//!
//! One head's weights of one run exist at a time in each thread; they are shown to the taps and
//! overwritten. No padding, no mask over other prompts: what is not on the path is never read.

use super::kernels::{View, multiply, multiply_transposed};
use crate::backend::{Taps, TokenTree};
use rayon::prelude::*;
use std::ops::Range;

/// Keys and values of one layer for every row of the tree so far, head-interleaved.
#[derive(Debug, Default)]
pub struct KeysValues {
    /// `n_rows × (n_key_heads · head_width)`.
    pub keys: Vec<f32>,
    /// As `keys`.
    pub values: Vec<f32>,
}

/// The sizes that attention needs.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; each serves `n_heads / n_key_heads` query heads in order.
    pub n_key_heads: usize,
    /// Width of a head.
    pub width: usize,
}

/// Attention of `runs`: `queries` (`n × (n_heads · width)`, rows of those runs in order) against the keys and
/// values on each run's path. Gives `n × (n_heads · width)`. `layer` counts from 1 and is only passed on.
pub fn attend(
    tree: &TokenTree,
    runs: Range<usize>,
    queries: &[f32],
    memory: &KeysValues,
    heads: Heads,
    layer: usize,
    taps: &dyn Taps,
) -> Vec<f32> {
    let stride = heads.n_heads * heads.width;
    let n_rows = queries.len() / stride;
    let paths: Vec<Vec<Range<usize>>> = runs.clone().map(|r| tree.path(r)).collect();
    let by_head: Vec<Vec<f32>> = (0..heads.n_heads)
        .into_par_iter()
        .map(|head| {
            let mut work = HeadWork { tree, queries, memory, heads, head, scratch: Scratch::default() };
            let mut out = vec![0.0; n_rows * heads.width];
            let first_row = tree.runs.get(runs.start).map_or(0, |r| r.row);
            for (run, path) in runs.clone().zip(&paths) {
                let row = tree.runs[run].row - first_row;
                let len = tree.runs[run].len;
                let out = &mut out[row * heads.width..(row + len) * heads.width];
                let weights = work.attend_run(run, row, path, out);
                taps.attention(layer, head, run, weights);
            }
            out
        })
        .collect();
    interleave(&by_head, heads.width, n_rows)
}

fn interleave(by_head: &[Vec<f32>], width: usize, n_rows: usize) -> Vec<f32> {
    let stride = by_head.len() * width;
    let mut out = vec![0.0; n_rows * stride];
    out.par_chunks_mut(stride).enumerate().for_each(|(row, out)| {
        for (out, head) in out.chunks_mut(width).zip(by_head) {
            out.copy_from_slice(&head[row * width..(row + 1) * width]);
        }
    });
    out
}

#[derive(Default)]
struct Scratch {
    keys: Vec<f32>,
    values: Vec<f32>,
    weights: Vec<f32>,
}

struct HeadWork<'a> {
    tree: &'a TokenTree,
    queries: &'a [f32],
    memory: &'a KeysValues,
    heads: Heads,
    head: usize,
    scratch: Scratch,
}

impl HeadWork<'_> {
    /// Fills `out` (`len × width`) for one run whose queries begin at `row`; its weights, `len × path`.
    fn attend_run(&mut self, run: usize, row: usize, path: &[Range<usize>], out: &mut [f32]) -> &[f32] {
        let Heads { n_heads, n_key_heads, width } = self.heads;
        let run = &self.tree.runs[run];
        let n_keys = run.position + run.len;
        self.gather(path, self.head / (n_heads / n_key_heads));
        let Scratch { keys, values, weights } = &mut self.scratch;
        weights.resize(run.len * n_keys, 0.0);
        let stride = n_heads * width;
        let view = |values, rows, columns, stride| View { values, rows, columns, stride };
        let queries = &self.queries[row * stride + self.head * width..];
        let scale = 1.0 / (width as f32).sqrt();
        multiply_transposed(
            weights,
            view(queries, run.len, width, stride),
            view(keys, n_keys, width, width),
            scale,
        );
        for (i, row) in weights.chunks_mut(n_keys).enumerate() {
            softmax_causal(row, run.position + i + 1);
        }
        multiply(out, view(weights, run.len, n_keys, n_keys), view(values, n_keys, width, width));
        weights
    }

    /// Copies the path's keys and values of one head side by side.
    fn gather(&mut self, path: &[Range<usize>], key_head: usize) {
        let Heads { n_key_heads, width, .. } = self.heads;
        let stride = n_key_heads * width;
        self.scratch.keys.clear();
        self.scratch.values.clear();
        for row in path.iter().cloned().flatten() {
            let at = row * stride + key_head * width;
            self.scratch.keys.extend_from_slice(&self.memory.keys[at..at + width]);
            self.scratch.values.extend_from_slice(&self.memory.values[at..at + width]);
        }
    }
}

/// Softmax of the first `n_visible` scores; exactly 0 past them.
fn softmax_causal(scores: &mut [f32], n_visible: usize) {
    let (visible, future) = scores.split_at_mut(n_visible);
    let largest = visible.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in visible.iter_mut() {
        *score = (*score - largest).exp();
        sum += *score;
    }
    let scale = 1.0 / sum;
    visible.iter_mut().for_each(|s| *s *= scale);
    future.fill(0.0);
}
