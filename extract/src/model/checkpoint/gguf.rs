//! GGUF files: tensors by place and encoding, metadata under the keys of `config.json`.
//!
//! Metadata of the file's architecture that no family asked for is refused like unknown keys of `config.json`; what
//! converters leave out because llama.cpp knows it is put back from [`GgufForm::implied`].

use super::super::families::{FAMILIES, Family, GgufForm, Implied, by_gguf_architecture};
use super::super::refuse;
use super::gguf_metadata::{GgufMetadata, number, read_header};
use super::store::{Encoding, Store, Stored};
use crate::error::ExtractError;
use crate::model::config::Config;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{TensorInfo, Value as Entry};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Architecture keys that are read here or change no number.
const READ_HERE: &[&str] = &[
    "vocab_size",
    "attention.key_length",
    "attention.value_length",
    "attention.causal",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.attn_factor",
    "rope.scaling.finetuned",
    "tensor_data_layout",
];

/// An opened GGUF file.
pub struct GgufFile {
    store: Store,
    metadata: GgufMetadata,
    family: GgufFamily,
    /// `general.architecture`.
    pub architecture: String,
}

impl GgufFile {
    /// Reads the header and checks that every tensor lies inside the file.
    pub fn open(path: &Path) -> Result<Self, ExtractError> {
        let mut store = Store::default();
        let file = store.map(path)?;
        let content = read_header(path, store.bytes(file))?;
        let metadata = GgufMetadata::new(content.metadata);
        // Only the first part of several has the model's metadata.
        if let Some(n_parts) = metadata.value("split.count").and_then(number).filter(|n| *n > 1.0) {
            let problem = format!(
                "is one of {n_parts} parts of a model; `llama-gguf-split --merge FIRST-PART WHOLE.gguf` makes one file of \
                 them"
            );
            return Err(refuse(path, problem));
        }
        let Some(architecture) = metadata.text("general.architecture").map(str::to_owned) else {
            return Err(refuse(path, "has no `general.architecture`"));
        };
        let family = find_family(path, &architecture)?;
        add_tensors(&mut store, file, &content.tensor_infos, content.tensor_data_offset)?;
        Ok(Self { store, metadata, architecture, family })
    }

    /// The family of its architecture.
    pub fn family(&self) -> GgufFamily {
        self.family
    }

    /// The header's metadata, for the tokenizer.
    pub fn metadata(&self) -> &GgufMetadata {
        &self.metadata
    }

    /// Gives up the header and keeps the tensors.
    pub fn into_store(self) -> Store {
        self.store
    }

    fn refuse(&self, problem: impl Into<String>) -> ExtractError {
        refuse(self.store.path(0), problem)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.metadata.value(&format!("{}.{key}", self.architecture))
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.entry(key).and_then(number)
    }

    /// The metadata as a family reads it.
    pub fn config(&self, form: &GgufForm) -> Result<Config, ExtractError> {
        self.refuse_unknown(form)?;
        let mut values = Map::new();
        let mut spelling = BTreeMap::new();
        for (own, key) in form.keys.iter().copied().flatten() {
            spelling.insert(*key, format!("{}.{own}", self.architecture));
            // A window of 0 is none.
            let off = *own == "attention.sliding_window" && self.number(own) == Some(0.0);
            if let Some(entry) = self.entry(own).filter(|_| !off) {
                values.insert((*key).to_owned(), json_of(entry));
            } else if off {
                values.insert((*key).to_owned(), Value::Null);
            }
        }
        let n_vocabulary = self.store.find("token_embd.weight").and_then(|t| t.dims.first()).copied();
        values.insert("vocab_size".to_owned(), json!(n_vocabulary));
        // What no metadata says shows in the tensors.
        let has = |name: &str| self.store.find(name).is_some();
        let found = [
            ("attention_bias", has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias")),
            ("mlp_bias", has("blk.0.ffn_up.bias")),
            ("tie_word_embeddings", !has("output.weight")),
        ];
        values.extend(found.map(|(key, flag)| (key.to_owned(), json!(flag))));
        for (key, implied) in form.implied {
            let value = self.implied(*implied);
            values.entry(*key).or_insert(value);
        }
        if let Some(scaling) = self.rope_scaling()? {
            values.insert("rope_scaling".to_owned(), scaling);
        }
        let mut config = Config::new(self.store.path(0), values, spelling);
        config.rotary_width = self.whole("rope.dimension_count")?;
        if self.store.find("rope_freqs.weight").is_some() {
            config.rotary_divisors = Some(self.store.read("rope_freqs.weight")?);
        }
        Ok(config)
    }

    /// Refuses metadata of this architecture that nothing asks for, and those that say what is not carried out.
    fn refuse_unknown(&self, form: &GgufForm) -> Result<(), ExtractError> {
        let prefix = format!("{}.", self.architecture);
        for (key, value) in self.metadata.below(&prefix) {
            let known =
                READ_HERE.contains(&key) || form.keys.iter().copied().flatten().any(|(own, _)| *own == key);
            let says_nothing = match value {
                Entry::Bool(flag) => !flag,
                other => number(other) == Some(0.0),
            };
            if !known && !says_nothing {
                let problem = format!("it uses `{prefix}{key}`, which this family's code does not carry out");
                return Err(self.refuse(problem));
            }
        }
        if matches!(self.entry("attention.causal"), Some(Entry::Bool(false))) {
            return Err(self.refuse(format!("`{prefix}attention.causal` is false; expected true")));
        }
        let (key, value) = (self.whole("attention.key_length")?, self.whole("attention.value_length")?);
        if key != value {
            let problem =
                format!("`{prefix}attention.key_length` and `value_length` differ: {key:?}, {value:?}");
            return Err(self.refuse(problem));
        }
        Ok(())
    }

    fn whole(&self, key: &str) -> Result<Option<usize>, ExtractError> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        match number(entry).filter(|n| n.fract() == 0.0 && (1.0..=16_777_216.0).contains(n)) {
            Some(n) => Ok(Some(n as usize)),
            None => Err(self.refuse(format!("has no usable `{}.{key}`", self.architecture))),
        }
    }

