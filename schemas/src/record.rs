//! The record that a commit holds beside its files: typed and versioned, one kind a stage.
//!
//! A record explains the files (settings, model, timings) and holds the fields that later stages read. A record
//! of another version than this program's is refused.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Version of every record's layout in this file; raised when a field changes its name, type or meaning.
const VERSION: u32 = 1;

/// The version that a record is written with. No other is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct RecordVersion;

impl From<RecordVersion> for u32 {
    fn from(_: RecordVersion) -> Self {
        VERSION
    }
}

impl TryFrom<u32> for RecordVersion {
    type Error = String;

    fn try_from(found: u32) -> Result<Self, String> {
        match found {
            VERSION => Ok(Self),
            _ => Err(format!("its details have version {found}, this program reads version {VERSION}")),
        }
    }
}

/// The record of one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Record {
    /// Of the ingest stage.
    Ingest(IngestRecord),
    /// Of the extract stage.
    Extract(Box<ExtractRecord>),
    /// Of the analyze stage.
    Analyze(AnalyzeRecord),
}

/// The origin of a task's prompts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IngestRecord {
    /// The record's layout.
    pub version: RecordVersion,
    /// A generator with its settings, or a file's format and hash.
    pub source: Value,
    /// Prompts written.
    pub n_prompts: usize,
    /// Digest of what a model is asked of them; empty where an earlier version wrote the record.
    #[serde(default)]
    pub prompts_digest: String,
    /// Wall time.
    pub elapsed_ms: u64,
}

/// The origin of one shard of an extraction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExtractRecord {
    /// The record's layout.
    pub version: RecordVersion,
    /// Hash of all shards' keys: equal in the shards of one run.
    pub run_key: String,
    /// Number of the shard's slot.
    pub shard: u32,
    /// Shards of the run.
    pub n_shards: u32,
    /// Digest of what the model was asked of all prompts of the task, as the ingest's record has it.
    #[serde(default)]
    pub prompts_digest: String,
    /// Prompts of this shard.
    pub n_prompts: usize,
    /// Tokens of this shard when each shared beginning counts once.
    pub n_unique_tokens: usize,
    /// The model.
    pub model: ModelRecord,
    /// The backend that computed the shard.
    pub backend: BackendId,
    /// The stage's settings.
    pub settings: Value,
    /// Source of the chat template that prompts were rendered with, if any.
    pub chat_template: Option<String>,
    /// The stage's code version.
    pub code_version: u32,
    /// Seconds for reading and packing weights before this shard.
    pub load_s: f64,
    /// Seconds for computing and writing the shard.
    pub elapsed_s: f64,
    /// Seconds by kind of work.
    pub profile_s: BTreeMap<String, f64>,
    /// Floating-point operations of the linear layers.
    pub linear_flop: f64,
}

/// A model, as a commit names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Name in the lake's partitions.
    pub name: String,
    /// Source of the model, e.g. a path, or a repository of the hub and its commit.
    pub source: String,
    /// BLAKE3 of every file that decides a number or an answer, hex.
    pub content_hash: String,
    /// Transformer blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads of a block.
    pub n_heads: usize,
    /// Entries of the vocabulary.
    pub n_vocabulary: usize,
}

/// The backend of a forward pass. Every field can change a number's last digits, so all of them are part of a shard's
/// key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendId {
    /// Name of the backend, e.g. `cpu`.
    pub name: String,
    /// The device that computes.
    pub device: String,
    /// Type of the numbers computed with.
    pub dtype: String,
    /// Raised when the backend would give other numbers than before.
    pub version: u32,
}

/// The origin of the results of a question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnalyzeRecord {
    /// The record's layout.
    pub version: RecordVersion,
    /// Hash of the digests of all files that were read.
    pub inputs_key: String,
    /// Files that were read.
    pub n_inputs: usize,
    /// The settings that the results depend on.
    pub settings: Value,
    /// Arguments of the command line that name the study from any directory, empty for the built-in one; none where an
    /// earlier version wrote the record. They are for hints and decide no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study_arguments: Option<String>,
    /// The analysis' code version.
    pub code_version: u32,
    /// Wall time.
    pub elapsed_ms: u64,
}

impl Record {
    /// The record of the ingest stage, if this is one.
    pub fn as_ingest(&self) -> Option<&IngestRecord> {
        if let Self::Ingest(record) = self { Some(record) } else { None }
    }

    /// The record of the extract stage, if this is one.
    pub fn as_extract(&self) -> Option<&ExtractRecord> {
        if let Self::Extract(record) = self { Some(record) } else { None }
    }

    /// The record of the analyze stage, if this is one.
    pub fn as_analyze(&self) -> Option<&AnalyzeRecord> {
        if let Self::Analyze(record) = self { Some(record) } else { None }
    }

    /// The record as JSON, for people.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a record's maps have text for keys")
    }
}
