//! Keys and values of a layer, as products read them.
//!
//! Keys lie in tiles, dimension by dimension. The rows of a tree's first pass, and of others over longer runs, lie in their
//! order in the tree. Single tokens that continue each other, as those of a response do, come in passes of their own but
//! lie side by side in a memory that all these passes share, the tail: what a path has there is a piece for each tile,
//! not for each token.

use super::attention::Heads;
use super::pages::Pages;
use super::pass::{Pass, Piece, TAIL, TAIL_TILE};
use super::product::{MAX_LANES, Stretch, n_lanes};
use rayon::prelude::*;

/// Keys and values of one layer for some rows.
#[derive(Debug)]
pub struct KeysValues {
    /// Tiles of `tile` rows, each `n_key_heads × width × tile`.
    keys: Pages,
    /// `n_rows × n_key_heads × padded width`.
    values: Pages,
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
    /// Room for `n_rows` rows, where keys and values that nobody needs any more have been if there are any.
    pub fn new(heads: Heads, n_rows: usize, tile: usize, old: Option<Self>) -> Self {
        let (keys, values) = old.map_or_else(|| (Pages::new(0), Pages::new(0)), |old| (old.keys, old.values));
        let mut new = Self { keys, values, heads, tile };
        // Nothing of the old is to be copied if the room is too small.
        new.resize(0);
        new.resize(n_rows);
        new
    }

    fn resize(&mut self, n_rows: usize) {
        let n_key_rows = n_rows.next_multiple_of(self.tile);
        self.keys.resize(n_key_rows * self.heads.shared() + MAX_LANES);
        self.values.resize(n_rows * self.heads.n_key_heads * self.heads.padded());
    }

    /// Keys and values as they lie.
    pub fn as_slices(&self) -> (&[f32], &[f32]) {
        (self.keys.values(), self.values.values())
    }

    /// Parts of `n_rows` rows each, a multiple of the tile.
    pub fn parts(&mut self, n_rows: usize) -> impl Iterator<Item = KeysValuesPart<'_>> {
        let (heads, tile) = (self.heads, self.tile);
        let keys = self.keys.values_mut().chunks_mut(n_rows * heads.shared());
        let values = self.values.values_mut().chunks_mut(n_rows * heads.n_key_heads * heads.padded());
        keys.zip(values).map(move |(keys, values)| KeysValuesPart { keys, values, heads, tile })
    }

    /// Keys of a piece under one head, for a product over dimensions.
    pub fn keys_of(&self, piece: &Piece, head: usize) -> Stretch<'_> {
        let Heads { n_key_heads, width, .. } = self.heads;
        let (tile, row) = (piece.row / self.tile, piece.row % self.tile);
        let start = (tile * n_key_heads + head) * width * self.tile + row;
        Stretch { values: &self.keys.values()[start..], len: width, step: self.tile, vector: n_lanes() }
    }

    /// Values of a piece under one head, for a product over rows.
    pub fn values_of(&self, piece: &Piece, head: usize) -> Stretch<'_> {
        let padded = self.heads.padded();
        let step = self.heads.n_key_heads * padded;
        let values = &self.values.values()[piece.row * step + head * padded..];
        Stretch { values, len: piece.len, step, vector: n_lanes() }
    }

    /// Puts the rows of `new`, whose tile is one row, at `rows`.
    fn scatter(&mut self, new: &Self, rows: &[usize]) {
        let (n_keys, n_values) = (self.heads.shared(), self.heads.n_key_heads * self.heads.padded());
        let (heads, tile) = (self.heads, self.tile);
        let (new_keys, new_values) = new.as_slices();
        let mut by_tile = vec![Vec::new(); rows.iter().max().map_or(0, |last| last / tile + 1)];
        for (from, to) in rows.iter().enumerate() {
            by_tile[to / tile].push((from, to % tile));
        }
        let keys = self.keys.values_mut().par_chunks_mut(tile * n_keys);
        let values = self.values.values_mut().par_chunks_mut(tile * n_values);
        by_tile.into_par_iter().zip(keys).zip(values).for_each(|((moves, keys), values)| {
            let mut part = KeysValuesPart { keys, values, heads, tile };
            for (from, to) in moves {
                part.put_keys(to, &new_keys[from * n_keys..][..n_keys]);
                part.values[to * n_values..][..n_values]
                    .copy_from_slice(&new_values[from * n_values..][..n_values]);
            }
        });
    }
}

