//! Reduces attention to segments: sums over query tokens, edge by edge.
//!
//! Weights come edge by edge and head by head from several threads. Each (edge, head) has sums of its own, added up in
//! the edges' order once a layer is computed, so that the result does not depend on threads.

use crate::cpu::vector::vectorized;
use crate::forward::{Batch, Capture, Edge, PathCapture, Positions};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

/// Rows of an edge, as ascending half-open ranges.
type RowRanges = Vec<(usize, usize)>;

/// A query segment of a path.
#[derive(Clone, Copy, Debug)]
struct Query {
    path: usize,
    /// Index among the path's query segments.
    index: usize,
}

/// A query segment's tokens within one edge, and the queries that have them.
#[derive(Debug)]
struct RowSet {
    rows: RowRanges,
    queries: Vec<Query>,
}

/// What is asked of one edge.
#[derive(Debug, Default)]
struct EdgePlan {
    n_keys: usize,
    sets: Vec<RowSet>,
    /// Length of its sums: for every query of every set, one for each key segment.
    n_sums: usize,
}

/// Attention sums of one batch.
#[derive(Debug)]
pub(crate) struct AttentionSums {
    n_heads: usize,
    /// By path: the key segments.
    keys: Vec<Vec<Positions>>,
    /// By path: number of query segments.
    n_queries: Vec<usize>,
    first_edge: usize,
    edges: Vec<EdgePlan>,
    /// By edge of the batch and head.
    sums: Vec<Mutex<Vec<f64>>>,
}

impl AttentionSums {
    pub(super) fn new(batch: &Batch<'_>, capture: &Capture, n_heads: usize) -> Self {
        let keys: Vec<Vec<Positions>> = capture.paths.iter().map(|path| path.keys.clone()).collect();
        let n_queries = capture.paths.iter().map(|path| path.queries.len()).collect();
        let edges = plan_edges(batch, &capture.paths);
        let heads = |edge: &EdgePlan| vec![vec![0.0; edge.n_sums]; n_heads];
        let sums = edges.iter().flat_map(heads).map(Mutex::new).collect();
        Self { n_heads, keys, n_queries, first_edge: batch.edges.start, edges, sums }
    }

    /// Takes one edge's weights in one head, `[len, n_keys]`.
    pub(crate) fn take(&self, head: usize, edge: usize, weights: &[f32]) {
        let Some(index) = edge.checked_sub(self.first_edge).filter(|i| *i < self.edges.len()) else { return };
        let plan = &self.edges[index];
        if plan.sets.is_empty() {
            return;
        }
        let mut sums = self.sums[index * self.n_heads + head].lock().expect("no reduction panicked");
        let mut sums = sums.iter_mut();
        // Entry i is the sum of the columns before i.
        let mut running = vec![0.0; plan.n_keys + 1];
        for set in &plan.sets {
            running.fill(0.0);
            sum_rows(&mut running[1..], weights, &set.rows);
            accumulate(&mut running);
            for query in &set.queries {
                for positions in &self.keys[query.path] {
                    *sums.next().expect("one for each key segment") = sum_over(&running, positions);
                }
            }
        }
    }

    /// Whether any attention is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.edges.iter().all(|edge| edge.sets.is_empty())
    }

    /// Sums of the layer that was just computed: for each path and head, `[n_queries, n_keys]`.
    pub(super) fn end_layer(&self) -> Vec<f64> {
        let sizes: Vec<usize> =
            self.n_queries.iter().zip(&self.keys).map(|(q, keys)| q * keys.len()).collect();
        let starts: Vec<usize> = sizes
            .iter()
            .scan(0, |next, size| {
                let start = *next;
                *next += size;
                Some(start)
            })
            .collect();
        let n_sums: usize = sizes.iter().sum();
        let by_head: Vec<Vec<f64>> = (0..self.n_heads)
            .into_par_iter()
            .map(|head| {
                let mut totals = vec![0.0; n_sums];
                self.each_query(head, |query, sums| {
                    let start = starts[query.path] + query.index * sums.len();
                    totals[start..][..sums.len()].iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
                });
                totals
            })
            .collect();
        let mut by_path = Vec::with_capacity(n_sums * self.n_heads);
        for (start, size) in starts.into_iter().zip(sizes) {
            by_head.iter().for_each(|totals| by_path.extend_from_slice(&totals[start..][..size]));
        }
        by_path
    }

    /// Calls `take` with every query and its sums, in the edges' order.
    fn each_query(&self, head: usize, mut take: impl FnMut(Query, &[f64])) {
        for (index, edge) in self.edges.iter().enumerate() {
            let sums = self.sums[index * self.n_heads + head].lock().expect("no reduction panicked");
            let mut rest = &sums[..];
            for query in edge.sets.iter().flat_map(|set| &set.queries) {
                let (own, after) = rest.split_at(self.keys[query.path].len());
                take(*query, own);
                rest = after;
            }
        }
    }
}

fn plan_edges(batch: &Batch<'_>, paths: &[PathCapture]) -> Vec<EdgePlan> {
    let first = batch.edges.start;
    let mut sets: Vec<BTreeMap<RowRanges, Vec<Query>>> = vec![BTreeMap::new(); batch.edges.len()];
    for (path, captured) in paths.iter().enumerate() {
        let mut next = Some(captured.end).filter(|_| !captured.queries.is_empty());
        while let Some(edge) = next.filter(|edge| *edge >= first) {
            for (index, positions) in captured.queries.iter().enumerate() {
                let rows = rows_within(positions, &batch.tree.edges[edge]);
                if !rows.is_empty() {
                    sets[edge - first].entry(rows).or_default().push(Query { path, index });
                }
            }
            next = batch.tree.edges[edge].parent;
        }
    }
    let plan = |(sets, edge): (BTreeMap<RowRanges, Vec<Query>>, &Edge)| {
        let n_sums = sets.values().flatten().map(|query| paths[query.path].keys.len()).sum();
        let set = |(rows, queries)| RowSet { rows, queries };
        EdgePlan { n_keys: edge.position + edge.len, sets: sets.into_iter().map(set).collect(), n_sums }
    };
    sets.into_iter().zip(&batch.tree.edges[batch.edges.clone()]).map(plan).collect()
}

/// The parts of `positions` that fall on an edge, as rows from 0.
fn rows_within(positions: &Positions, edge: &Edge) -> RowRanges {
    let (position, len) = (edge.position, edge.len);
    let clip = |at: u32| (at as usize).clamp(position, position + len) - position;
    positions.iter().map(|range| (clip(range.start), clip(range.end))).filter(|(a, b)| a < b).collect()
}

vectorized! {
    /// Adds rows of weights to `sums`, column by column.
    fn sum_rows<'a>(sums: &'a mut [f64], weights: &'a [f32], ranges: &'a [(usize, usize)]) {
        for (start, end) in ranges {
            for row in weights[start * sums.len()..end * sums.len()].chunks_exact(sums.len()) {
                for (sum, weight) in sums.iter_mut().zip(row) {
                    *sum += f64::from(*weight);
                }
            }
        }
    }
}

/// Makes every entry the sum of those up to it.
fn accumulate(values: &mut [f64]) {
    let mut sum = 0.0;
    for value in values {
        sum += *value;
        *value = sum;
    }
}

fn sum_over(running: &[f64], positions: &[Range<u32>]) -> f64 {
    let last = running.len() - 1;
    let at = |i: u32| running[(i as usize).min(last)];
    positions.iter().map(|range| at(range.end) - at(range.start)).sum()
}
