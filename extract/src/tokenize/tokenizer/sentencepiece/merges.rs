//! SentencePiece's byte-pair merging: the best-scored neighbours first, the leftmost of equals.

use super::matcher::Matcher;
use super::vocabulary::{Kind, Vocabulary};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;

/// A stretch of text, in a list that is linked both ways; empty once its left neighbour has taken it over.
struct Symbol {
    range: Range<usize>,
    previous: Option<usize>,
    next: Option<usize>,
    is_whole: bool,
}

/// Two neighbours that would make a piece of `length` bytes.
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    length: usize,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

struct Merging<'a> {
    text: &'a str,
    vocabulary: &'a Vocabulary,
    symbols: Vec<Symbol>,
    agenda: BinaryHeap<Candidate>,
    /// Of unused pieces: the length of the left part that they were last made of.
    parts: HashMap<&'a str, usize>,
}

/// The pieces of a normalized text: byte range and id, the unknown piece's for a character that no piece spells.
pub fn pieces(text: &str, vocabulary: &Vocabulary, user_defined: &Matcher) -> Vec<(Range<usize>, u32)> {
    let symbols = split(text, user_defined);
    let mut merging = Merging { text, vocabulary, symbols, agenda: BinaryHeap::new(), parts: HashMap::new() };
    for right in 1..merging.symbols.len() {
        merging.consider(right - 1, right);
    }
    while let Some(best) = merging.agenda.pop() {
        merging.merge(&best);
    }
    let mut found = Vec::new();
    let mut index = (!merging.symbols.is_empty()).then_some(0);
    while let Some(i) = index {
        merging.take_apart(merging.symbols[i].range.clone(), &mut found);
        index = merging.symbols[i].next;
    }
    found
}

/// Characters, and user-defined pieces as they are.
fn split(text: &str, user_defined: &Matcher) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let whole = user_defined.longest_at(&text[start..]);
        let end = start + whole.unwrap_or(first.len_utf8());
        let index = symbols.len();
        let next = (end < text.len()).then_some(index + 1);
        symbols.push(Symbol {
            range: start..end,
            previous: index.checked_sub(1),
            next,
            is_whole: whole.is_some(),
        });
        start = end;
    }
    symbols
}

impl<'a> Merging<'a> {
    fn consider(&mut self, left: usize, right: usize) {
        let (a, b) = (&self.symbols[left], &self.symbols[right]);
        if a.is_whole || b.is_whole {
            return;
        }
        let merged: &'a str = &self.text[a.range.start..b.range.end];
        let Some((id, score)) = self.vocabulary.merged(merged) else { return };
        if self.vocabulary.kind(id) == Kind::Unused {
            self.parts.insert(merged, a.range.len());
        }
        self.agenda.push(Candidate { score, left, right, length: merged.len() });
    }

    fn merge(&mut self, candidate: &Candidate) {
        let (left, right) =
            (self.symbols[candidate.left].range.clone(), self.symbols[candidate.right].range.clone());
        // One of the two has been merged with another since.
        if left.is_empty() || right.is_empty() || left.len() + right.len() != candidate.length {
            return;
        }
        let next = self.symbols[candidate.right].next;
        self.symbols[candidate.left].range.end = right.end;
        self.symbols[candidate.left].next = next;
        self.symbols[candidate.right].range = right.end..right.end;
        if let Some(next) = next {
            self.symbols[next].previous = Some(candidate.left);
            self.consider(candidate.left, next);
        }
        if let Some(previous) = self.symbols[candidate.left].previous {
            self.consider(previous, candidate.left);
        }
    }

    /// Appends a symbol's pieces: itself, or the parts of unused pieces.
    fn take_apart(&self, range: Range<usize>, found: &mut Vec<(Range<usize>, u32)>) {
        let mut pending = vec![range];
        while let Some(range) = pending.pop() {
            let text = &self.text[range.clone()];
            let id = self.vocabulary.id(text).unwrap_or(self.vocabulary.unknown());
            let left = self.parts.get(text).filter(|_| self.vocabulary.kind(id) == Kind::Unused);
            match left {
                Some(left) => {
                    pending.push(range.start + left..range.end);
                    pending.push(range.start..range.start + left);
                }
                None => found.push((range, id)),
            }
        }
    }
}
