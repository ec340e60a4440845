//! Models on candle: one file a family, weights from GGUF, attention over a token tree.

pub mod architecture;
mod engine;
mod gguf;
mod llama;

use crate::backend::Backend;
use crate::error::ExtractError;
use crate::source::ResolvedModel;
use crate::tokenizer::Tokenizer;
use architecture::Checkpoint;
use gguf::GgufFile;
use std::path::Path;

/// A model file that has been opened and checked, its weights not yet read.
#[derive(Debug)]
pub struct ModelFile {
    file: llama::Llama,
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    /// BLAKE3 of the file, hex.
    pub blake3: String,
}

impl ModelFile {
    /// Opens a model and checks that this program can run it exactly as it is.
    ///
    /// # Errors
    /// [`ExtractError::Model`] naming what is absent, malformed, truncated or not supported.
    pub fn open(model: &ResolvedModel) -> Result<Self, ExtractError> {
        if model.path.is_dir() {
            let problem = "directories of safetensors are not supported in this version; give a `.gguf` file";
            return Err(refuse(&model.path, problem));
        }
        let file = GgufFile::open(&model.path)?;
        let tokenizer =
            Tokenizer::from_gguf(file.content()).map_err(|problem| refuse(&model.path, problem))?;
        let file = llama::Llama::open(file)?;
        if tokenizer.n_vocabulary() > file.architecture().shape.n_vocabulary {
            let problem = format!(
                "its tokenizer has {} entries, its embedding {}",
                tokenizer.n_vocabulary(),
                file.architecture().shape.n_vocabulary
            );
            return Err(refuse(&model.path, problem));
        }
        let blake3 = file.hash()?;
        Ok(Self { file, tokenizer, blake3 })
    }

    /// The model's sizes.
    pub fn shape(&self) -> crate::backend::Shape {
        self.file.architecture().shape
    }

    /// Reads the weights, dequantised to f32.
    ///
    /// # Errors
    /// [`ExtractError::Model`] when a tensor is absent or has another shape than the configuration says.
    pub fn load(&self) -> Result<Box<dyn Backend + '_>, ExtractError> {
        Ok(Box::new(engine::Engine::load(&self.file, engine::Placement::Resident)?))
    }
}

fn refuse(path: &Path, problem: impl Into<String>) -> ExtractError {
    ExtractError::Model { path: path.to_owned(), problem: problem.into() }
}
