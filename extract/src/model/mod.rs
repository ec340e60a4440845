//! Models on candle: checkpoints are opened and described here, then carried out by the engine.
//!
//! `checkpoint` reads files, `families` says what they mean, `architecture` is the description that both agree on.

pub mod architecture;
mod checkpoint;
mod engine;
mod families;

use crate::backend::{Backend, Shape};
use crate::error::ExtractError;
use crate::source::{Caches, ResolvedModel};
use crate::tokenizer::Tokenizer;
use architecture::{Architecture, Checkpoint};
use checkpoint::{GgufFile, StoredCheckpoint};
pub use engine::{Placement, TAIL_TILE, WeightBytes, n_lanes, product_flop_per_second, row_bytes};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A model whose headers, configuration and tokenizer have been read and checked, its weights not yet.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    checkpoint: StoredCheckpoint,
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    blake3: OnceLock<String>,
}

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

impl ModelFile {
    /// Opens a model and checks that this program can run it exactly as it is. Weights are not read.
    ///
    /// # Errors
    /// [`ExtractError::Model`] naming what is absent, malformed, truncated or not supported.
    pub fn open(model: &ResolvedModel) -> Result<Self, ExtractError> {
        let path = &model.path;
        let refuse = |problem| refuse(path, problem);
        let (checkpoint, tokenizer) = if path.is_dir() {
            (checkpoint::open_directory(path)?, Tokenizer::from_directory(path).map_err(refuse)?)
        } else {
            let file = GgufFile::open(path)?;
            let tokenizer = Tokenizer::from_gguf(file.content()).map_err(refuse)?;
            (checkpoint::open_gguf(path, file)?, tokenizer)
        };
        let n_vocabulary = checkpoint.architecture().shape.n_vocabulary;
        if tokenizer.n_vocabulary() > n_vocabulary {
            let n_tokens = tokenizer.n_vocabulary();
            let problem = format!("its tokenizer has {n_tokens} entries, its embedding {n_vocabulary}");
            return Err(refuse(problem));
        }
        Ok(Self { path: path.clone(), checkpoint, tokenizer, blake3: OnceLock::new() })
    }

    /// What the model is.
    pub fn architecture(&self) -> &Architecture {
        self.checkpoint.architecture()
    }

    /// The model's sizes.
    pub fn shape(&self) -> Shape {
        self.architecture().shape
    }

    /// The weights, read when they are asked for.
    pub fn checkpoint(&self) -> &dyn Checkpoint {
        &self.checkpoint
    }

    /// Every tensor that the engine reads, by name.
    pub fn tensors(&self) -> Vec<TensorPlan> {
        self.checkpoint.plan()
    }

    /// BLAKE3 of the model's files, hex. Reads them all, unless the user's cache has the hash of the large ones.
    ///
    /// # Errors
    /// [`ExtractError::Model`] when a file cannot be read.
    pub fn blake3(&self) -> Result<&str, ExtractError> {
        if let Some(hash) = self.blake3.get() {
            return Ok(hash);
        }
        let cache = Caches::from_env().ok().map(|caches| caches.own);
        let hash = checkpoint::content_hash(&self.path, &self.checkpoint, cache.as_deref())?;
        Ok(self.blake3.get_or_init(|| hash))
    }

    /// The model, ready to read; weights that are to stay in memory are read now, as f32.
    ///
    /// # Errors
    /// [`ExtractError::Model`] when a file cannot be read.
    pub fn load(&self, placement: Placement) -> Result<Box<dyn Backend + '_>, ExtractError> {
        load(&self.checkpoint, placement)
    }
}

/// A checkpoint, ready to read prompts.
///
/// # Errors
/// As [`ModelFile::load`].
pub fn load(
    checkpoint: &dyn Checkpoint,
    placement: Placement,
) -> Result<Box<dyn Backend + '_>, ExtractError> {
    Ok(Box::new(engine::Engine::load(checkpoint, placement)?))
}

/// Opens and checks a model's weights without its tokenizer.
///
/// # Errors
/// As [`ModelFile::open`].
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

fn refuse(path: &Path, problem: impl Into<String>) -> ExtractError {
    ExtractError::Model { path: path.to_owned(), problem: problem.into() }
}
