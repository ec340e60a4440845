//! Attention over a token tree: every run attends to the keys on its own path and nothing else.
//!
//! One run's weights for one group of heads exist at a time in each thread; they are shown to the taps and
//! overwritten. No padding, no mask over other prompts: what is not on the path is never read. Keys lie in
//! tiles, dimension by dimension, so that a product reads them where they are.

use super::elementwise::softcap;
use super::pass::{Pass, Piece};
use super::product::{Left, MAX_LANES, Rows, Stretch, multiply, n_lanes};
use super::workers::sized;
use crate::backend::{Memory, Run, Taps};
use crate::profile::{Clock, Work};
use crate::vector::{N_PARTS, softmax, vectorized};
use std::ops::Range;

/// Rows whose keys lie together, where runs are longer than a token.
pub const KEY_TILE: usize = 64;

/// Rows of a long run whose queries are multiplied together: keys that none of them sees are left out.
const QUERY_ROWS: usize = 32;

/// The sizes of a model's heads.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; each serves `n_heads / n_key_heads` query heads in order.
    pub n_key_heads: usize,
    /// Width of a head.
    pub width: usize,
}

impl Heads {
    /// Values of all query heads of a row.
    pub fn all(&self) -> usize {
        self.n_heads * self.width
    }

    /// Values of all key heads, or of all value heads, of a row.
    pub fn shared(&self) -> usize {
        self.n_key_heads * self.width
    }

    /// Width of a head's values in memory: whole vectors.
    fn padded(&self) -> usize {
        self.width.next_multiple_of(n_lanes())
    }

    fn group(&self) -> usize {
        self.n_heads / self.n_key_heads
    }
}

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

/// Keys and values of one layer for the rows of one pass.
#[derive(Debug)]
pub struct KeysValues {
    /// Tiles of `tile` rows, each `n_key_heads × width × tile`.
    keys: Vec<f32>,
    /// `n_rows × n_key_heads × padded width`.
    values: Vec<f32>,
    heads: Heads,
    tile: usize,
}

/// The part of [`KeysValues`] that some consecutive rows fill, beginning at a tile.
pub struct KeysValuesPart<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
    heads: Heads,
    tile: usize,
}

impl KeysValues {
    /// Room for the rows of a pass, where keys and values that nobody needs any more have been if there are any.
    pub fn new(heads: Heads, pass: &Pass, old: Option<Self>) -> Self {
        let (n_rows, tile) = (pass.n_rows(), pass.key_tile());
        let (mut keys, mut values) = old.map_or_else(Default::default, |old| (old.keys, old.values));
        keys.resize(n_rows.next_multiple_of(tile) * heads.shared() + MAX_LANES, 0.0);
        values.resize(n_rows * heads.n_key_heads * heads.padded(), 0.0);
        Self { keys, values, heads, tile }
    }

    /// What [`KeysValues::as_slices`] gave before, of the same pass.
    pub fn restore(heads: Heads, pass: &Pass, memory: Memory) -> Self {
        Self { keys: memory.keys, values: memory.values, heads, tile: pass.key_tile() }
    }

    /// Keys and values as they lie.
    pub fn as_slices(&self) -> (&[f32], &[f32]) {
        (&self.keys, &self.values)
    }

    /// Parts of `n_rows` rows each, a multiple of the pass's [`Pass::key_tile`].
    pub fn parts(&mut self, n_rows: usize) -> impl Iterator<Item = KeysValuesPart<'_>> {
        let (heads, tile) = (self.heads, self.tile);
        let keys = self.keys.chunks_mut(n_rows * heads.shared());
        let values = self.values.chunks_mut(n_rows * heads.n_key_heads * heads.padded());
        keys.zip(values).map(move |(keys, values)| KeysValuesPart { keys, values, heads, tile })
    }

    /// Keys of a piece under one head, for a product over dimensions.
    fn keys_of(&self, piece: &Piece, head: usize) -> Stretch<'_> {
        let Heads { n_key_heads, width, .. } = self.heads;
        let (tile, row) = (piece.row / self.tile, piece.row % self.tile);
        let start = (tile * n_key_heads + head) * width * self.tile + row;
        Stretch { values: &self.keys[start..], len: width, step: self.tile, vector: n_lanes() }
    }

    /// Values of a piece under one head, for a product over rows.
    fn values_of(&self, piece: &Piece, head: usize) -> Stretch<'_> {
        let padded = self.heads.padded();
        let step = self.heads.n_key_heads * padded;
        let values = &self.values[piece.row * step + head * padded..];
        Stretch { values, len: piece.len, step, vector: n_lanes() }
    }
}

