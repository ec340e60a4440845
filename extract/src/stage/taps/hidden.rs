//! Hidden states, pooled over the tokens of segments.

use crate::forward::segment_plan::Slot;
use crate::forward::{Shape, TokenTree};
use crate::stage::batch::Chunk;
use hypercolumn_schemas::Pooling;
use rayon::prelude::*;
use std::collections::HashMap;

/// Pools states of a chunk.
pub(super) struct HiddenTaps<'a> {
    chunk: &'a Chunk<'a>,
    d_model: usize,
    /// For each prompt, its rows in reading order, response included.
    rows: Vec<Vec<usize>>,
    /// Slots that differ in their rows or pooling, and for each slot its place among them: prompts that begin alike
    /// share vectors.
    distinct: Vec<Slot>,
    same_as: Vec<usize>,
    /// Tree row of the first row of the pass.
    first_row: usize,
    /// By site: a running pool for each of the response slots.
    responses: Vec<Vec<f32>>,
}

impl<'a> HiddenTaps<'a> {
    pub fn new(chunk: &'a Chunk<'a>, shape: Shape, tree: &TokenTree, ends: &[usize]) -> Self {
        let rows: Vec<Vec<usize>> =
            ends.iter().map(|end| tree.path(*end).into_iter().flatten().collect()).collect();
        let (mut distinct, mut places) = (Vec::new(), HashMap::new());
        let place = |slot: &Slot| {
            let pooled: Vec<usize> = pooled_rows(chunk, &rows, slot).collect();
            *places.entry((slot.pooling, pooled)).or_insert_with(|| {
                distinct.push(*slot);
                distinct.len() - 1
            })
        };
        let same_as = chunk.slots.iter().map(place).collect();
        Self {
            chunk,
            d_model: shape.d_model,
            distinct,
            same_as,
            rows,
            first_row: 0,
            responses: vec![vec![0.0; chunk.response_slots.len() * shape.d_model]; shape.sites().count()],
        }
    }

    pub fn begin_responses(&mut self, tree: &TokenTree, added: &[(usize, usize)]) {
        self.first_row = added.first().map_or(self.first_row, |(_, run)| tree.runs[*run].row);
        for &(prompt, run) in added {
            self.rows[prompt].push(tree.runs[run].row);
        }
    }

    /// Pools the prompts' rows: for each slot, `d_model` values. An empty segment gives zeros.
    pub fn pool(&self, rows: &[f32]) -> Vec<f32> {
        let d = self.d_model;
        let mut distinct = vec![0.0; self.distinct.len() * d];
        distinct.par_chunks_mut(d).zip(&self.distinct).for_each(|(out, slot)| {
            let pooled = pooled_rows(self.chunk, &self.rows, slot);
            pool(out, slot.pooling, pooled.map(|row| &rows[row * d..][..d]));
        });
        let mut vectors = vec![0.0; self.chunk.slots.len() * d];
        let copies = vectors.par_chunks_mut(d).zip(&self.same_as);
        copies.for_each(|(out, place)| out.copy_from_slice(&distinct[place * d..][..d]));
        vectors
    }

    /// Adds the rows of a pass over response tokens to the pools of a site.
    pub fn take_responses(&mut self, site: usize, rows: &[f32]) {
        let (d, first, chunk) = (self.d_model, self.first_row, self.chunk);
        let rows_of = &self.rows;
        let pools = self.responses[site].par_chunks_mut(d).zip(&chunk.response_slots);
        pools.for_each(|(out, slot)| {
            let places = &rows_of[slot.prompt];
            let n_response = places.len() - chunk.readings[slot.prompt].plan.n_tokens;
            let last = places.last().filter(|last| n_response > 0 && **last >= first);
            if let Some(last) = last {
                extend_pool(out, slot.pooling, &rows[(last - first) * d..][..d], n_response == 1);
            }
        });
    }

    /// The responses' pools by site.
    pub fn finish(mut self, n_tokens: &[usize]) -> Vec<Vec<f32>> {
        for vectors in &mut self.responses {
            for (out, slot) in vectors.chunks_mut(self.d_model).zip(&self.chunk.response_slots) {
                let n = n_tokens[slot.prompt];
                if slot.pooling == Pooling::Mean && n > 0 {
                    out.iter_mut().for_each(|v| *v /= n as f32);
                }
            }
        }
        self.responses
    }
}

/// Rows of the segment that a slot is for.
fn pooled_rows<'r>(
    chunk: &'r Chunk,
    rows: &'r [Vec<usize>],
    slot: &Slot,
) -> impl Iterator<Item = usize> + 'r {
    let places = &rows[slot.prompt];
    chunk.segment(slot).ranges.iter().flat_map(|&(a, b)| &places[a as usize..b as usize]).copied()
}

/// Pools rows into `out`.
fn pool<'r>(out: &mut [f32], pooling: Pooling, rows: impl Iterator<Item = &'r [f32]>) {
    let mut n = 0;
    for row in rows {
        extend_pool(out, pooling, row, n == 0);
        n += 1;
    }
    if pooling == Pooling::Mean && n > 0 {
        out.iter_mut().for_each(|v| *v /= n as f32);
    }
}

/// Adds one row: to the sum (mean), the maximum, or as the last.
fn extend_pool(out: &mut [f32], pooling: Pooling, row: &[f32], is_first: bool) {
    match pooling {
        _ if is_first => out.copy_from_slice(row),
        Pooling::Last => out.copy_from_slice(row),
        Pooling::Mean => out.iter_mut().zip(row).for_each(|(o, v)| *o += v),
        Pooling::Max => out.iter_mut().zip(row).for_each(|(o, v)| *o = o.max(*v)),
    }
}
