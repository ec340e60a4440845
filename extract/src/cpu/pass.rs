//! What is computed together: consecutive runs of a tree, and where the keys on their paths lie.

use crate::forward::{PrefixTree, Run};
use std::ops::Range;

/// Rows whose keys lie together, where runs are longer than a token.
const KEY_TILE: usize = 64;

/// As [`KEY_TILE`] in the tail: single tokens that continue each other.
pub const TAIL_TILE: usize = 16;

/// The memory that all passes over single tokens share, but for a tree's first pass, of whatever length its runs are.
pub const TAIL: usize = 0;

/// A part of a path whose keys lie in one tile of one memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// [`TAIL`], or the pass that computed it, counted from 1 among those that are not over single tokens.
    pub memory: usize,
    /// First row, counted in that memory.
    pub row: usize,
    /// Number of rows.
    pub len: usize,
    /// Position of the first row on every path that it is on.
    pub position: usize,
}

/// Where the rows of a tree's runs lie.
#[derive(Debug, Default)]
pub struct Places {
    /// By run: its memory, and its first row there.
    runs: Vec<(usize, usize)>,
    /// Passes whose rows are not in the tail.
    n_passes: usize,
    /// Rows of the tail, and which of them are taken.
    tail: Vec<bool>,
}

impl Places {
    /// Gives the rows of the next runs their places: single tokens behind those that they continue, if nothing is there
    /// yet.
    fn add(&mut self, tree: &PrefixTree, runs: Range<usize>) {
        let first = tree.runs[runs.start].row;
        if self.n_passes > 0 && tree.runs[runs.clone()].iter().all(|run| run.len == 1) {
            runs.for_each(|run| self.add_to_tail(tree.runs[run].parent));
        } else {
            self.n_passes += 1;
            let of_pass = tree.runs[runs].iter().map(|run| (self.n_passes, run.row - first));
            self.runs.extend(of_pass);
        }
    }

    fn add_to_tail(&mut self, parent: Option<usize>) {
        let before = parent.map(|parent| self.runs[parent]).filter(|(memory, _)| *memory == TAIL);
        let behind = before.map(|(_, row)| row + 1);
        let row = behind.filter(|row| row % TAIL_TILE != 0 && !self.tail[*row]).unwrap_or(self.tail.len());
        self.tail.resize(self.tail.len().max((row + 1).next_multiple_of(TAIL_TILE)), false);
        self.tail[row] = true;
        self.runs.push((TAIL, row));
    }

    /// The run's path from the root, in pieces.
    fn pieces(&self, tree: &PrefixTree, run: usize) -> Vec<Piece> {
        let mut found: Vec<Piece> = Vec::new();
        for run in tree.ancestry(run) {
            let (memory, mut row) = self.runs[run];
            let tile = if memory == TAIL { TAIL_TILE } else { KEY_TILE };
            let Run { mut position, mut len, .. } = tree.runs[run];
            while len > 0 {
                let fitting = len.min(tile - row % tile);
                let continues =
                    |p: &&mut Piece| (p.memory, p.row + p.len) == (memory, row) && row % tile != 0;
                match found.last_mut().filter(continues) {
                    Some(before) => before.len += fitting,
                    None => found.push(Piece { memory, row, len: fitting, position }),
                }
                (row, position, len) = (row + fitting, position + fitting, len - fitting);
            }
        }
        found
    }
}

/// Consecutive runs of a tree.
#[derive(Debug)]
pub struct Pass<'a> {
    tree: &'a PrefixTree,
    runs: Range<usize>,
    paths: Vec<Vec<Piece>>,
    /// The memory that its rows go to; in the tail, its rows there and the tail's size.
    memory: usize,
    tail_rows: Vec<usize>,
    n_tail_rows: usize,
    /// Position of each row.
    pub positions: Vec<usize>,
}

