//! What is computed together: consecutive edges of a tree, and where the keys on their paths lie.

use crate::forward::{Edge, PrefixTree};
use std::ops::Range;

/// Rows whose keys lie together, where edges are longer than a token.
const KEY_TILE: usize = 64;

/// As [`KEY_TILE`] in the decode block: single tokens that continue each other.
pub const DECODE_TILE: usize = 16;

/// The block that all batches of single tokens share, but for a tree's first batch, whatever the length of its edges.
pub const DECODE_BLOCK: usize = 0;

/// A part of a path whose keys lie in one tile of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvSpan {
    /// [`DECODE_BLOCK`], or the batch that computed it, counted from 1 among those that are not over single tokens.
    pub block: usize,
    /// First row, counted in that block.
    pub row: usize,
    /// Number of rows.
    pub len: usize,
    /// Position of the first row on every path that it is on.
    pub position: usize,
}

/// Where the rows of a tree's edges lie.
#[derive(Debug, Default)]
pub struct BlockTable {
    /// By edge: its block, and its first row there.
    edges: Vec<(usize, usize)>,
    /// Batches whose rows are not in the decode block.
    n_passes: usize,
    /// Rows of the decode block, and which of them are taken.
    decode_block: Vec<bool>,
}

impl BlockTable {
    /// Assigns rows to the next edges: a single token follows the one that it continues, if that row is free.
    fn add(&mut self, tree: &PrefixTree, edges: Range<usize>) {
        let first = tree.edges[edges.start].row;
        if self.n_passes > 0 && tree.edges[edges.clone()].iter().all(|edge| edge.len == 1) {
            edges.for_each(|edge| self.add_decoded(tree.edges[edge].parent));
        } else {
            self.n_passes += 1;
            let of_pass = tree.edges[edges].iter().map(|edge| (self.n_passes, edge.row - first));
            self.edges.extend(of_pass);
        }
    }

    fn add_decoded(&mut self, parent: Option<usize>) {
        let before = parent.map(|parent| self.edges[parent]).filter(|(block, _)| *block == DECODE_BLOCK);
        let behind = before.map(|(_, row)| row + 1);
        let row = behind
            .filter(|row| row % DECODE_TILE != 0 && !self.decode_block[*row])
            .unwrap_or(self.decode_block.len());
        self.decode_block.resize(self.decode_block.len().max((row + 1).next_multiple_of(DECODE_TILE)), false);
        self.decode_block[row] = true;
        self.edges.push((DECODE_BLOCK, row));
    }

    /// The edge's path from the root, in spans.
    fn spans(&self, tree: &PrefixTree, edge: usize) -> Vec<KvSpan> {
        let mut found: Vec<KvSpan> = Vec::new();
        for edge in tree.ancestry(edge) {
            let (block, mut row) = self.edges[edge];
            let tile = if block == DECODE_BLOCK { DECODE_TILE } else { KEY_TILE };
            let Edge { mut position, mut len, .. } = tree.edges[edge];
            while len > 0 {
                let fitting = len.min(tile - row % tile);
                let continues = |p: &&mut KvSpan| (p.block, p.row + p.len) == (block, row) && row % tile != 0;
                match found.last_mut().filter(continues) {
                    Some(before) => before.len += fitting,
                    None => found.push(KvSpan { block, row, len: fitting, position }),
                }
                (row, position, len) = (row + fitting, position + fitting, len - fitting);
            }
        }
        found
    }
}

/// Consecutive edges of a tree.
#[derive(Debug)]
pub struct BatchLayout<'a> {
    tree: &'a PrefixTree,
    edges: Range<usize>,
    paths: Vec<Vec<KvSpan>>,
    /// The block that its rows go to; for the decode block, its rows there and the block's size.
    block: usize,
    decode_rows: Vec<usize>,
    n_decode_rows: usize,
    /// Position of each row.
    pub positions: Vec<usize>,
}

impl<'a> BatchLayout<'a> {
    /// The edges `edges`, at least one, which follow those that have `places`; they get theirs.
    pub fn new(tree: &'a PrefixTree, edges: Range<usize>, places: &mut BlockTable) -> Self {
        places.add(tree, edges.clone());
        let paths = edges.clone().map(|edge| places.spans(tree, edge)).collect();
        let positions =
            tree.edges[edges.clone()].iter().flat_map(|r| r.position..r.position + r.len).collect();
        let own = &places.edges[edges.clone()];
        let block = own[0].0;
        let decode_rows =
            own.iter().filter(|(block, _)| *block == DECODE_BLOCK).map(|(_, row)| *row).collect();
        Self { tree, edges, paths, block, decode_rows, n_decode_rows: places.decode_block.len(), positions }
    }

