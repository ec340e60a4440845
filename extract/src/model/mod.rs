//! Models on candle: one file a family, weights from GGUF, attention over a token tree.

pub mod architecture;
mod attention;
mod gguf;
mod kernels;
mod llama;

use crate::backend::Backend;
use crate::error::ExtractError;
use crate::inspect::Weights;
use crate::source::ResolvedModel;
use crate::tokenizer::Tokenizer;
use architecture::Architecture;
use gguf::GgufFile;
use std::path::Path;

/// A model file that has been opened and checked, its weights not yet read.
#[derive(Debug)]
pub struct ModelFile {
    file: GgufFile,
    config: llama::Config,
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
        let config = llama::Config::read(&file)?;
        let tokenizer =
            Tokenizer::from_gguf(file.content()).map_err(|problem| refuse(&model.path, problem))?;
        if tokenizer.n_vocabulary() > config.n_vocabulary {
            let problem = format!(
                "its tokenizer has {} entries, its embedding {}",
                tokenizer.n_vocabulary(),
                config.n_vocabulary
            );
            return Err(refuse(&model.path, problem));
        }
        let blake3 = file.hash()?;
        Ok(Self { file, config, tokenizer, blake3 })
    }

    /// The model's sizes.
    pub fn shape(&self) -> crate::backend::Shape {
        self.config.shape()
    }

    /// What the model is.
    pub fn architecture(&self) -> Architecture {
        self.config.architecture()
    }

    /// How the weights are stored.
    pub fn weights(&self) -> Vec<Weights> {
        self.file.weights()
    }

    /// What the tokenizer is read from.
    pub fn tokenizer_kind(&self) -> String {
        let kind = self.file.content().metadata.get("tokenizer.ggml.model");
        let kind = kind.and_then(|v| v.to_string().ok()).map_or("unnamed", String::as_str);
        format!("{kind}, in the GGUF file")
    }

    /// Reads the weights, dequantised to f32.
    ///
    /// # Errors
    /// [`ExtractError::Model`] when a tensor is absent or has another shape than the configuration says.
    pub fn load(&self) -> Result<Box<dyn Backend>, ExtractError> {
        Ok(Box::new(llama::Llama::load(&self.file, self.config)?))
    }
}

fn refuse(path: &Path, problem: impl Into<String>) -> ExtractError {
    ExtractError::Model { path: path.to_owned(), problem: problem.into() }
}