impl KeysValuesPart<'_> {
    /// Puts one row's keys and values, each `n_key_heads × width`.
    pub fn put(&mut self, row: usize, keys: &[f32], values: &[f32]) {
        let Heads { n_key_heads, width, .. } = self.heads;
        let padded = self.heads.padded();
        let (tile, place) = (row / self.tile, row % self.tile);
        let start = tile * n_key_heads * width * self.tile + place;
        for (dimension, key) in keys.iter().enumerate() {
            self.keys[start + dimension * self.tile] = *key;
        }
        let start = row * n_key_heads * padded;
        for (head, values) in values.chunks(width).enumerate() {
            self.values[start + head * padded..][..width].copy_from_slice(values);
        }
    }
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub struct AttentionScratch {
    queries: Vec<f32>,
    weights: Vec<f32>,
    lined_up: Vec<f32>,
}

/// Attention of one layer, for any run of a pass.
pub struct Attention<'a> {
    /// What is computed together.
    pub pass: &'a Pass<'a>,
    /// Keys and values of the layer: of every pass so far.
    pub memory: &'a [KeysValues],
    /// Head sizes.
    pub heads: Heads,
    /// From scores to weights.
    pub scoring: Scoring,
    /// Counted from 1, for the taps.
    pub layer: usize,
}