    /// Its rows in the decode block, if they go there.
    pub fn decode_rows(&self) -> Option<&[usize]> {
        (self.block == DECODE_BLOCK).then_some(&self.decode_rows)
    }

    /// Rows of the decode block, the batch's own included.
    pub fn n_decode_rows(&self) -> usize {
        self.n_decode_rows
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.positions.len()
    }

    /// Token ids of the rows.
    pub fn tokens(&self) -> &'a [u32] {
        let first = self.first_row();
        &self.tree.tokens[first..first + self.n_rows()]
    }

    /// The tree's row that is this batch's first.
    pub fn first_row(&self) -> usize {
        self.tree.edges.get(self.edges.start).map_or(0, |r| r.row)
    }

    /// Indices of the edges.
    pub fn edges(&self) -> Range<usize> {
        self.edges.clone()
    }

    /// A edge, by its index in the tree.
    pub fn edge(&self, edge: usize) -> &Edge {
        &self.tree.edges[edge]
    }

    /// Rows whose keys lie together when the batch has computed them: in the decode block, they find their neighbours later.
    pub fn key_tile(&self) -> usize {
        if self.block == DECODE_BLOCK { 1 } else { KEY_TILE }
    }

    /// Number of keys on an edge's path, its own included.
    pub fn n_keys(&self, edge: usize) -> usize {
        let edge = self.edge(edge);
        edge.position + edge.len
    }

    /// The edge's path from the root to the position `end`.
    pub fn path_to(&self, edge: usize, end: usize) -> impl Iterator<Item = KvSpan> + Clone {
        let path = self.paths[edge - self.edges.start].iter().take_while(move |p| p.position < end);
        path.map(move |p| KvSpan { len: p.len.min(end - p.position), ..*p })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_where_tiles_and_passes_end() {
        let mut tree = PrefixTree::default();
        let root = tree.push(None, &[1; 60]);
        let other = tree.push(Some(root), &[2; 10]);
        let mut places = BlockTable::default();
        let layout = BatchLayout::new(&tree, root..other + 1, &mut places);
        assert_eq!((layout.key_tile(), layout.decode_rows()), (KEY_TILE, None));
        let next = tree.push(Some(other), &[3]);
        let layout = BatchLayout::new(&tree, next..next + 1, &mut places);
        let span = |block, row, len, position| KvSpan { block, row, len, position };
        let expected = [span(1, 0, 64, 0), span(1, 64, 6, 64), span(DECODE_BLOCK, 0, 1, 70)];
        assert!(layout.path_to(next, 71).eq(expected));
        assert!(layout.path_to(next, 62).eq([span(1, 0, 62, 0)]));
        assert_eq!((layout.n_rows(), layout.n_keys(next), layout.first_row()), (1, 71, 70));
        assert_eq!((layout.key_tile(), layout.decode_rows()), (1, Some(&[0][..])));
    }

    #[test]
    fn single_tokens_lie_behind_those_that_they_continue() {
        let mut tree = PrefixTree::default();
        let root = tree.push(None, &[1, 2]);
        let mut places = BlockTable::default();
        BatchLayout::new(&tree, root..root + 1, &mut places);
        let mut ends = [root; 2];
        let mut add = |tree: &mut PrefixTree, parents: &[usize]| -> (Vec<usize>, Vec<usize>, usize) {
            let edges: Vec<usize> = parents.iter().map(|p| tree.push(Some(*p), &[3])).collect();
            let layout = BatchLayout::new(tree, edges[0]..edges[0] + edges.len(), &mut places);
            let n_pieces = layout.path_to(edges[0], usize::MAX).count();
            (edges, layout.decode_rows().expect("single tokens").to_vec(), n_pieces)
        };
        for step in 0..DECODE_TILE {
            let (edges, rows, n_pieces) = add(&mut tree, &ends);
            ends.copy_from_slice(&edges);
            assert_eq!((rows, n_pieces), (vec![step, DECODE_TILE + step], 2));
        }
        // Full tiles go on in new ones, and so does a second token after the same.
        let (edges, rows, n_pieces) = add(&mut tree, &ends);
        assert_eq!((rows, n_pieces), (vec![2 * DECODE_TILE, 3 * DECODE_TILE], 3));
        let (_, rows, _) = add(&mut tree, &[edges[1], edges[1], ends[0]]);
        assert_eq!(rows, [3 * DECODE_TILE + 1, 4 * DECODE_TILE, 5 * DECODE_TILE]);
    }
}
