//! Tensors in memory-mapped files, read as f32.
//!
//! Both file formats come down to this: names, shapes, encodings and places in a file, all checked when the file
//! was opened. What has been converted is given back to the operating system at once, so that reading a file of any
//! size takes no more memory than the tensor that is asked for. What the tensors mean is left to `weights`.

use super::super::{damaged, refuse};
use crate::error::ExtractError;
use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use memmap2::Mmap;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// About as many values as one thread converts at a time.
const CHUNK: usize = 1 << 16;

/// How a tensor's values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 16 bits.
    F16,
    /// The upper half of an F32.
    Bf16,
    /// Blocks of a GGUF quantisation.
    Quantised(GgmlDType),
    /// Something that is never a weight here: masks of old checkpoints, or a quantisation that is refused.
    Unread {
        /// The file's name for it.
        name: &'static str,
        /// Bytes of a value.
        n_bytes: usize,
    },
}

impl Encoding {
    /// Values and bytes of the smallest piece that can be read alone.
    fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Quantised(kind) => (kind.block_size(), kind.type_size()),
            Self::Unread { n_bytes, .. } => (1, n_bytes),
        }
    }

    /// Bytes of a tensor of this shape; `None` where a row is no whole number of blocks or the size overflows.
    pub fn n_bytes(self, dims: &[usize]) -> Option<usize> {
        let (values, bytes) = self.block();
        let elements = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
        let row = dims.last().copied().unwrap_or(1);
        if !row.is_multiple_of(values) {
            return None;
        }
        // A row of a tensor that has none is counted in bytes too.
        (row / values).checked_mul(bytes)?;
        (elements / values).checked_mul(bytes)
    }

    /// The usual name.
    pub fn name(self) -> String {
        match self {
            Self::F32 => "f32".to_owned(),
            Self::F16 => "f16".to_owned(),
            Self::Bf16 => "bf16".to_owned(),
            Self::Quantised(kind) => format!("{kind:?}").to_lowercase(),
            Self::Unread { name, .. } => name.to_lowercase(),
        }
    }
}

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Index of its file.
    pub file: usize,
    /// First byte in the file.
    pub start: usize,
    /// Rows × columns for matrices.
    pub dims: Vec<usize>,
    /// How its values are stored.
    pub encoding: Encoding,
}

/// Memory-mapped files and the tensors in them.
#[derive(Debug, Default)]
pub struct Store {
    files: Vec<(PathBuf, Mmap)>,
    tensors: BTreeMap<String, Stored>,
}

impl Store {
    /// Maps a file; gives its index.
    pub fn map(&mut self, path: &Path) -> Result<usize, ExtractError> {
        let unreadable = |e: std::io::Error| refuse(path, format!("cannot be opened: {e}"));
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() == 0 {
            return Err(damaged(path, "is empty"));
        }
        // SAFETY: the mapping is only read. A file that another process shortens meanwhile ends this process with
        // SIGBUS, as in every program that maps its models; nothing is written in that case.
        let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        self.files.push((path.to_owned(), map));
        Ok(self.files.len() - 1)
    }

    /// A mapped file's bytes.
    pub fn bytes(&self, file: usize) -> &[u8] {
        &self.files[file].1
    }

    /// A mapped file's path.
    pub fn path(&self, file: usize) -> &Path {
        &self.files[file].0
    }

    /// Every mapped file.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// Lists a tensor, whose bytes must lie in its file.
    pub fn add(&mut self, name: String, tensor: Stored) -> Result<(), ExtractError> {
        let path = self.path(tensor.file).to_owned();
        let n_bytes = self.bytes(tensor.file).len();
        let Some(size) = tensor.encoding.n_bytes(&tensor.dims) else {
            let problem = format!("tensor `{name}` has an impossible size, {:?}", tensor.dims);
            return Err(refuse(&path, problem));
        };
        match tensor.start.checked_add(size) {
            Some(end) if end <= n_bytes => {}
            Some(end) => {
                let problem =
                    format!("is truncated: tensor `{name}` ends at byte {end}, the file has {n_bytes}");
                return Err(damaged(&path, problem));
            }
            None => return Err(refuse(&path, format!("tensor `{name}` has an impossible place"))),
        }
        if self.tensors.contains_key(&name) {
            return Err(refuse(&path, format!("lists tensor `{name}` a second time")));
        }
        self.tensors.insert(name, tensor);
        Ok(())
    }

