//! A prompt's text cut where its segments begin and end. Segments may overlap; each piece of the text belongs to the same
//! segments as a whole. How a piece is shown is left to the report and the command line.

use crate::prompt::Segment;
use std::collections::BTreeSet;

/// Consecutive characters of a prompt that belong to the same segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First character, in Unicode scalar values.
    pub start: u32,
    /// One past the last character.
    pub end: u32,
    /// Indices of the segments that cover the piece, the shortest segment first.
    pub segments: Vec<usize>,
}

/// The characters from `start` to `end`, cut where a segment begins or ends; nothing where there are no characters.
#[must_use]
pub fn cut_at_segments(segments: &[Segment], start: u32, end: u32) -> Vec<Piece> {
    let bounds = segments.iter().flat_map(|s| [s.start, s.end]).filter(|at| *at > start && *at < end);
    let cuts: BTreeSet<u32> = bounds.chain([start, end]).collect();
    let cuts: Vec<u32> = cuts.into_iter().collect();
    let piece = |cut: &[u32]| {
        let covers = |i: &usize| segments[*i].start <= cut[0] && cut[1] <= segments[*i].end;
        let mut covering: Vec<usize> = (0..segments.len()).filter(covers).collect();
        covering.sort_by_key(|i| segments[*i].end - segments[*i].start);
        Piece { start: cut[0], end: cut[1], segments: covering }
    };
    cuts.windows(2).map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_segments_are_cut_and_the_shortest_comes_first() {
        let segment = |role: &str, start, end| Segment { role: role.to_owned(), start, end };
        let segments = [segment("scene", 0, 6), segment("fact", 1, 3)];
        let cut = |start, end| {
            let pieces = cut_at_segments(&segments, start, end);
            pieces.into_iter().map(|p| (p.start, p.end, p.segments)).collect::<Vec<_>>()
        };
        assert_eq!(cut(0, 7), [(0, 1, vec![0]), (1, 3, vec![1, 0]), (3, 6, vec![0]), (6, 7, vec![])]);
        assert_eq!(cut(2, 4), [(2, 3, vec![1, 0]), (3, 4, vec![0])]);
        assert_eq!(cut(3, 3), []);
    }

    #[test]
    fn pieces_that_cross_belong_to_both() {
        let segment = |start, end| Segment { role: "r".to_owned(), start, end };
        let pieces = cut_at_segments(&[segment(0, 4), segment(2, 6)], 0, 6);
        assert_eq!(pieces.iter().map(|p| p.segments.len()).collect::<Vec<_>>(), [1, 2, 1]);
    }
}