impl<'a> Pass<'a> {
    /// The runs `runs`, at least one, which follow those that have `places`; they get theirs.
    pub fn new(tree: &'a PrefixTree, runs: Range<usize>, places: &mut Places) -> Self {
        places.add(tree, runs.clone());
        let paths = runs.clone().map(|run| places.pieces(tree, run)).collect();
        let positions = tree.runs[runs.clone()].iter().flat_map(|r| r.position..r.position + r.len).collect();
        let own = &places.runs[runs.clone()];
        let memory = own[0].0;
        let tail_rows = own.iter().filter(|(memory, _)| *memory == TAIL).map(|(_, row)| *row).collect();
        Self { tree, runs, paths, memory, tail_rows, n_tail_rows: places.tail.len(), positions }
    }

    /// Places of its rows in the tail, if they go there.
    pub fn tail_rows(&self) -> Option<&[usize]> {
        (self.memory == TAIL).then_some(&self.tail_rows)
    }

    /// Rows of the tail, the pass's own included.
    pub fn n_tail_rows(&self) -> usize {
        self.n_tail_rows
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

    /// Rows whose keys lie together when the pass has computed them: in the tail, they find their neighbours later.
    pub fn key_tile(&self) -> usize {
        if self.memory == TAIL { 1 } else { KEY_TILE }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_where_tiles_and_passes_end() {
        let mut tree = PrefixTree::default();
        let root = tree.push(None, &[1; 60]);
        let other = tree.push(Some(root), &[2; 10]);
        let mut places = Places::default();
        let pass = Pass::new(&tree, root..other + 1, &mut places);
        assert_eq!((pass.key_tile(), pass.tail_rows()), (KEY_TILE, None));
        let next = tree.push(Some(other), &[3]);
        let pass = Pass::new(&tree, next..next + 1, &mut places);
        let piece = |memory, row, len, position| Piece { memory, row, len, position };
        let expected = [piece(1, 0, 64, 0), piece(1, 64, 6, 64), piece(TAIL, 0, 1, 70)];
        assert!(pass.path_to(next, 71).eq(expected));
        assert!(pass.path_to(next, 62).eq([piece(1, 0, 62, 0)]));
        assert_eq!((pass.n_rows(), pass.n_keys(next), pass.first_row()), (1, 71, 70));
        assert_eq!((pass.key_tile(), pass.tail_rows()), (1, Some(&[0][..])));
    }

    #[test]
    fn single_tokens_lie_behind_those_that_they_continue() {
        let mut tree = PrefixTree::default();
        let root = tree.push(None, &[1, 2]);
        let mut places = Places::default();
        Pass::new(&tree, root..root + 1, &mut places);
        let mut ends = [root; 2];
        let mut add = |tree: &mut PrefixTree, parents: &[usize]| -> (Vec<usize>, Vec<usize>, usize) {
            let runs: Vec<usize> = parents.iter().map(|p| tree.push(Some(*p), &[3])).collect();
            let pass = Pass::new(tree, runs[0]..runs[0] + runs.len(), &mut places);
            let n_pieces = pass.path_to(runs[0], usize::MAX).count();
            (runs, pass.tail_rows().expect("single tokens").to_vec(), n_pieces)
        };
        for step in 0..TAIL_TILE {
            let (runs, rows, n_pieces) = add(&mut tree, &ends);
            ends.copy_from_slice(&runs);
            assert_eq!((rows, n_pieces), (vec![step, TAIL_TILE + step], 2));
        }
        // Full tiles go on in new ones, and so does a second token after the same.
        let (runs, rows, n_pieces) = add(&mut tree, &ends);
        assert_eq!((rows, n_pieces), (vec![2 * TAIL_TILE, 3 * TAIL_TILE], 3));
        let (_, rows, _) = add(&mut tree, &[runs[1], runs[1], ends[0]]);
        assert_eq!(rows, [3 * TAIL_TILE + 1, 4 * TAIL_TILE, 5 * TAIL_TILE]);
    }
}