    /// A tensor by name.
    pub fn find(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(name)
    }

    /// Every tensor, by name.
    pub fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.tensors
    }

    /// All values of a tensor that is listed.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, ExtractError> {
        let tensor = self.listed(name)?;
        self.read_rows(name, 0..n_rows(&tensor.dims))
    }

    /// Some rows of a tensor that is listed; a vector is one row.
    pub fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, ExtractError> {
        let tensor = self.listed(name)?;
        let width = tensor.dims.last().copied().unwrap_or(1);
        let (values, bytes) = tensor.encoding.block();
        let row_bytes = width / values * bytes;
        let start = tensor.start + rows.start * row_bytes;
        let place = start..tensor.start + rows.end * row_bytes;
        let mut out = vec![0.0; rows.len() * width];
        if out.is_empty() {
            return Ok(out);
        }
        let chunk_rows = (CHUNK / width.max(1)).max(1);
        let from = self.bytes(tensor.file)[place.clone()].par_chunks(chunk_rows * row_bytes);
        out.par_chunks_mut(chunk_rows * width)
            .zip(from)
            .try_for_each(|(out, from)| convert(tensor.encoding, from, width, out))?;
        self.release(tensor.file, place);
        Ok(out)
    }

    fn listed(&self, name: &str) -> Result<&Stored, ExtractError> {
        self.find(name).ok_or_else(|| {
            let path = self.files.first().map_or(Path::new(""), |(path, _)| path);
            refuse(path, format!("has no tensor `{name}`"))
        })
    }

    /// Gives converted pages back. Large reads only: small ones share their pages with neighbours.
    #[cfg(unix)]
    fn release(&self, file: usize, place: Range<usize>) {
        if place.len() >= 4 * CHUNK {
            // SAFETY: the mapping is shared, read-only and backed by its file: pages that are dropped come back with
            // the same content. Advice that the system refuses changes nothing.
            let _ = unsafe {
                self.files[file].1.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    place.start,
                    place.len(),
                )
            };
        }
    }

    #[cfg(not(unix))]
    fn release(&self, _file: usize, _place: Range<usize>) {}
}

/// Rows of a matrix; 1 for a vector.
fn n_rows(dims: &[usize]) -> usize {
    dims.split_last().map_or(1, |(_, rows)| rows.iter().product())
}

/// Whole rows of `width` values.
fn convert(encoding: Encoding, from: &[u8], width: usize, out: &mut [f32]) -> Result<(), ExtractError> {
    match encoding {
        Encoding::F32 => {
            let values = from.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
            out.iter_mut().zip(values).for_each(|(o, v)| *o = v);
        }
        Encoding::Bf16 => {
            let halves = from.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
            out.iter_mut().zip(halves).for_each(|(o, v)| *o = f32::from_bits(u32::from(v) << 16));
        }
        Encoding::F16 => {
            let halves: Vec<u16> = from.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
            halves.reinterpret_cast::<f16>().convert_to_f32_slice(out);
        }
        Encoding::Quantised(kind) => {
            let dims = vec![out.len() / width, width];
            let tensor = qtensor_from_ggml(kind, from, dims, &Device::Cpu)?.dequantize(&Device::Cpu)?;
            out.copy_from_slice(&tensor.flatten_all()?.to_vec1::<f32>()?);
        }
        Encoding::Unread { name, .. } => {
            return Err(candle_core::Error::Msg(format!("values of type {name} are not read")).into());
        }
    }
    Ok(())
}
