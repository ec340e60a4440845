//! Pools the states of segments' tokens.

use crate::forward::{Batch, Capture, Positions, extend_pool};
use hypercolumn_schemas::Pooling;
use rayon::prelude::*;
use std::collections::HashMap;

/// The vectors that are asked for at every site.
#[derive(Debug)]
pub(super) struct StatePools {
    /// Vectors that differ in their rows or pooling: paths that begin alike share them.
    distinct: Vec<Pool>,
    /// For each slot, its vector among the distinct ones.
    same_as: Vec<usize>,
}

/// One vector: the rows of the batch, from 0, that are pooled.
#[derive(Debug)]
struct Pool {
    rows: Vec<usize>,
    pooling: Pooling,
}

impl StatePools {
    pub(super) fn new(batch: &Batch<'_>, capture: &Capture) -> Self {
        let (mut distinct, mut known) = (Vec::new(), HashMap::new());
        let mut same_as = Vec::new();
        for path in &capture.paths {
            let rows = PathRows::new(batch, path.end);
            for slot in &path.slots {
                let pooled = rows.of(&slot.positions);
                let index = *known.entry((slot.pooling, pooled.clone())).or_insert_with(|| {
                    distinct.push(Pool { rows: pooled, pooling: slot.pooling });
                    distinct.len() - 1
                });
                same_as.push(index);
            }
        }
        Self { distinct, same_as }
    }

    /// The slots' vectors, `[n_slots, width]`, of `states`, `[n_rows, width]`. A slot without tokens gives zeros.
    pub(super) fn pool(&self, states: &[f32], width: usize) -> Vec<f32> {
        let mut distinct = vec![0.0; self.distinct.len() * width];
        distinct.par_chunks_mut(width).zip(&self.distinct).for_each(|(out, pool)| {
            pool_rows(out, pool.pooling, pool.rows.iter().map(|row| &states[row * width..][..width]));
        });
        let mut vectors = vec![0.0; self.same_as.len() * width];
        let copies = vectors.par_chunks_mut(width).zip(&self.same_as);
        copies.for_each(|(out, index)| out.copy_from_slice(&distinct[index * width..][..width]));
        vectors
    }
}

/// The part of a path that a batch computes: rows from 0 by position.
struct PathRows {
    /// First position, number of tokens and first row of each edge, in reading order.
    edges: Vec<EdgeRows>,
}

struct EdgeRows {
    position: usize,
    len: usize,
    row: usize,
}

impl PathRows {
    fn new(batch: &Batch<'_>, end: usize) -> Self {
        let first_row = batch.tree.edges.get(batch.edges.start).map_or(0, |edge| edge.row);
        let mut edges = Vec::new();
        let mut next = Some(end);
        while let Some(index) = next.filter(|index| *index >= batch.edges.start) {
            let edge = &batch.tree.edges[index];
            edges.push(EdgeRows { position: edge.position, len: edge.len, row: edge.row - first_row });
            next = edge.parent;
        }
        edges.reverse();
        Self { edges }
    }

    /// Rows of the tokens at `positions`.
    fn of(&self, positions: &Positions) -> Vec<usize> {
        let within = |edge: &EdgeRows, start: u32, end: u32| {
            let clip = |at: u32| (at as usize).clamp(edge.position, edge.position + edge.len) - edge.position;
            edge.row + clip(start)..edge.row + clip(end)
        };
        let of_range = |range: &std::ops::Range<u32>| {
            let (start, end) = (range.start, range.end);
            self.edges.iter().flat_map(move |edge| within(edge, start, end)).collect::<Vec<_>>()
        };
        positions.iter().flat_map(of_range).collect()
    }
}

/// Pools rows into `out`.
fn pool_rows<'r>(out: &mut [f32], pooling: Pooling, rows: impl Iterator<Item = &'r [f32]>) {
    let mut n = 0;
    for row in rows {
        extend_pool(out, pooling, row, n == 0);
        n += 1;
    }
    if pooling == Pooling::Mean && n > 0 {
        out.iter_mut().for_each(|v| *v /= n as f32);
    }
}
