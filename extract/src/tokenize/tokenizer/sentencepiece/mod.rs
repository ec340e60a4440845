//! SentencePiece's byte-pair tokenizer, with the spans of its tokens in the original text.
//!
//! [`mod@file`] reads a `tokenizer.model`, [`vocabulary`] holds pieces, [`normalizer`] makes the text that pieces are
//! found in, [`merges`] finds them. Here the parts become a tokenizer: tokens that are matched whole in the text
//! (BOS, chat markers), bytes for what no piece spells, and decoding.
//!
//! The `tokenizers` crate can imitate such a model with a list of merges, but orders merges of equal score
//! otherwise and does not take unused pieces apart; this is SentencePiece's own order of work.

mod file;
mod matcher;
mod merges;
mod normalizer;
mod vocabulary;

pub use file::ModelFile;
pub use normalizer::Normalizer;
pub use vocabulary::{Kind, Vocabulary};

use super::{Encoding, SpecialTokens};
use matcher::Matcher;
use std::collections::HashMap;
use tokenizers::AddedToken;

/// What stands for a space in pieces.
pub const SPACE: &str = "\u{2581}";

/// A token that is found in a text as it is, before anything else.
#[derive(Clone, Debug)]
pub struct Whole {
    /// How the text spells it.
    pub text: String,
    /// Its id.
    pub id: u32,
    /// Whether it swallows white space before it.
    pub lstrip: bool,
    /// Whether it swallows white space after it.
    pub rstrip: bool,
    /// Whether decoding leaves it out.
    pub is_special: bool,
}

impl Whole {
    /// A token that a checkpoint's files add.
    pub fn added(id: u32, token: &AddedToken) -> Self {
        let AddedToken { content, lstrip, rstrip, special, .. } = token;
        Self { text: content.clone(), id, lstrip: *lstrip, rstrip: *rstrip, is_special: *special }
    }

    /// A special token that swallows nothing.
    pub fn special(text: &str, id: u32) -> Self {
        Self { text: text.to_owned(), id, lstrip: false, rstrip: false, is_special: true }
    }
}

/// Where a space is put before text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Nowhere.
    Never,
    /// Before text that begins the whole.
    AtStart,
    /// There, and before text after a whole token.
    AfterWholeTokens,
}

/// A SentencePiece tokenizer.
#[derive(Debug)]
pub struct SentencePiece {
    vocabulary: Vocabulary,
    normalizer: Normalizer,
    user_defined: Matcher,
    whole: HashMap<String, Whole>,
    whole_matcher: Matcher,
    prefix: Prefix,
    before: Option<u32>,
    after: Option<u32>,
}

impl SentencePiece {
    /// A tokenizer; `special_tokens` is what stands before and after a text.
    pub fn new(
        vocabulary: Vocabulary,
        normalizer: Normalizer,
        whole: Vec<Whole>,
        prefix: Prefix,
        special_tokens: (Option<u32>, Option<u32>),
    ) -> Self {
        let user_defined = Matcher::new(vocabulary.user_defined());
        let whole_matcher = Matcher::new(whole.iter().map(|w| w.text.as_str()));
        let whole = whole.into_iter().map(|w| (w.text.clone(), w)).collect();
        let (before, after) = special_tokens;
        Self { vocabulary, normalizer, user_defined, whole, whole_matcher, prefix, before, after }
    }

    pub fn n_vocabulary(&self) -> usize {
        self.vocabulary.len()
    }

    pub fn piece(&self, id: u32) -> &str {
        self.vocabulary.piece(id)
    }

