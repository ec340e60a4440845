//! Weight files in the safetensors format.
//!
//! A header is checked against its file before anything is allocated for it: its length, that every tensor has the bytes
//! that its shape and type ask for, and that tensors fill the file without a gap or an overlap.

use super::super::{damaged, refuse};
use super::store::{Encoding, Store, Stored};
use crate::error::ExtractError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Longest header that is read, in bytes; that of the largest published models has a few hundred thousand.
const LONGEST_HEADER: u64 = 32 << 20;

/// One entry of a header.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// Lists the tensors of a file.
pub fn add_file(store: &mut Store, path: &Path) -> Result<(), ExtractError> {
    let file = store.map(path)?;
    let bytes = store.bytes(file);
    let n_bytes = bytes.len();
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(damaged(path, format!("has {n_bytes} bytes, too few for a safetensors header")));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST_HEADER || length > rest.len() as u64 {
        let problem = format!(
            "says that its header has {length} bytes; the file has {n_bytes}, and at most {LONGEST_HEADER} are read"
        );
        return Err(damaged(path, problem));
    }
    let start = 8 + length as usize;
    let entries = parse_header(path, &rest[..length as usize])?;
    let tensors = check_entries(path, entries, n_bytes - start)?;
    for (name, entry, encoding) in tensors {
        let place = start + entry.data_offsets.0;
        store.add(name, Stored { file, start: place, dims: entry.shape, encoding })?;
    }
    Ok(())
}

fn parse_header(path: &Path, header: &[u8]) -> Result<BTreeMap<String, Entry>, ExtractError> {
    let values: BTreeMap<String, Value> = serde_json::from_slice(header)
        .map_err(|e| damaged(path, format!("has a header that is not JSON: {e}")))?;
    let tensors = values.into_iter().filter(|(name, _)| name != "__metadata__");
    let parsed = tensors.map(|(name, value)| match serde_json::from_value(value) {
        Ok(entry) => Ok((name, entry)),
        Err(e) => Err(refuse(path, format!("describes tensor `{name}` in a way that cannot be read: {e}"))),
    });
    parsed.collect()
}

/// Checks sizes and places against the `n_bytes` behind the header.
fn check_entries(
    path: &Path,
    entries: BTreeMap<String, Entry>,
    n_bytes: usize,
) -> Result<Vec<(String, Entry, Encoding)>, ExtractError> {
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let (from, to) = entry.data_offsets;
        let encoding = encoding(&entry.dtype);
        let size = encoding.and_then(|e| e.n_bytes(&entry.shape));
        let stored = format!("{:?} of `{}`", entry.shape, entry.dtype);
        match (encoding, size) {
            (Some(encoding), Some(size)) if from.checked_add(size) == Some(to) => {
                tensors.push((name, entry, encoding));
            }
            (_, Some(size)) => {
                let problem = format!("gives tensor `{name}` bytes {from}..{to}; {stored} needs {size}");
                return Err(refuse(path, problem));
            }
            (_, None) => {
                let problem = format!("stores tensor `{name}` as {stored}, which cannot be read");
                return Err(refuse(path, problem));
            }
        }
    }
    tensors.sort_by_key(|(_, entry, _)| entry.data_offsets);
    check_places(path, &tensors, n_bytes)?;
    Ok(tensors)
}

/// Refuses a gap, an overlap, and data that no tensor takes.
fn check_places(
    path: &Path,
    tensors: &[(String, Entry, Encoding)],
    n_bytes: usize,
) -> Result<(), ExtractError> {
    let mut end = 0;
    for (name, Entry { data_offsets: (from, to), .. }, _) in tensors {
        if *from != end {
            let problem = format!("puts tensor `{name}` at byte {from} of its data; expected {end}");
            return Err(refuse(path, problem));
        }
        end = *to;
    }
    if end == n_bytes {
        return Ok(());
    }
    let problem = format!("is truncated or padded: its tensors take {end} bytes, it has {n_bytes} for them");
    Err(damaged(path, problem))
}

fn encoding(dtype: &str) -> Option<Encoding> {
    let unread = |name, n_bytes| Some(Encoding::Unread { name, n_bytes });
    match dtype {
        "F32" => Some(Encoding::F32),
        "F16" => Some(Encoding::F16),
        "BF16" => Some(Encoding::Bf16),
        "BOOL" => unread("BOOL", 1),
        "U8" => unread("U8", 1),
        "I8" => unread("I8", 1),
        "F8_E4M3" => unread("F8_E4M3", 1),
        "F8_E5M2" => unread("F8_E5M2", 1),
        "I16" => unread("I16", 2),
        "U16" => unread("U16", 2),
        "I32" => unread("I32", 4),
        "U32" => unread("U32", 4),
        "I64" => unread("I64", 8),
        "U64" => unread("U64", 8),
        "F64" => unread("F64", 8),
        _ => None,
    }
}
