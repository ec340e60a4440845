//! Keys and values of a layer, as products read them.
//!
//! Keys lie in tiles, dimension by dimension. The rows of a tree's first batch, and of others over longer runs, lie in their
//! order in the tree. Single tokens that continue each other, as those of a response do, come in passes of their own but
//! lie side by side in a block that all these passes share, the decode block: a path has a span there for each tile, not
//! for each token.

use super::block_table::{BatchLayout, DECODE_BLOCK, DECODE_TILE, KvSpan};
use super::heads::Heads;
use super::pages::Pages;
use super::product::{MAX_LANES, PackedPanel, n_lanes};
use rayon::prelude::*;

/// Keys and values of one layer for some rows.
#[derive(Debug)]
pub struct KvBlock {
    /// Tiles of `tile` rows, each `[n_kv_heads, head_dim, tile]`.
    keys: Pages,
    /// `[n_rows, n_kv_heads, padded head_dim]`.
    values: Pages,
    heads: Heads,
    tile: usize,
}

/// The part of [`KvBlock`] that some consecutive rows fill, beginning at a tile.
pub struct KvBlockPart<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
    heads: Heads,
    tile: usize,
}

impl KvBlock {
    /// Allocates `n_rows` rows, reusing the buffers of `old`.
    pub fn new(heads: Heads, n_rows: usize, tile: usize, old: Option<Self>) -> Self {
        let (keys, values) = old.map_or_else(|| (Pages::new(0), Pages::new(0)), |old| (old.keys, old.values));
        let mut new = Self { keys, values, heads, tile };
        // The content of `old` is not copied where its buffers are too small.
        new.resize(0);
        new.resize(n_rows);
        new
    }

    fn resize(&mut self, n_rows: usize) {
        let n_key_rows = n_rows.next_multiple_of(self.tile);
        self.keys.resize(n_key_rows * self.heads.kv_dim() + MAX_LANES);
        self.values.resize(n_rows * self.heads.n_kv_heads * self.heads.padded());
    }

    /// Keys and values as they lie.
    pub fn as_slices(&self) -> (&[f32], &[f32]) {
        (self.keys.values(), self.values.values())
    }

    /// Parts of `n_rows` rows each, a multiple of the tile.
    pub fn parts(&mut self, n_rows: usize) -> impl Iterator<Item = KvBlockPart<'_>> {
        let (heads, tile) = (self.heads, self.tile);
        let keys = self.keys.values_mut().chunks_mut(n_rows * heads.kv_dim());
        let values = self.values.values_mut().chunks_mut(n_rows * heads.n_kv_heads * heads.padded());
        keys.zip(values).map(move |(keys, values)| KvBlockPart { keys, values, heads, tile })
    }

    /// Keys of a span under one head, for a product over dimensions.
    pub fn keys_of(&self, span: &KvSpan, head: usize) -> PackedPanel<'_> {
        let Heads { n_kv_heads, head_dim, .. } = self.heads;
        let (tile, row) = (span.row / self.tile, span.row % self.tile);
        let start = (tile * n_kv_heads + head) * head_dim * self.tile + row;
        PackedPanel {
            values: &self.keys.values()[start..],
            len: head_dim,
            step: self.tile,
            vector: n_lanes(),
        }
    }

    /// Values of a span under one head, for a product over rows.
    pub fn values_of(&self, span: &KvSpan, head: usize) -> PackedPanel<'_> {
        let padded = self.heads.padded();
        let step = self.heads.n_kv_heads * padded;
        let values = &self.values.values()[span.row * step + head * padded..];
        PackedPanel { values, len: span.len, step, vector: n_lanes() }
    }

    /// Puts the rows of `new`, whose tile is one row, at `rows`.
    fn scatter(&mut self, new: &Self, rows: &[usize]) {
        let (n_keys, n_values) = (self.heads.kv_dim(), self.heads.n_kv_heads * self.heads.padded());
        let (heads, tile) = (self.heads, self.tile);
        let (new_keys, new_values) = new.as_slices();
        let mut by_tile = vec![Vec::new(); rows.iter().max().map_or(0, |last| last / tile + 1)];
        for (from, to) in rows.iter().enumerate() {
            by_tile[to / tile].push((from, to % tile));
        }
        let keys = self.keys.values_mut().par_chunks_mut(tile * n_keys);
        let values = self.values.values_mut().par_chunks_mut(tile * n_values);
        by_tile.into_par_iter().zip(keys).zip(values).for_each(|((moves, keys), values)| {
            let mut part = KvBlockPart { keys, values, heads, tile };
            for (from, to) in moves {
                part.put_keys(to, &new_keys[from * n_keys..][..n_keys]);
                part.values[to * n_values..][..n_values]
                    .copy_from_slice(&new_values[from * n_values..][..n_values]);
            }
        });
    }
}