impl Attention<'_> {
    /// Attends for one run of the pass: `queries` and `out` are its rows, `len × (n_heads · width)`.
    pub fn attend(
        &self,
        run: usize,
        queries: &[f32],
        out: &mut [f32],
        (scratch, clock): (&mut AttentionScratch, &mut Clock),
        taps: &dyn Taps,
    ) {
        let AttentionScratch { queries: gathered, weights, lined_up } = scratch;
        let n_keys = self.pass.n_keys(run);
        let len = self.pass.run(run).len;
        let group = self.heads.group();
        for key_head in 0..self.heads.n_key_heads {
            let heads = key_head * group..(key_head + 1) * group;
            self.gather(queries, heads.clone(), gathered);
            let weights = sized(weights, group * len * n_keys);
            self.weigh(run, key_head, gathered, weights, lined_up);
            self.mix(run, heads.clone(), weights, out);
            clock.lap(Work::Attention);
            for (head, weights) in heads.zip(weights.chunks(len * n_keys)) {
                taps.attention(self.layer, head, run, weights);
            }
            clock.lap(Work::Pooling);
        }
    }

    /// Queries of some heads, head by head and row by row, scaled.
    fn gather(&self, queries: &[f32], heads: Range<usize>, gathered: &mut Vec<f32>) {
        let (all, width) = (self.heads.all(), self.heads.width);
        gathered.clear();
        for head in heads {
            for row in queries.chunks(all) {
                gathered.extend(row[head * width..][..width].iter().map(|q| q * self.scoring.scale));
            }
        }
    }

    /// Attention weights of the gathered queries: rows of `n_keys`.
    fn weigh(
        &self,
        run: usize,
        key_head: usize,
        queries: &[f32],
        weights: &mut [f32],
        lined_up: &mut Vec<f32>,
    ) {
        let n_keys = self.pass.n_keys(run);
        let width = self.heads.width;
        let &Run { position, len, .. } = self.pass.run(run);
        let n = queries.len() / width;
        // Of a short run all heads together, otherwise some rows of a head.
        let (part, block) = if len <= QUERY_ROWS { (n, n) } else { (len, QUERY_ROWS) };
        for (queries, weights) in queries.chunks(part * width).zip(weights.chunks_mut(part * n_keys)) {
            for (first, queries) in (0..).step_by(block).zip(queries.chunks(block * width)) {
                let n = queries.len() / width;
                let left = Left::Rows(Rows { values: queries, n, stride: width });
                let end = n_keys.min(position + first + n);
                let mut score = |keys, position: usize, len| {
                    let values = &mut weights[first * n_keys + position..];
                    multiply(&left, &[keys], &mut Rows { values, n, stride: n_keys }, len, &[]);
                };
                for piece in self.pass.path_to(run, end).filter(|p| !self.is_lone(p)) {
                    score(self.memory[piece.pass].keys_of(&piece, key_head), piece.position, piece.len);
                }
                let lone = self.pass.path_to(run, end).filter(|p| self.is_lone(p));
                if let Some(Piece { position, .. }) = lone.clone().next() {
                    score(self.line_up(lone, key_head, lined_up), position, end - position);
                }
            }
        }
        if let Some(c) = self.scoring.softcap {
            softcap(weights, c);
        }
        soften(weights, n_keys, (position, len), self.scoring.window.unwrap_or(usize::MAX));
    }

    /// Whether the key lies by itself. On a path these come last: passes of single tokens only follow others.
    fn is_lone(&self, piece: &Piece) -> bool {
        self.memory[piece.pass].tile == 1
    }

    /// Keys that lie by themselves, side by side in `buffer`: multiplied together, they wait for memory together.
    fn line_up<'b>(
        &self,
        lone: impl Iterator<Item = Piece> + Clone,
        key_head: usize,
        buffer: &'b mut Vec<f32>,
    ) -> Stretch<'b> {
        let len = self.heads.width;
        let step = lone.clone().count().next_multiple_of(n_lanes());
        let values = sized(buffer, len * step);
        for (column, piece) in lone.enumerate() {
            let key = self.memory[piece.pass].keys_of(&piece, key_head).values;
            values[column..].iter_mut().step_by(step).zip(&key[..len]).for_each(|(to, from)| *to = *from);
        }
        Stretch { values, len, step, vector: n_lanes() }
    }

    /// Weighted sums of values, into the rows' places of these heads.
    fn mix(&self, run: usize, heads: Range<usize>, weights: &[f32], out: &mut [f32]) {
        let n_keys = self.pass.n_keys(run);
        let &Run { position, len, .. } = self.pass.run(run);
        let (all, width) = (self.heads.all(), self.heads.width);
        let key_head = heads.start / self.heads.group();
        let values = |end: usize| -> Vec<Stretch> {
            let path = self.pass.path_to(run, end);
            path.map(|p| self.memory[p.pass].values_of(&p, key_head)).collect()
        };
        if len == 1 {
            let n = heads.len();
            let left = Rows { values: weights, n, stride: n_keys };
            let mut out = Rows { values: &mut out[heads.start * width..], n, stride: width };
            return multiply(&Left::Rows(left), &values(n_keys), &mut out, width, &[]);
        }
        for first in (0..len).step_by(QUERY_ROWS) {
            let n = QUERY_ROWS.min(len - first);
            let values = values(position + first + n);
            for (index, head) in heads.clone().enumerate() {
                let left = Rows { values: &weights[(index * len + first) * n_keys..], n, stride: n_keys };
                let mut out = Rows { values: &mut out[first * all + head * width..], n, stride: all };
                multiply(&Left::Rows(left), &values, &mut out, width, &[]);
            }
        }
    }
}

vectorized! {
    /// Softmax of each row of scores over the keys that it sees, exactly 0 elsewhere. Rows are those of a run, given by
    /// its position and length, head after head.
    fn soften<'a>(scores: &'a mut [f32], n_keys: usize, place: (usize, usize), window: usize) {
        let (position, len) = place;
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