    fn implied(&self, implied: Implied) -> Value {
        match implied {
            Implied::GemmaScoreScalar => {
                let share = self.number("embedding_length").zip(self.number("attention.head_count"));
                if self.number("block_count") == Some(GEMMA2_27B_BLOCKS) {
                    json!(share.map(|(d, n)| d / n))
                } else {
                    json!(self.number("attention.key_length"))
                }
            }
        }
    }

    /// `rope.scaling.*` and the factor tensors of Phi-3 as `config.json` would say them.
    fn rope_scaling(&self) -> Result<Option<Value>, ExtractError> {
        let original = self.number("rope.scaling.original_context_length");
        let factor = self.number("rope.scaling.factor");
        if self.store.find("rope_factors_short.weight").is_some() {
            let factors = self.store.read("rope_factors_short.weight")?;
            let magnitude = self.number("rope.scaling.attn_factor");
            return Ok(Some(json!({
                "rope_type": "longrope", "short_factor": factors, "attention_factor": magnitude,
            })));
        }
        if self.number("rope.scaling.attn_factor").is_some_and(|f| f != 1.0) {
            let problem = "it uses `rope.scaling.attn_factor` without `rope_factors_short.weight`";
            return Err(self.refuse(problem));
        }
        match self.entry("rope.scaling.type") {
            None if factor.is_some_and(|f| f != 1.0) => {
                Err(self.refuse("has `rope.scaling.factor` without `rope.scaling.type`"))
            }
            None => Ok(None),
            Some(Entry::String(kind)) if kind == "none" => Ok(None),
            Some(Entry::String(kind)) if kind == "linear" => {
                Ok(Some(json!({"rope_type": kind, "factor": factor})))
            }
            Some(Entry::String(kind)) => Ok(Some(json!({
                "rope_type": kind, "factor": factor, "original_max_position_embeddings": original,
            }))),
            Some(_) => Err(self.refuse("has no usable `rope.scaling.type`")),
        }
    }
}

/// A family, and how GGUF files say it.
#[derive(Clone, Copy)]
pub struct GgufFamily {
    /// The family.
    pub family: &'static Family,
    /// Its form in GGUF files.
    pub form: &'static GgufForm,
}

fn find_family(path: &Path, architecture: &str) -> Result<GgufFamily, ExtractError> {
    if let Some((family, form)) = by_gguf_architecture(architecture) {
        return Ok(GgufFamily { family, form });
    }
    let known = FAMILIES.iter().filter_map(|f| f.gguf.as_ref()).map(|g| g.architecture);
    let known = known.collect::<Vec<_>>().join("`, `");
    Err(refuse(path, format!("its architecture is `{architecture}`; expected one of `{known}`")))
}

/// Blocks by which llama.cpp tells Gemma 2's largest model from the others.
const GEMMA2_27B_BLOCKS: f64 = 46.0;

fn add_tensors(
    store: &mut Store,
    file: usize,
    tensor_infos: &HashMap<String, TensorInfo>,
    data_offset: u64,
) -> Result<(), ExtractError> {
    let path = store.path(file).to_owned();
    for (name, info) in tensor_infos {
        let encoding = match info.ggml_dtype {
            GgmlDType::F32 => Encoding::F32,
            GgmlDType::F16 => Encoding::F16,
            GgmlDType::BF16 => Encoding::Bf16,
            kind => Encoding::Quantised(kind),
        };
        // Blocks are read in place and hold 16- and 32-bit numbers.
        let start = data_offset.checked_add(info.offset);
        let start = start.filter(|s| s.is_multiple_of(8)).and_then(|s| usize::try_from(s).ok());
        let Some(start) = start else {
            return Err(refuse(
                &path,
                format!("puts tensor `{name}` at an impossible place, {}", info.offset),
            ));
        };
        store.add(name.clone(), Stored { file, start, dims: info.shape.dims().to_vec(), encoding })?;
    }
    Ok(())
}

fn json_of(entry: &Entry) -> Value {
    match entry {
        Entry::Bool(flag) => json!(flag),
        Entry::String(text) => json!(text),
        // f32 settings are meant as the decimal that they came from, e.g. 1e-5.
        Entry::F32(v) => v.to_string().parse::<f64>().map_or(Value::Null, |v| json!(v)),
        other => number(other).map_or_else(|| json!("an array or a negative number"), |v| json!(v)),
    }
}