impl KvBlockPart<'_> {
    /// Puts one row's keys and values, each `n_kv_heads × width`.
    pub fn put(&mut self, row: usize, keys: &[f32], values: &[f32]) {
        self.put_keys(row, keys);
        let padded = self.heads.padded();
        let start = row * self.heads.n_kv_heads * padded;
        for (head, values) in values.chunks(self.heads.head_dim).enumerate() {
            self.values[start + head * padded..][..values.len()].copy_from_slice(values);
        }
    }

    fn put_keys(&mut self, row: usize, keys: &[f32]) {
        let (tile, place) = (row / self.tile, row % self.tile);
        let start = tile * self.heads.kv_dim() * self.tile + place;
        for (dimension, key) in keys.iter().enumerate() {
            self.keys[start + dimension * self.tile] = *key;
        }
    }
}

/// Keys and values of one layer: of every batch so far.
#[derive(Debug)]
pub struct LayerKvCache {
    /// By [`KvSpan::block`]: the decode block, then a block for each batch that has one of its own.
    parts: Vec<KvBlock>,
    /// Buffers for reuse: the operating system clears new pages before it gives them.
    free: Vec<KvBlock>,
}

impl LayerKvCache {
    /// Nothing yet.
    pub fn new(heads: Heads) -> Self {
        Self { parts: vec![KvBlock::new(heads, 0, DECODE_TILE, None)], free: Vec::new() }
    }

    /// Allocates a batch's keys and values, reusing the buffers of `old`.
    pub fn begin(&mut self, layout: &BatchLayout, old: Option<KvBlock>) -> KvBlock {
        KvBlock::new(
            self.parts[DECODE_BLOCK].heads,
            layout.n_rows(),
            layout.key_tile(),
            old.or_else(|| self.free.pop()),
        )
    }

    /// Takes a batch's keys and values; gives their buffers back if the rows were copied into the decode block.
    pub fn end(&mut self, layout: &BatchLayout, own: KvBlock) -> Option<KvBlock> {
        match layout.decode_rows() {
            Some(rows) => {
                let decode_block = &mut self.parts[DECODE_BLOCK];
                decode_block.resize(layout.n_decode_rows());
                decode_block.scatter(&own, rows);
                Some(own)
            }
            None => {
                self.parts.push(own);
                None
            }
        }
    }

    /// Keys and values of the last batch that did not go to the decode block, as they lie.
    pub fn last(&self) -> (&[f32], &[f32]) {
        self.parts[self.parts.len() - 1].as_slices()
    }

    /// Takes what [`LayerKvCache::last`] gave before, after the same first batch.
    ///
    /// # Panics
    /// When it is of another size.
    pub fn restore(&mut self, layout: &BatchLayout, keys: &[f32], values: &[f32]) {
        let mut own = self.begin(layout, None);
        own.keys.values_mut().copy_from_slice(keys);
        own.values.values_mut().copy_from_slice(values);
        self.parts.push(own);
    }

    /// Empties the cache; its buffers are kept for reuse.
    pub fn clear(&mut self) {
        self.free.extend(self.parts.drain(DECODE_BLOCK + 1..));
        self.parts[DECODE_BLOCK].resize(0);
    }

    /// A buffer for reuse, if there is one.
    pub fn take_free(&mut self) -> Option<KvBlock> {
        self.free.pop()
    }

    /// The block that a span lies in.
    pub fn of(&self, span: &KvSpan) -> &KvBlock {
        &self.parts[span.block]
    }
}
