//! A walk over a GGUF header that reads lengths and keeps nothing, before the header is handed to candle's reader.
//!
//! candle bounds what a header may ask for by the size of its file, which a file with holes makes as large as it likes,
//! and it divides by the header's own alignment. Here counts, lengths and nesting are held to what models need, so that
//! no header makes the reader allocate more than a few hundred megabytes or stop with a panic.

use std::collections::HashSet;

/// Most entries of metadata; models have about forty.
const MOST_ENTRIES: u64 = 1 << 16;
/// Most tensors; the largest models have a few thousand.
const MOST_TENSORS: u64 = 1 << 16;
/// Longest text in bytes; the longest are chat templates.
const LONGEST_TEXT: u64 = 1 << 24;
/// Most elements of all arrays together; vocabularies and merges have up to a million.
const MOST_ELEMENTS: u64 = 1 << 23;
/// Arrays in arrays.
const DEEPEST: usize = 2;
/// Most dimensions of a tensor.
const MOST_DIMENSIONS: u32 = 4;

/// Types of tensors that ggml has and this program does not read, by their numbers there.
const UNREAD: [(u32, &str); 27] = [
    (4, "Q4_2"),
    (5, "Q4_3"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (36, "IQ4_NL_4_4"),
    (37, "IQ4_NL_4_8"),
    (38, "IQ4_NL_8_8"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// Checks the header at the start of `bytes`; the error says what is wrong with the file.
pub fn check(bytes: &[u8]) -> Result<(), HeaderProblem> {
    let mut walk = Walk { bytes, at: 0, n_elements: 0, names: HashSet::new(), unread: None };
    walk.header().map_err(HeaderProblem::Damaged)?;
    walk.unread.map_or(Ok(()), |problem| Err(HeaderProblem::Unsupported(problem)))
}

/// What is wrong with a file, by its header.
pub enum HeaderProblem {
    /// It is not what a writer of GGUF files wrote.
    Damaged(String),
    /// It may be whole, but is not read.
    Unsupported(String),
}

impl<'a> Walk<'a> {
    fn header(&mut self) -> Result<(), String> {
        if self.take(4)? != b"GGUF" {
            return Err("is not a GGUF file: it does not begin with `GGUF`".to_owned());
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            self.unread = Some(format!("is GGUF version {version}; this version reads 2 and 3"));
            return Ok(());
        }
        let n_tensors = self.bounded(MOST_TENSORS, "tensors")?;
        let n_entries = self.bounded(MOST_ENTRIES, "entries of metadata")?;
        for _ in 0..n_entries {
            self.entry()?;
        }
        for _ in 0..n_tensors {
            self.tensor()?;
        }
        Ok(())
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    n_elements: u64,
    names: HashSet<&'a [u8]>,
    /// The first thing that this program does not read.
    unread: Option<String>,
}

impl<'a> Walk<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| format!("is truncated: its header goes on after byte {}", self.at))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    fn u64(&mut self) -> Result<u64, String> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn bounded(&mut self, most: u64, what: &str) -> Result<u64, String> {
        let n = self.u64()?;
        if n > most { Err(format!("says that it has {n} {what}; at most {most} are read")) } else { Ok(n) }
    }

    fn text(&mut self) -> Result<&'a [u8], String> {
        let length = self.bounded(LONGEST_TEXT, "bytes in a text")?;
        self.take(length as usize)
    }

    /// A key or a tensor's name, which must be new: of two, a reader would keep one in silence.
    fn name(&mut self) -> Result<&'a [u8], String> {
        let mut name = self.text()?;
        // candle drops zero bytes at the end, and writes other characters for bytes that are none.
        while let [start @ .., 0] = name {
            name = start;
        }
        let Ok(text) = str::from_utf8(name) else {
            return Err(format!("has a name that is no text: `{}`", String::from_utf8_lossy(name)));
        };
        if self.names.insert(name) { Ok(name) } else { Err(format!("lists `{text}` a second time")) }
    }

    fn entry(&mut self) -> Result<(), String> {
        let key = self.name()?;
        let kind = self.u32()?;
        let start = self.at;
        self.value(kind, 0)?;
        if key == b"general.alignment" {
            let value = &self.bytes[start..self.at];
            let alignment = value.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
            let usable = (8..=1 << 16).contains(&alignment) && alignment.is_power_of_two();
            if kind != 4 || !usable {
                return Err("`general.alignment` is no power of two from 8 to 65536".to_owned());
            }
        }
        Ok(())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<(), String> {
        match kind {
            TEXT => self.text().map(|_| ()),
            ARRAY if depth < DEEPEST => self.array(depth),
            ARRAY => Err(format!("nests arrays deeper than {DEEPEST}")),
            _ => self.take(width(kind)?).map(|_| ()),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), String> {
        let kind = self.u32()?;
        let n = self.bounded(MOST_ELEMENTS, "elements in an array")?;
        self.n_elements += n;
        if self.n_elements > MOST_ELEMENTS {
            return Err(format!("has arrays of more than {MOST_ELEMENTS} elements together"));
        }
        if kind != TEXT && kind != ARRAY {
            return self.take(width(kind)? * n as usize).map(|_| ());
        }
        (0..n).try_for_each(|_| self.value(kind, depth + 1))
    }

    fn tensor(&mut self) -> Result<(), String> {
        let name = String::from_utf8_lossy(self.name()?).into_owned();
        let n_dimensions = self.u32()?;
        if n_dimensions > MOST_DIMENSIONS {
            return Err(format!(
                "has a tensor of {n_dimensions} dimensions; at most {MOST_DIMENSIONS} are read"
            ));
        }
        self.take(8 * n_dimensions as usize)?;
        let kind = self.u32()?;
        if let Some((_, unread)) = UNREAD.iter().find(|(number, _)| *number == kind) {
            self.unread.get_or_insert(format!(
                "stores tensor `{name}` as {unread}, which is not read; read are F32, F16, BF16, Q4_0 to Q8_1 and Q2_K to Q8_K"
            ));
        }
        // Its place.
        self.take(8).map(|_| ())
    }
}

/// Bytes of a value of a fixed size.
fn width(kind: u32) -> Result<usize, String> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        4..=6 => Ok(4),
        10..=12 => Ok(8),
        _ => Err(format!("has metadata of the unknown type {kind}")),
    }
}
