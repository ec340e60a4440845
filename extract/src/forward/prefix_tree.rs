//! Packing prompts into a tree of token edges, so that shared tokens are computed once and none is padding.

use std::ops::Range;

/// Positions on a path, from 0, as ascending half-open ranges.
pub type Positions = Vec<Range<u32>>;

/// Consecutive tokens of one path without a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The edge that this one continues; earlier in the tree.
    pub parent: Option<usize>,
    /// First row of its tokens in the tree.
    pub row: usize,
    /// Number of tokens.
    pub len: usize,
    /// Position of its first token in every sequence that passes here.
    pub position: usize,
}

impl Edge {
    /// Rows of the edge's tokens.
    pub fn rows(&self) -> Range<usize> {
        self.row..self.row + self.len
    }
}

/// Token edges, parents before children; the tokens of an edge lie in consecutive rows.
#[derive(Clone, Debug, Default)]
pub struct PrefixTree {
    /// The edges.
    pub edges: Vec<Edge>,
    /// Token id of every row.
    pub tokens: Vec<u32>,
}

impl PrefixTree {
    /// Appends an edge below `parent` and gives its index.
    pub fn push(&mut self, parent: Option<usize>, tokens: &[u32]) -> usize {
        let position = parent.map_or(0, |p| self.edges[p].position + self.edges[p].len);
        self.edges.push(Edge { parent, row: self.tokens.len(), len: tokens.len(), position });
        self.tokens.extend_from_slice(tokens);
        self.edges.len() - 1
    }

    /// Row ranges from the root to the end of `edge`, in reading order.
    pub fn path(&self, edge: usize) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut next = Some(edge);
        while let Some(index) = next {
            ranges.push(self.edges[index].rows());
            next = self.edges[index].parent;
        }
        ranges.reverse();
        ranges
    }

    /// Indices of the edges from the root to `edge`.
    pub fn ancestry(&self, edge: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut next = Some(edge);
        while let Some(index) = next {
            found.push(index);
            next = self.edges[index].parent;
        }
        found.reverse();
        found
    }

    /// Packs `sequences` so that equal beginnings share edges; for each sequence, the edge that ends it.
    /// Every sequence ends at the end of an edge.
    ///
    /// # Panics
    /// If a sequence is empty.
    pub fn pack(sequences: &[&[u32]]) -> (Self, Vec<usize>) {
        let mut draft = Draft::default();
        let ends: Vec<usize> = sequences.iter().map(|s| draft.insert(s)).collect();
        let (tree, places) = draft.finish();
        (tree, ends.into_iter().map(|node| places[node]).collect())
    }
}

/// Version of the order in which [`PrefixTree::pack`] lays rows out, and of how a backend lays out their keys and values: a
/// resume checkpoint that another version left is not used.
pub const ROW_ORDER: u32 = 3;

/// Tokens of an edge that [`PrefixTree::pack`] makes: long sequences become chains of edges, so that there is enough to
/// share between threads.
const MAX_EDGE_TOKENS: usize = 64;

/// Number of leading tokens that two sequences share.
pub(crate) fn shared_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// A radix tree under construction. Splitting keeps a node's index at its *end*, so ends stay valid.
#[derive(Default)]
struct Draft {
    nodes: Vec<DraftNode>,
    roots: Vec<usize>,
}

struct DraftNode {
    tokens: Vec<u32>,
    parent: Option<usize>,
    children: Vec<usize>,
}

impl Draft {
    fn insert(&mut self, mut rest: &[u32]) -> usize {
        assert!(!rest.is_empty(), "a sequence has at least one token");
        let mut parent = None;
        loop {
            let siblings = parent.map_or(&self.roots, |p: usize| &self.nodes[p].children);
            let Some(&next) = siblings.iter().find(|&&n| self.nodes[n].tokens[0] == rest[0]) else {
                return self.add(parent, rest.to_vec());
            };
            let shared = shared_prefix(&self.nodes[next].tokens, rest);
            let at = if shared < self.nodes[next].tokens.len() { self.split(next, shared) } else { next };
            rest = &rest[shared..];
            if rest.is_empty() {
                return at;
            }
            parent = Some(at);
        }
    }

    fn add(&mut self, parent: Option<usize>, tokens: Vec<u32>) -> usize {
        let index = self.nodes.len();
        self.nodes.push(DraftNode { tokens, parent, children: Vec::new() });
        self.siblings(parent).push(index);
        index
    }

    fn siblings(&mut self, parent: Option<usize>) -> &mut Vec<usize> {
        match parent {
            Some(p) => &mut self.nodes[p].children,
            None => &mut self.roots,
        }
    }

    /// Cuts `node` after `at` tokens; the new upper part takes its place, `node` keeps the lower part.
    fn split(&mut self, node: usize, at: usize) -> usize {
        let lower = self.nodes[node].tokens.split_off(at);
        let tokens = std::mem::replace(&mut self.nodes[node].tokens, lower);
        let parent = self.nodes[node].parent;
        let upper = self.nodes.len();
        self.nodes.push(DraftNode { tokens, parent, children: vec![node] });
        self.nodes[node].parent = Some(upper);
        let place = self.siblings(parent).iter_mut().find(|n| **n == node).expect("a child of its parent");
        *place = upper;
        upper
    }

    /// Tokens of every node and of all below it.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let mut above = Some(index);
            while let Some(i) = above {
                sizes[i] += node.tokens.len();
                above = self.nodes[i].parent;
            }
        }
        sizes
    }

    /// Lays the nodes out depth first, those with the most below them first: rows of long paths are neighbours, and
    /// their keys lie together. The edge that ends every node.
    fn finish(mut self) -> (PrefixTree, Vec<usize>) {
        let sizes = self.sizes();
        let mut tree = PrefixTree::default();
        let mut places = vec![0; self.nodes.len()];
        let mut stack = std::mem::take(&mut self.roots);
        stack.sort_by_key(|node| sizes[*node]);
        while let Some(node) = stack.pop() {
            let mut end = self.nodes[node].parent.map(|p| places[p]);
            for tokens in self.nodes[node].tokens.chunks(MAX_EDGE_TOKENS) {
                end = Some(tree.push(end, tokens));
            }
            places[node] = end.expect("a node has tokens");
            let children = &mut self.nodes[node].children;
            children.sort_by_key(|child| sizes[*child]);
            stack.append(children);
        }
        (tree, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tree: &PrefixTree, end: usize) -> Vec<u32> {
        tree.path(end).into_iter().flat_map(|rows| tree.tokens[rows].to_vec()).collect()
    }

    #[test]
    fn every_sequence_reads_back_and_shares_what_it_can() {
        let sequences: [&[u32]; 6] =
            [&[1, 2, 3, 4], &[1, 2, 5], &[1, 2], &[7], &[1, 2, 3, 4], &[1, 2, 3, 4, 9]];
        let (tree, ends) = PrefixTree::pack(&sequences);
        for (sequence, end) in sequences.iter().zip(&ends) {
            assert_eq!(read(&tree, *end), *sequence);
        }
        assert_eq!(tree.tokens.len(), 7, "1 2 | 3 4 | 9 | 5 | 7");
        for (index, edge) in tree.edges.iter().enumerate() {
            assert!(edge.parent.is_none_or(|p| p < index), "parents come first");
        }
        assert_eq!(tree.tokens, [1, 2, 3, 4, 9, 5, 7], "the longest path lies in consecutive rows");
    }
}