impl KeysValuesPart<'_> {
    /// Puts one row's keys and values, each `n_key_heads × width`.
    pub fn put(&mut self, row: usize, keys: &[f32], values: &[f32]) {
        self.put_keys(row, keys);
        let padded = self.heads.padded();
        let start = row * self.heads.n_key_heads * padded;
        for (head, values) in values.chunks(self.heads.width).enumerate() {
            self.values[start + head * padded..][..values.len()].copy_from_slice(values);
        }
    }

    fn put_keys(&mut self, row: usize, keys: &[f32]) {
        let (tile, place) = (row / self.tile, row % self.tile);
        let start = tile * self.heads.shared() * self.tile + place;
        for (dimension, key) in keys.iter().enumerate() {
            self.keys[start + dimension * self.tile] = *key;
        }
    }
}

/// Keys and values of one layer: of every pass so far.
#[derive(Debug)]
pub struct LayerMemory {
    /// By [`Piece::memory`]: the tail, then passes that have a memory of their own.
    parts: Vec<KeysValues>,
    /// Where keys and values have been that nobody needs any more: the system clears new pages before it gives them.
    free: Vec<KeysValues>,
}

impl LayerMemory {
    /// Nothing yet.
    pub fn new(heads: Heads) -> Self {
        Self { parts: vec![KeysValues::new(heads, 0, TAIL_TILE, None)], free: Vec::new() }
    }

    /// Room for a pass's keys and values, in which `old` has been.
    pub fn begin(&mut self, pass: &Pass, old: Option<KeysValues>) -> KeysValues {
        KeysValues::new(
            self.parts[TAIL].heads,
            pass.n_rows(),
            pass.key_tile(),
            old.or_else(|| self.free.pop()),
        )
    }

    /// Takes a pass's keys and values; what is left of the room, if anything.
    pub fn end(&mut self, pass: &Pass, own: KeysValues) -> Option<KeysValues> {
        match pass.tail_rows() {
            Some(rows) => {
                let tail = &mut self.parts[TAIL];
                tail.resize(pass.n_tail_rows());
                tail.scatter(&own, rows);
                Some(own)
            }
            None => {
                self.parts.push(own);
                None
            }
        }
    }

    /// Keys and values of the last pass that did not go to the tail, as they lie.
    pub fn last(&self) -> (&[f32], &[f32]) {
        self.parts[self.parts.len() - 1].as_slices()
    }

    /// Takes what [`LayerMemory::last`] gave before, after the same first pass.
    ///
    /// # Panics
    /// When it is of another size.
    pub fn restore(&mut self, pass: &Pass, keys: &[f32], values: &[f32]) {
        let mut own = self.begin(pass, None);
        own.keys.values_mut().copy_from_slice(keys);
        own.values.values_mut().copy_from_slice(values);
        self.parts.push(own);
    }

    /// Forgets everything, but for the room that it took.
    pub fn clear(&mut self) {
        self.free.extend(self.parts.drain(TAIL + 1..));
        self.parts[TAIL].resize(0);
    }

    /// Some of the room that nothing is in.
    pub fn take_free(&mut self) -> Option<KeysValues> {
        self.free.pop()
    }

    /// The memory that a piece is in.
    pub fn of(&self, piece: &Piece) -> &KeysValues {
        &self.parts[piece.memory]
    }
}