    pub fn encode(&self, text: &str, special_tokens: SpecialTokens) -> Encoding {
        let mut encoding = Encoding::default();
        let is_surrounded = special_tokens == SpecialTokens::AsDeclared;
        if let Some(id) = self.before.filter(|_| is_surrounded) {
            encoding.push(id, (0, 0));
        }
        // Byte and character at which the text not yet tokenized begins.
        let mut rest = (0, 0);
        for (start, end, whole) in self.whole_tokens(text) {
            let from = self.encode_plain(&text[rest.0..start], rest.1, &mut encoding);
            let to = from + text[start..end].chars().count() as u32;
            encoding.push(whole.id, (from, to));
            rest = (end, to);
        }
        let end = self.encode_plain(&text[rest.0..], rest.1, &mut encoding);
        if let Some(id) = self.after.filter(|_| is_surrounded) {
            encoding.push(id, (end, end));
        }
        encoding
    }

    /// Byte ranges of whole tokens, with the white space that they swallow.
    fn whole_tokens<'a>(&'a self, text: &str) -> Vec<(usize, usize, &'a Whole)> {
        let mut found: Vec<(usize, usize, &Whole)> = Vec::new();
        let mut free = 0;
        for (at, _) in text.char_indices() {
            if at < free {
                continue;
            }
            let Some(length) = self.whole_matcher.longest_at(&text[at..]) else { continue };
            let whole = &self.whole[&text[at..at + length]];
            let before = &text[free..at];
            let start = if whole.lstrip { free + before.trim_end().len() } else { at };
            let after = &text[at + length..];
            let swallowed = if whole.rstrip { after.len() - after.trim_start().len() } else { 0 };
            free = at + length + swallowed;
            found.push((start, free, whole));
        }
        found
    }

    /// Appends the tokens of text without whole tokens, which begins at character `start`; gives its end.
    fn encode_plain(&self, text: &str, start: u32, encoding: &mut Encoding) -> u32 {
        let is_prefixed = match self.prefix {
            Prefix::Never => false,
            Prefix::AtStart => start == 0,
            Prefix::AfterWholeTokens => true,
        };
        let normalized = self.normalizer.normalize(text, start, is_prefixed, &self.user_defined);
        let mut is_after_unknown = false;
        for (range, id) in merges::pieces(&normalized.text, &self.vocabulary, &self.user_defined) {
            let span = (normalized.origin[range.start], normalized.origin[range.end]);
            let is_unknown = id == self.vocabulary.unknown();
            match (self.vocabulary.bytes(), self.vocabulary.kind(id)) {
                (Some(bytes), Kind::Unknown) => {
                    for byte in normalized.text[range].bytes() {
                        let id = bytes[usize::from(byte)];
                        encoding.push(id, span);
                    }
                }
                // Characters in a row that no piece spells are one token.
                (None, Kind::Unknown) if is_after_unknown => {
                    if let Some(last) = encoding.offsets.last_mut() {
                        last.1 = span.1;
                    }
                }
                (_, Kind::Control) => encoding.push(id, (span.0, span.0)),
                _ => encoding.push(id, span),
            }
            is_after_unknown = is_unknown;
        }
        start + text.chars().count() as u32
    }

    /// The text of ids: control pieces and special tokens left out, the space put before the text taken away.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut text = Vec::new();
        for &id in ids {
            let piece = self.piece(id);
            match self.vocabulary.kind(id) {
                Kind::Control | Kind::Unknown => {}
                Kind::Byte(byte) => text.push(byte),
                _ if self.whole.get(piece).is_some_and(|w| w.is_special) => {}
                _ => text.extend_from_slice(piece.replace(SPACE, " ").as_bytes()),
            }
        }
        let text = decode_bytes(&text);
        match self.prefix {
            Prefix::Never => text,
            _ => text.strip_prefix(' ').map(str::to_owned).unwrap_or(text),
        }
    }
}

/// UTF-8 with one replacement character for each byte that belongs to no character, as SentencePiece decodes.
fn decode_bytes(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while !bytes.is_empty() {
        match std::str::from_utf8(bytes) {
            Ok(valid) => {
                text.push_str(valid);
                break;
            }
            Err(e) => {
                let (valid, rest) = bytes.split_at(e.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                text.push(char::REPLACEMENT_CHARACTER);
                bytes = &rest[1..];
            }
        }
    }
    text
}
