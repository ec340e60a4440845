//! What a model is, and what an extraction with it would take, without reading its weights.

use crate::error::ExtractError;
use crate::model::architecture::Architecture;
use crate::model::refuse;
use crate::model::source::ResolvedModel;
use crate::stage::ModelFile;
use crate::stage::forecast::{Forecast, forecast};
use crate::stage::settings::Settings;
use hypercolumn_schemas::Lake;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Everything about a model that can be known before it runs.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Name of the model's partitions.
    pub name: String,
    /// Where it came from; of the hub's models, the commit.
    pub source: String,
    /// The GGUF file or the model's directory.
    pub path: PathBuf,
    /// BLAKE3 of the content, hex: part of every extraction's key.
    pub blake3: String,
    /// Bytes of the file, or of the directory's safetensors.
    pub n_bytes: u64,
    /// Weights, each counted once as it is stored.
    pub n_parameters: u64,
    /// How they are stored.
    pub weights: Vec<Weights>,
    /// The model's sizes.
    #[serde(flatten)]
    pub sizes: Sizes,
    /// Its tokenizer.
    pub tokenizer: TokenizerFacts,
    /// What an extraction would take, where a task was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

/// A model's sizes.
#[derive(Clone, Debug, Serialize)]
pub struct Sizes {
    /// Family of the architecture.
    pub family: String,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width between the two matrices of a feed-forward part.
    pub d_mlp: usize,
    /// Query heads of a block.
    pub n_heads: usize,
    /// Key and value heads of a block.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Rows of the embedding.
    pub n_vocabulary: usize,
    /// Longest sequence, in tokens.
    pub n_ctx: usize,
}

/// Weights stored as one type of number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weights {
    /// The type: F32, BF16, Q4_0, …
    pub dtype: String,
    /// Tensors.
    pub n_tensors: u64,
    /// Numbers in them.
    pub n_parameters: u64,
    /// Bytes that they take in the file.
    pub n_bytes: u64,
}

/// What is known of a tokenizer.
#[derive(Clone, Debug, Serialize)]
pub struct TokenizerFacts {
    /// What it is read from.
    pub kind: String,
    /// Token ids.
    pub n_vocabulary: usize,
    /// Pieces that stand around every text (BOS, EOS).
    pub around: Vec<String>,
}

impl Weights {
    /// No weights of a type yet.
    pub fn none(dtype: String) -> Self {
        Self { dtype, n_tensors: 0, n_parameters: 0, n_bytes: 0 }
    }

    /// Counts one tensor more.
    pub fn add(&mut self, n_parameters: u64, n_bytes: u64) {
        self.n_tensors += 1;
        self.n_parameters += n_parameters;
        self.n_bytes += n_bytes;
    }
}

impl From<&Architecture> for Sizes {
    fn from(architecture: &Architecture) -> Self {
        let shape = architecture.shape;
        Self {
            family: architecture.family.to_owned(),
            n_layers: shape.n_layers,
            d_model: shape.d_model,
            d_mlp: architecture.d_mlp,
            n_heads: shape.n_heads,
            n_kv_heads: architecture.n_kv_heads,
            head_dim: architecture.head_dim,
            n_vocabulary: shape.n_vocabulary,
            n_ctx: shape.n_ctx,
        }
    }
}

/// Opens a model and says what it is; with a task of a lake, also what extracting it would take.
///
/// # Errors
/// [`ExtractError::Model`] where the model cannot be used, [`ExtractError::UnknownTask`] and others where
/// the task's prompts cannot be read.
pub fn inspect(
    model: &ResolvedModel,
    task: Option<(&Lake, &str, &Settings)>,
) -> Result<Inspection, ExtractError> {
    let file = ModelFile::open(model)?;
    let architecture = file.architecture();
    let weights = weights_of(&file);
    let n_parameters = weights.iter().map(|w| w.n_parameters).sum();
    let forecast = task.map(|(lake, task, settings)| forecast(lake, task, settings, &file)).transpose()?;
    let around = file.tokenizer.encode("").map(|encoding| file.tokenizer.pieces(&encoding.ids));
    let around = around.map_err(|problem| refuse(&model.path, problem))?;
    Ok(Inspection {
        name: model.name.clone(),
        source: model.source.clone(),
        path: model.path.clone(),
        n_bytes: size(&model.path),
        n_parameters,
        weights,
        sizes: Sizes::from(architecture),
        tokenizer: TokenizerFacts {
            kind: tokenizer_kind(&model.path).to_owned(),
            n_vocabulary: file.tokenizer.n_vocabulary(),
            around,
        },
        blake3: file.content_hash()?.to_owned(),
        forecast,
    })
}

/// The tensors that a run reads, by how they are stored.
fn weights_of(file: &ModelFile) -> Vec<Weights> {
    let mut by_type: BTreeMap<String, Weights> = BTreeMap::new();
    for tensor in file.tensors() {
        let weights = by_type.entry(tensor.encoding.clone()).or_insert_with_key(|k| Weights::none(k.clone()));
        weights.add(tensor.n_values() as u64, tensor.n_bytes as u64);
    }
    by_type.into_values().collect()
}

/// What the tokenizer is read from.
fn tokenizer_kind(path: &Path) -> &'static str {
    match path.is_dir() {
        true if path.join("tokenizer.json").is_file() => "tokenizer.json",
        true => "tokenizer.model (SentencePiece)",
        false => "in the GGUF file",
    }
}

/// Bytes of a file, or of a directory's safetensors.
fn size(path: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |m| m.len());
    let Ok(entries) = fs::read_dir(path) else { return length(path) };
    let paths = entries.filter_map(Result::ok).map(|e| e.path());
    paths.filter(|p| p.extension().is_some_and(|e| e == "safetensors")).map(|p| length(&p)).sum()
}
