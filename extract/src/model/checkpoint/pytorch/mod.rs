//! Weight files that `torch.save` wrote: zip archives of a pickle with the tensors' names and a file for each storage.
//!
//! The pickle is read by a machine that knows the few calls that such files need and runs nothing (`unpickler`). Storages
//! lie in the archive uncompressed, so that tensors are mapped where they are. Every tensor is checked against its storage, and
//! every storage against its entry.

mod unpickler;

use super::super::{damaged, refuse};
use super::store::{Encoding, Store, Stored};
use crate::error::ExtractError;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use unpickler::{Refusal, Tensor, read_tensors};
use zip::{CompressionMethod, ZipArchive};

/// Longest pickle that is read, in bytes; that of a model with 80 layers has less than a megabyte.
const LONGEST_PICKLE: u64 = 64 << 20;

/// How a file of PyTorch before 1.6 begins: a pickled number.
const LEGACY: &[u8] = &[0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9];

/// Where a storage lies in its file.
struct Entry {
    start: u64,
    n_bytes: u64,
}

/// Lists the tensors of a file.
pub fn add_file(store: &mut Store, path: &Path) -> Result<(), ExtractError> {
    let file = store.map(path)?;
    let bytes = store.bytes(file);
    if bytes.starts_with(LEGACY) {
        let problem = "is a file of PyTorch before 1.6, which is not read; load it there and save it anew: \
                       torch.save(torch.load(PATH), PATH)";
        return Err(refuse(path, problem));
    }
    let Archive { pickle, storages } = Archive::open(path, bytes)?;
    let tensors = read_tensors(&pickle).map_err(|refusal| match refusal {
        Refusal::Damaged(clause) => damaged(path, format!("has a pickle that {clause}")),
        Refusal::Unread(clause) => refuse(path, format!("has a pickle that {clause}")),
    })?;
    let placed: Result<Vec<(String, Stored)>, ExtractError> = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let (start, encoding) = place(path, &name, &tensor, &storages)?;
            Ok((name, Stored { file, start, dims: tensor.shape, encoding }))
        })
        .collect();
    placed?.into_iter().try_for_each(|(name, stored)| store.add(name, stored))
}

struct Archive {
    pickle: Vec<u8>,
    /// By the name below `data/`.
    storages: BTreeMap<String, Entry>,
}

impl Archive {
    fn open(path: &Path, bytes: &[u8]) -> Result<Self, ExtractError> {
        let broken = |e: &dyn std::fmt::Display| damaged(path, format!("is no whole zip archive: {e}"));
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| broken(&e))?;
        let (mut pickle, mut storages) = (None, BTreeMap::new());
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|e| broken(&e))?;
            let name = entry.name().map_err(|e| broken(&e))?.into_owned();
            // All lies in one directory, which has the name that the file was saved under.
            let Some((_, inner)) = name.split_once('/') else { continue };
            match inner {
                "data.pkl" => {
                    let mut content = Vec::new();
                    let bounded = entry.by_ref().take(LONGEST_PICKLE + 1);
                    { bounded }.read_to_end(&mut content).map_err(|e| broken(&e))?;
                    if content.len() as u64 > LONGEST_PICKLE {
                        return Err(refuse(
                            path,
                            format!("has a pickle of more than {LONGEST_PICKLE} bytes"),
                        ));
                    }
                    pickle = Some(content);
                }
                "byteorder" => {
                    let mut order = String::new();
                    { entry.by_ref().take(16) }.read_to_string(&mut order).map_err(|e| broken(&e))?;
                    if order.trim() != "little" {
                        return Err(refuse(path, format!("has values in the byte order `{}`", order.trim())));
                    }
                }
                _ => {
                    let Some(key) = inner.strip_prefix("data/") else { continue };
                    let start = entry.data_start();
                    if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
                        return Err(refuse(
                            path,
                            format!("has compressed values (`{name}`), which are not read"),
                        ));
                    }
                    let start = start.ok_or_else(|| broken(&format!("`{name}` has no place")))?;
                    storages.insert(key.to_owned(), Entry { start, n_bytes: entry.size() });
                }
            }
        }
        match pickle {
            Some(pickle) => Ok(Self { pickle, storages }),
            None => Err(refuse(path, "has no `data.pkl`, so that `torch.save` did not write it")),
        }
    }
}

/// The first byte of a tensor in its file, and the encoding of its values.
fn place(
    path: &Path,
    name: &str,
    tensor: &Tensor,
    storages: &BTreeMap<String, Entry>,
) -> Result<(usize, Encoding), ExtractError> {
    let Tensor { storage, offset, shape, strides } = tensor;
    let (encoding, value) = encoding(storage.kind);
    let Some(entry) = storages.get(&storage.key) else {
        return Err(damaged(path, format!("has no values for tensor `{name}` (`data/{}`)", storage.key)));
    };
    if storage.n_values.checked_mul(value).map(|n| n as u64) != Some(entry.n_bytes) {
        let problem = format!(
            "gives tensor `{name}` {} values of {value} bytes, for which `data/{}` has {}",
            storage.n_values, storage.key, entry.n_bytes
        );
        return Err(damaged(path, problem));
    }
    if !is_contiguous(shape, strides) {
        let problem =
            format!("stores tensor `{name}` of shape {shape:?} with strides {strides:?}, which is not read");
        return Err(refuse(path, problem));
    }
    let n_values = shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
    let end = n_values.and_then(|n| n.checked_add(*offset));
    if end.is_none_or(|end| end > storage.n_values) {
        let problem = format!("places tensor `{name}` beyond the {} values of its storage", storage.n_values);
        return Err(damaged(path, problem));
    }
    let start = usize::try_from(entry.start).ok().and_then(|start| start.checked_add(offset * value));
    let start = start.ok_or_else(|| damaged(path, format!("places tensor `{name}` beyond its end")))?;
    Ok((start, encoding))
}

/// Whether values lie in the order of their indices, the last running fastest.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    for (size, stride) in shape.iter().zip(strides).rev() {
        // The stride of a dimension with one element says nothing.
        if *size > 1 && *stride != expected {
            return false;
        }
        expected = expected.saturating_mul((*size).max(1));
    }
    true
}

/// How values of a type are read, and their bytes.
fn encoding(kind: &'static str) -> (Encoding, usize) {
    let unread = |n_bytes| (Encoding::Unread { name: kind, n_bytes }, n_bytes);
    match kind {
        "F32" => (Encoding::F32, 4),
        "F16" => (Encoding::F16, 2),
        "BF16" => (Encoding::Bf16, 2),
        "I16" => unread(2),
        "I32" => unread(4),
        "F64" | "I64" => unread(8),
        _ => unread(1),
    }
}
