//! Model files: where a model comes from, what its files hold, and what they describe.
//!
//! [`source`] finds or fetches the files, `checkpoint` reads them, `config` is what a family reads of them, `families` say what their keys mean, and
//! [`architecture`] is the description that a backend carries out. Computing with the weights is left to backends,
//! the tokenizer to `tokenize`.

pub mod architecture;
mod checkpoint;
mod config;
mod families;
pub mod source;
mod weight_names;

use crate::error::{ExtractError, ModelFileState};
use architecture::{Architecture, Checkpoint};
pub use checkpoint::GgufMetadata;
pub(crate) use checkpoint::{GgufFile, StoredCheckpoint, content_hash, open_directory, open_gguf};
use std::path::Path;

/// A tensor that the engine reads, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorPlan {
    /// Its name in the file.
    pub name: String,
    /// Rows × columns for matrices.
    pub dims: Vec<usize>,
    /// `f32`, `f16`, `bf16`, or a GGUF quantisation.
    pub encoding: String,
    /// Bytes that it takes in its file.
    pub n_bytes: usize,
}

impl TensorPlan {
    /// Number of values.
    pub fn n_values(&self) -> usize {
        self.dims.iter().product()
    }
}

/// Opens and checks a model's weights without its tokenizer.
///
/// # Errors
/// [`ExtractError::Model`] naming what is absent, malformed, truncated or not supported.
pub fn open_checkpoint(path: &Path) -> Result<Box<dyn Checkpoint>, ExtractError> {
    if path.is_dir() {
        return Ok(Box::new(checkpoint::open_directory(path)?));
    }
    Ok(Box::new(checkpoint::open_gguf(path, GgufFile::open(path)?)?))
}

/// What a `config.json` of these bytes describes, whatever weights lie beside it; `path` names it in errors.
///
/// # Errors
/// [`ExtractError::Model`] naming the key that is absent, malformed or not supported.
pub fn describe_config(path: &Path, bytes: &[u8]) -> Result<Architecture, ExtractError> {
    Ok(checkpoint::describe_config(path, bytes)?.architecture)
}

/// A file that is not what was written.
pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> ExtractError {
    ExtractError::Model { path: path.to_owned(), problem: problem.into(), state: ModelFileState::Damaged }
}

/// A file that says what this program does not carry out.
pub(crate) fn refuse(path: &Path, problem: impl Into<String>) -> ExtractError {
    ExtractError::Model { path: path.to_owned(), problem: problem.into(), state: ModelFileState::Unsupported }
}
