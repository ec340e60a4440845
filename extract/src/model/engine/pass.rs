//! What is computed together: consecutive runs of a tree, and where the keys on their paths lie.

use super::attention::KEY_TILE;
use crate::backend::{Run, TokenTree};
use std::ops::Range;

/// A part of a path whose keys lie in one tile of one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The pass that computed it.
    pub pass: usize,
    /// First row, counted in that pass.
    pub row: usize,
    /// Number of rows.
    pub len: usize,
    /// Position of the first row on every path that it is on.
    pub position: usize,
}

/// Consecutive runs of a tree.
#[derive(Debug)]
pub struct Pass<'a> {
    tree: &'a TokenTree,
    runs: Range<usize>,
    paths: Vec<Vec<Piece>>,
    /// Position of each row.
    pub positions: Vec<usize>,
}

impl<'a> Pass<'a> {
    /// The runs `runs`; `starts` are the first rows of the passes so far, this one last.
    pub fn new(tree: &'a TokenTree, runs: Range<usize>, starts: &[usize]) -> Self {
        let paths = runs.clone().map(|run| pieces(tree, run, starts)).collect();
        let positions = tree.runs[runs.clone()].iter().flat_map(|r| r.position..r.position + r.len).collect();
        Self { tree, runs, paths, positions }
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

    /// The tree's row that is this pass's first.
    pub fn first_row(&self) -> usize {
        self.tree.runs.get(self.runs.start).map_or(0, |r| r.row)
    }

    /// Indices of the runs.
    pub fn runs(&self) -> Range<usize> {
        self.runs.clone()
    }

    /// A run, by its index in the tree.
    pub fn run(&self, run: usize) -> &Run {
        &self.tree.runs[run]
    }

    /// Rows whose keys lie together. A run of one token has no neighbour on its path: its key lies by itself, so that
    /// nobody else's is read with it.
    pub fn key_tile(&self) -> usize {
        if self.n_rows() == self.runs.len() { 1 } else { KEY_TILE }
    }

    /// Number of keys on a run's path, its own included.
    pub fn n_keys(&self, run: usize) -> usize {
        let run = self.run(run);
        run.position + run.len
    }

    /// The run's path from the root to the position `end`.
    pub fn path_to(&self, run: usize, end: usize) -> impl Iterator<Item = Piece> + Clone {
        let path = self.paths[run - self.runs.start].iter().take_while(move |p| p.position < end);
        path.map(move |p| Piece { len: p.len.min(end - p.position), ..*p })
    }
}

fn pieces(tree: &TokenTree, run: usize, starts: &[usize]) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let mut position = 0;
    for rows in tree.path(run) {
        let pass = starts.partition_point(|start| *start <= rows.start) - 1;
        let mut row = rows.start - starts[pass];
        let end = rows.end - starts[pass];
        while row < end {
            let len = (end - row).min(KEY_TILE - row % KEY_TILE);
            // Two single rows may be of a pass in which every key lies by itself.
            let continues = |p: &&mut Piece| {
                (p.pass, p.row + p.len) == (pass, row)
                    && !row.is_multiple_of(KEY_TILE)
                    && (p.len > 1 || len > 1)
            };
            match found.last_mut().filter(continues) {
                Some(before) => before.len += len,
                None => found.push(Piece { pass, row, len, position }),
            }
            row += len;
            position += len;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_where_tiles_and_passes_end() {
        let mut tree = TokenTree::default();
        let root = tree.push(None, &[1; 60]);
        let other = tree.push(Some(root), &[2; 10]);
        let next = tree.push(Some(other), &[3]);
        let pass = Pass::new(&tree, next..next + 1, &[0, 70]);
        let piece = |pass, row, len, position| Piece { pass, row, len, position };
        let expected = [piece(0, 0, 64, 0), piece(0, 64, 6, 64), piece(1, 0, 1, 70)];
        assert!(pass.path_to(next, 71).eq(expected));
        assert!(pass.path_to(next, 62).eq([piece(0, 0, 62, 0)]));
        assert_eq!((pass.n_rows(), pass.n_keys(next), pass.first_row()), (1, 71, 70));
        assert_eq!(pass.key_tile(), 1);
        assert_eq!(Pass::new(&tree, root..next, &[0]).key_tile(), KEY_TILE);
    }
}
