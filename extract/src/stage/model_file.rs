//! A model's files, opened and checked together: checkpoint and tokenizer.

use crate::error::ExtractError;
use crate::model::architecture::{Architecture, Checkpoint, Shape};
use crate::model::source::{Caches, ResolvedModel};
use crate::model::{GgufFile, StoredCheckpoint, TensorPlan, content_hash, open_directory, open_gguf, refuse};
use crate::tokenize::tokenizer::Tokenizer;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A model whose headers, configuration and tokenizer have been read and checked, its weights not yet.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    checkpoint: StoredCheckpoint,
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    content_hash: OnceLock<String>,
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
            (open_directory(path)?, Tokenizer::from_directory(path).map_err(refuse)?)
        } else {
            let file = GgufFile::open(path)?;
            let tokenizer = Tokenizer::from_gguf(file.metadata()).map_err(refuse)?;
            (open_gguf(path, file)?, tokenizer)
        };
        let n_vocabulary = checkpoint.architecture().shape.n_vocabulary;
        if tokenizer.n_vocabulary() > n_vocabulary {
            let n_tokens = tokenizer.n_vocabulary();
            let problem = format!("its tokenizer has {n_tokens} entries, its embedding {n_vocabulary}");
            return Err(refuse(problem));
        }
        Ok(Self { path: path.clone(), checkpoint, tokenizer, content_hash: OnceLock::new() })
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
    pub fn content_hash(&self) -> Result<&str, ExtractError> {
        if let Some(hash) = self.content_hash.get() {
            return Ok(hash);
        }
        let cache = Caches::from_env().ok().map(|caches| caches.own);
        let hash = content_hash(&self.path, &self.checkpoint, cache.as_deref())?;
        Ok(self.content_hash.get_or_init(|| hash))
    }
}
