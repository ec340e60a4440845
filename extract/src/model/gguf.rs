//! Opening a GGUF file: metadata by key, tensors by name, and a check that the file holds what it lists.

use super::refuse;
use crate::error::ExtractError;
use crate::inspect::Weights;
use crate::tokenizer::unsigned;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// An opened GGUF file.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    content: Content,
    architecture: String,
}

impl GgufFile {
    /// Reads the header and checks that every tensor lies inside the file.
    pub fn open(path: &Path) -> Result<Self, ExtractError> {
        let unreadable = |e: std::io::Error| refuse(path, format!("cannot be opened: {e}"));
        let file = File::open(path).map_err(unreadable)?;
        let n_bytes = file.metadata().map_err(unreadable)?.len();
        let content = Content::read(&mut BufReader::new(file))
            .map_err(|e| refuse(path, format!("is not a readable GGUF file: {}", first_line(&e))))?;
        check_extents(path, &content, n_bytes)?;
        let architecture = match content.metadata.get("general.architecture") {
            Some(Value::String(name)) => name.clone(),
            _ => return Err(refuse(path, "has no `general.architecture`")),
        };
        Ok(Self { path: path.to_owned(), content, architecture })
    }

    /// The header.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// `general.architecture`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// An error about this file.
    pub fn refuse(&self, problem: impl Into<String>) -> ExtractError {
        refuse(&self.path, problem)
    }

    /// BLAKE3 of the whole file, hex.
    pub fn hash(&self) -> Result<String, ExtractError> {
        let mut hasher = blake3::Hasher::new();
        let file = File::open(&self.path).map_err(|e| self.refuse(format!("cannot be opened: {e}")))?;
        hasher.update_reader(file).map_err(|e| self.refuse(format!("cannot be read: {e}")))?;
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// An architecture key's value, e.g. `block_count` for `llama.block_count`, if present.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.content.metadata.get(&format!("{}.{key}", self.architecture))
    }

    /// A whole number under an architecture key.
    pub fn count(&self, key: &str) -> Result<usize, ExtractError> {
        self.value(key)
            .and_then(unsigned)
            .and_then(|v| usize::try_from(v).ok())
            .filter(|v| *v > 0)
            .ok_or_else(|| self.refuse(format!("has no usable `{}.{key}`", self.architecture)))
    }

    /// A float under an architecture key.
    pub fn float(&self, key: &str) -> Result<f32, ExtractError> {
        match self.value(key) {
            Some(Value::F32(v)) if v.is_finite() => Ok(*v),
            Some(Value::F64(v)) if v.is_finite() => Ok(*v as f32),
            _ => Err(self.refuse(format!("has no usable `{}.{key}`", self.architecture))),
        }
    }

    /// How the weights are stored: each type of number with how much of it there is.
    pub fn weights(&self) -> Vec<Weights> {
        let mut found: BTreeMap<String, Weights> = BTreeMap::new();
        for info in self.content.tensor_infos.values() {
            let dtype = format!("{:?}", info.ggml_dtype);
            let n = info.shape.elem_count();
            let n_bytes = n / info.ggml_dtype.block_size() * info.ggml_dtype.type_size();
            let weights = found.entry(dtype.clone()).or_insert(Weights::none(dtype));
            weights.add(n as u64, n_bytes as u64);
        }
        found.into_values().collect()
    }

    /// Whether the file has this tensor.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A tensor's shape, as rows × columns for matrices.
    pub fn dims(&self, name: &str) -> Result<Vec<usize>, ExtractError> {
        let info = self.content.tensor_infos.get(name);
        info.map(|i| i.shape.dims().to_vec()).ok_or_else(|| self.refuse(format!("has no tensor `{name}`")))
    }

    /// A tensor dequantised to f32 on the CPU, refused unless its shape is `dims`.
    pub fn tensor(&self, name: &str, dims: &[usize]) -> Result<Tensor, ExtractError> {
        let found = self.dims(name)?;
        if found != dims {
            return Err(
                self.refuse(format!("tensor `{name}` is {found:?}, the configuration asks for {dims:?}"))
            );
        }
        let file = File::open(&self.path).map_err(|e| self.refuse(format!("cannot be opened: {e}")))?;
        let quantised = self.content.tensor(&mut BufReader::new(file), name, &Device::Cpu)?;
        Ok(quantised.dequantize(&Device::Cpu)?)
    }
}

fn check_extents(path: &Path, content: &Content, n_bytes: u64) -> Result<(), ExtractError> {
    for (name, info) in &content.tensor_infos {
        let block = info.ggml_dtype.block_size();
        let elements = info.shape.dims().iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        let end = elements
            .filter(|n| n.is_multiple_of(block))
            .and_then(|n| (n / block).checked_mul(info.ggml_dtype.type_size()))
            .and_then(|size| (size as u64).checked_add(info.offset))
            .and_then(|size| size.checked_add(content.tensor_data_offset));
        match end {
            Some(end) if end <= n_bytes => {}
            Some(end) => {
                let problem =
                    format!("is truncated: tensor `{name}` ends at byte {end}, the file has {n_bytes}");
                return Err(refuse(path, problem));
            }
            None => return Err(refuse(path, format!("tensor `{name}` has an impossible size"))),
        }
    }
    Ok(())
}

/// candle's errors carry a backtrace after their first line.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
