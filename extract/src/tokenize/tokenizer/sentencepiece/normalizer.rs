//! From a text to the text that pieces are found in: characters mapped, spaces marked, each byte with its origin.

use super::SPACE;
use super::matcher::Matcher;

/// How a model's texts are normalized.
#[derive(Debug, Default)]
pub struct Normalizer {
    /// Replacements of characters, where the model has them.
    pub characters: Option<CharacterMap>,
    /// Whether a space is put before a text.
    pub add_dummy_prefix: bool,
    /// Whether spaces are dropped at both ends and but one of several in a row.
    pub remove_extra_whitespaces: bool,
}

/// A normalized text.
#[derive(Debug, Default)]
pub struct Normalized {
    /// The text.
    pub text: String,
    /// Of every byte, and of the end: the character of the original that it comes from.
    pub origin: Vec<u32>,
}

impl Normalized {
    fn push(&mut self, text: &str, origin: u32) {
        self.text.push_str(text);
        self.origin.resize(self.text.len(), origin);
    }
}

impl Normalizer {
    /// Normalizes `text`, whose characters count from `start`; user-defined pieces are left as they are.
    pub fn normalize(&self, text: &str, start: u32, is_prefixed: bool, user_defined: &Matcher) -> Normalized {
        let mut made = Normalized::default();
        let (mut rest, mut consumed) = (text, start);
        let advance = |rest: &mut &str, consumed: &mut u32, length: usize| {
            *consumed += rest[..length].chars().count() as u32;
            *rest = &rest[length..];
        };
        if self.remove_extra_whitespaces {
            while let (" ", length) = self.step(rest, user_defined) {
                advance(&mut rest, &mut consumed, length);
            }
        }
        if !rest.is_empty() && is_prefixed {
            made.push(SPACE, consumed);
        }
        let mut drops_space = self.remove_extra_whitespaces;
        while !rest.is_empty() {
            let (mut mapped, length) = self.step(rest, user_defined);
            if drops_space {
                mapped = mapped.trim_start_matches(' ');
            }
            if !mapped.is_empty() {
                made.push(&mapped.replace(' ', SPACE), consumed);
                drops_space = self.remove_extra_whitespaces && mapped.ends_with(' ');
            }
            advance(&mut rest, &mut consumed, length);
        }
        if self.remove_extra_whitespaces {
            while made.text.ends_with(SPACE) {
                let length = made.text.len() - SPACE.len();
                consumed = made.origin[length];
                made.text.truncate(length);
                made.origin.truncate(length);
            }
        }
        made.origin.push(consumed);
        made
    }

    /// What the beginning of a text becomes, and how many bytes it takes; nothing at the end.
    fn step<'a>(&'a self, text: &'a str, user_defined: &Matcher) -> (&'a str, usize) {
        if let Some(length) = user_defined.longest_at(text) {
            return (&text[..length], length);
        }
        let mapped = self.characters.as_ref().and_then(|map| map.longest_at(text));
        mapped.unwrap_or_else(|| {
            let length = text.chars().next().map_or(0, char::len_utf8);
            (&text[..length], length)
        })
    }
}

/// SentencePiece's compiled replacements: a double-array trie (Aoe 1989, as darts-clone lays it out) from texts to
/// places in a list of replacements that end with a zero byte.
#[derive(Debug)]
pub struct CharacterMap {
    trie: Vec<u32>,
    replacements: String,
}

impl CharacterMap {
    /// Reads a `precompiled_charsmap`.
    ///
    /// # Errors
    /// Where its sizes do not add up, or a replacement is not text.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let refuse = || "its `precompiled_charsmap` is malformed".to_owned();
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(refuse)?;
        let size = u32::from_le_bytes(*size) as usize;
        let (trie, replacements) = rest.split_at_checked(size).ok_or_else(refuse)?;
        let (units, odd) = trie.as_chunks::<4>();
        if units.is_empty() || !odd.is_empty() {
            return Err(refuse());
        }
        let replacements = std::str::from_utf8(replacements).map_err(|_| refuse())?.to_owned();
        if replacements.split('\0').any(|replacement| replacement.len() > LONGEST_REPLACEMENT) {
            return Err(refuse());
        }
        Ok(Self { trie: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(), replacements })
    }

    /// The replacement of the longest beginning of `text` that has one, and that beginning's length in bytes.
    fn longest_at(&self, text: &str) -> Option<(&str, usize)> {
        let mut found = None;
        let mut node = offset(*self.trie.first()?);
        for (byte, length) in text.bytes().zip(1..) {
            node ^= byte as usize;
            let Some(&unit) = self.trie.get(node) else { break };
            if unit & LABEL_BITS != u32::from(byte) {
                break;
            }
            node ^= offset(unit);
            if unit & HAS_LEAF != 0 {
                let leaf = self.trie.get(node).map(|unit| (unit & VALUE_BITS) as usize);
                found = leaf.map(|leaf| (leaf, length)).or(found);
            }
        }
        let (leaf, length) = found.filter(|(_, length)| text.is_char_boundary(*length))?;
        let replacement = self.replacements.get(leaf..)?;
        Some((replacement.split('\0').next().unwrap_or_default(), length))
    }
}

/// In bytes; Unicode's longest compatibility decomposition has 33.
const LONGEST_REPLACEMENT: usize = 1024;

const LABEL_BITS: u32 = 0x8000_00ff;
const HAS_LEAF: u32 = 1 << 8;
const VALUE_BITS: u32 = 0x7fff_ffff;

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}
