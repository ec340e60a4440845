//! What the weight files of a directory are called, by format.

use std::path::Path;

/// A format of weight files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Safetensors.
    Safetensors,
    /// What `torch.save` writes.
    Pytorch,
}

/// The names that a format's files have.
#[derive(Debug)]
pub struct WeightNames {
    /// The format.
    pub format: Format,
    /// All weights in one file.
    pub single: &'static str,
    /// Which weight is in which file.
    pub index: &'static str,
    /// How a file's name ends.
    pub extension: &'static str,
}

/// The formats, the preferred one first; in each, a single file goes before an index, as in transformers.
pub const FORMATS: [WeightNames; 2] = [
    WeightNames {
        format: Format::Safetensors,
        single: "model.safetensors",
        index: "model.safetensors.index.json",
        extension: ".safetensors",
    },
    WeightNames {
        format: Format::Pytorch,
        single: "pytorch_model.bin",
        index: "pytorch_model.bin.index.json",
        extension: ".bin",
    },
];

impl WeightNames {
    /// Whether an index may name this file: one beside it, so that nothing outside the model is opened.
    pub fn is_shard(&self, name: &str) -> bool {
        let is_plain = Path::new(name).file_name().is_some_and(|n| n.to_str() == Some(name));
        is_plain && !name.contains('\\') && name.ends_with(self.extension)
    }
}
