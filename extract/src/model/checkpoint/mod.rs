//! Checkpoints on disk: a directory with `config.json` and weight files, or a GGUF file.
//!
//! Opening reads headers and configuration, finds the family, and checks every tensor against it; it reads no weight.
//! `safetensors`, `pytorch` and `gguf` are the formats, `weight_files` chooses among a directory's, `store` maps their files and converts
//! values, `weights` puts tensors together for the engine, `hash` names the content.

mod gguf;
mod gguf_header;
mod gguf_metadata;
mod hash;
mod pytorch;
mod reorder;
mod safetensors;
mod store;
mod weight_files;
mod weights;

use gguf::GgufFamily;
pub use gguf::GgufFile;
pub use gguf_metadata::GgufMetadata;
pub use weights::StoredCheckpoint;

use super::config::Config;
use super::families::{Description, FAMILIES, Family, by_model_type};
use crate::error::ExtractError;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Files beside the weights that decide a number or an answer: the architecture, tokens, chat templates, end tokens.
const SETTINGS: &[&str] = &[
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
];

/// Opens a directory with `config.json` and weight files.
pub fn open_directory(directory: &Path) -> Result<StoredCheckpoint, ExtractError> {
    let config = Config::read(&directory.join("config.json"))?;
    let (family, description) = describe(&config)?;
    let store = weight_files::open(directory)?;
    StoredCheckpoint::new(directory.to_owned(), store, family.layout, description)
}

/// What a `config.json` of these bytes describes.
pub fn describe_config(path: &Path, bytes: &[u8]) -> Result<Description, ExtractError> {
    Ok(describe(&Config::parse(path, bytes)?)?.1)
}

/// The family of a `config.json`, and what it makes of it.
fn describe(config: &Config) -> Result<(&'static Family, Description), ExtractError> {
    let name = config.text_or("model_type", "")?;
    let Some(family) = by_model_type(name) else {
        let known: Vec<&str> = FAMILIES.iter().map(|f| f.model_type).collect();
        let accepted = format!("one of `{}`", known.join("`, `"));
        return Err(config.refuse_value("model_type", &accepted));
    };
    for class in config.list("architectures")?.unwrap_or_default() {
        if !class.as_str().is_some_and(|name| family.classes.contains(&name)) {
            let accepted = format!("`{}`", family.classes.join("` or `"));
            return Err(config.refuse_value("architectures", &accepted));
        }
    }
    // bitsandbytes, GPTQ and AWQ say the first, MLX the second (newer versions both).
    for key in ["quantization_config", "quantization"] {
        if config.given(key).is_some_and(|v| v != &Value::Bool(false)) {
            let accepted = "none: quantised weights are read from GGUF files only";
            return Err(config.refuse_value(key, accepted));
        }
    }
    let description = (family.describe)(config)?;
    config.refuse_unread(family.harmless)?;
    Ok((family, description))
}

/// Checks an opened GGUF file against its metadata.
pub fn open_gguf(path: &Path, file: GgufFile) -> Result<StoredCheckpoint, ExtractError> {
    let GgufFamily { family, form } = file.family();
    let config = file.config(form)?;
    let description = (family.describe)(&config)?;
    StoredCheckpoint::new(path.to_owned(), file.into_store(), form.layout, description)
}

/// The content hash of a model; `cache` keeps those of large files.
pub fn content_hash(
    path: &Path,
    checkpoint: &StoredCheckpoint,
    cache: Option<&Path>,
) -> Result<String, ExtractError> {
    if !path.is_dir() {
        return hash::of_file(path, cache);
    }
    let settings = SETTINGS.iter().map(|name| path.join(name)).filter(|p| p.is_file());
    let weights = checkpoint.store().paths().map(Path::to_owned);
    let mut files: Vec<PathBuf> = settings.chain(weights).collect();
    files.sort();
    hash::of_files(&files, cache)
}
