//! A checkpoint's configuration as a family reads it: `config.json`, or a GGUF file's metadata under the same keys.
//!
//! Every key that a family asks for is remembered. What is left over at the end must be known not to change a
//! number ([`HARMLESS`], or the family's own list) or say nothing (`null`, `false`, empty); any other key is
//! refused by name, because transformers may have learned an option that is not carried out here. What a key means
//! is left to the families.

use super::refuse;
use crate::error::ExtractError;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Largest `config.json` that is read, in bytes; published ones have a few thousand.
const LARGEST_FILE: u64 = 16 << 20;

/// No size in a configuration is larger; what is derived from one stays far from overflow.
const LARGEST_COUNT: u64 = 1 << 24;

/// Keys without influence on hidden states, attention and logits: provenance, training, generation, storage.
const HARMLESS: &[&str] = &[
    "architectures",
    "attn_implementation",
    "auto_map",
    "cache_implementation",
    "chunk_size_feed_forward",
    "diversity_penalty",
    "custom_pipeline",
    "custom_pipelines",
    "do_sample",
    "dtype",
    "encoder_no_repeat_ngram_size",
    "finetuning_task",
    "gradient_checkpointing",
    "id2label",
    "initializer_range",
    "label2id",
    "length_penalty",
    "max_length",
    "max_new_tokens",
    "max_sequence_length",
    "min_length",
    "model_max_length",
    "model_type",
    "n_ctx",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_scores",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "task_specific_params",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "typical_p",
    "use_cache",
    "use_return_dict",
    // How sums are split over devices: transformers no longer reads it.
    "pretraining_tp",
];

/// Beginnings of harmless keys: private notes of transformers and of fine-tuning tools.
const HARMLESS_BEGINNINGS: &[&str] = &["_", "summary_", "transformers", "unsloth_"];

/// Ends of harmless keys: special tokens, which the tokenizer adds, and dropout, which only training uses.
const HARMLESS_ENDS: &[&str] = &["_token_id", "dropout", "dropout_prob", "_pdrop"];

/// A configuration and where it was read.
#[derive(Debug)]
pub struct Config {
    path: PathBuf,
    values: Map<String, Value>,
    /// The file's own spelling of a key, where it differs.
    spelling: BTreeMap<&'static str, String>,
    read: RefCell<BTreeSet<&'static str>>,
    /// Divisors of rotary frequencies that a GGUF file holds as a tensor.
    pub rotary_divisors: Option<Vec<f32>>,
    /// Rotated dimensions of a head, where a GGUF file gives their number in place of a share.
    pub rotary_width: Option<usize>,
}

impl Config {
    /// Reads `config.json`.
    pub fn read(path: &Path) -> Result<Self, ExtractError> {
        Self::parse(path, &read_bounded(path, LARGEST_FILE)?)
    }

    /// Takes the bytes of a `config.json`; `path` names it in errors.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ExtractError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(values)) => Ok(Self::new(path, values, BTreeMap::new())),
            Ok(_) => Err(refuse(path, "is not a JSON object")),
            Err(e) => Err(refuse(path, format!("is not JSON: {e}"))),
        }
    }

    /// A configuration of `values`; `spelling` gives the file's own names of keys, for messages.
    pub fn new(path: &Path, values: Map<String, Value>, spelling: BTreeMap<&'static str, String>) -> Self {
        let read = RefCell::default();
        Self { path: path.to_owned(), values, spelling, read, rotary_divisors: None, rotary_width: None }
    }

    /// An error about this file.
    pub fn refuse(&self, problem: impl Into<String>) -> ExtractError {
        refuse(&self.path, problem)
    }

    /// An error about one key, which says what would be accepted.
    pub fn refuse_value(&self, key: &'static str, accepted: &str) -> ExtractError {
        match self.values.get(key) {
            Some(value) => {
                self.refuse(format!("`{}` is {}; expected {accepted}", self.spelled(key), shown(value)))
            }
            None => self.refuse(format!("has no `{}`; expected {accepted}", self.spelled(key))),
        }
    }

    fn spelled(&self, key: &'static str) -> &str {
        self.spelling.get(key).map_or(key, String::as_str)
    }

    /// A key's value, remembered as read; `null` is a value.
    pub fn value(&self, key: &'static str) -> Option<&Value> {
        self.read.borrow_mut().insert(key);
        self.values.get(key)
    }

    /// A key's value unless it is absent or `null`.
    pub fn given(&self, key: &'static str) -> Option<&Value> {
        self.value(key).filter(|v| !v.is_null())
    }

    /// A whole number from 1 on.
    pub fn count(&self, key: &'static str) -> Result<usize, ExtractError> {
        self.value(key).and_then(whole).ok_or_else(|| self.refuse_value(key, "a whole number from 1 on"))
    }

    /// As [`Config::count`], `default` where the key is absent or `null`.
    pub fn count_or(&self, key: &'static str, default: usize) -> Result<usize, ExtractError> {
        if self.given(key).is_some() { self.count(key) } else { Ok(default) }
    }

    /// A whole number that `null` turns off; `absent` is what a missing key stands for.
    pub fn optional_count(
        &self,
        key: &'static str,
        absent: Option<usize>,
    ) -> Result<Option<usize>, ExtractError> {
        match self.value(key) {
            None => Ok(absent),
            Some(Value::Null) => Ok(None),
            Some(_) => self.count(key).map(Some),
        }
    }

    /// A positive number, `default` where the key is absent or `null`.
    pub fn positive_or(&self, key: &'static str, default: f64) -> Result<f64, ExtractError> {
        if self.given(key).is_some() { self.positive(key) } else { Ok(default) }
    }

    /// A positive number that `null` turns off; `absent` is what a missing key stands for.
    pub fn optional_positive(
        &self,
        key: &'static str,
        absent: Option<f64>,
    ) -> Result<Option<f64>, ExtractError> {
        match self.value(key) {
            None => Ok(absent),
            Some(Value::Null) => Ok(None),
            Some(_) => self.positive(key).map(Some),
        }
    }

    fn positive(&self, key: &'static str) -> Result<f64, ExtractError> {
        let number = self.value(key).and_then(Value::as_f64);
        number.filter(is_positive).ok_or_else(|| self.refuse_value(key, POSITIVE))
    }

    /// `true` or `false`, `default` where the key is absent or `null`.
    pub fn flag_or(&self, key: &'static str, default: bool) -> Result<bool, ExtractError> {
        match self.given(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.refuse_value(key, "true or false")),
        }
    }

    /// A text, `default` where the key is absent or `null`.
    pub fn text_or(&self, key: &'static str, default: &'static str) -> Result<&str, ExtractError> {
        match self.given(key) {
            None => Ok(default),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(self.refuse_value(key, "a text")),
        }
    }

    /// A list, `None` where the key is absent or `null`.
    pub fn list(&self, key: &'static str) -> Result<Option<&[Value]>, ExtractError> {
        match self.given(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.refuse_value(key, "a list")),
        }
    }

    /// Refuses a flag that is on.
    pub fn refuse_on(&self, key: &'static str) -> Result<(), ExtractError> {
        if self.flag_or(key, false)? { Err(self.refuse_value(key, "false")) } else { Ok(()) }
    }

    /// Refuses a key that nobody read and that might change a number; `harmless` adds to what is known not to.
    pub fn refuse_unread(&self, harmless: &[&str]) -> Result<(), ExtractError> {
        let read = self.read.borrow();
        let unread = self.values.iter().find(|(key, value)| {
            let known = HARMLESS.contains(&key.as_str()) || harmless.contains(&key.as_str());
            let alike = HARMLESS_BEGINNINGS.iter().any(|b| key.starts_with(b))
                || HARMLESS_ENDS.iter().any(|e| key.ends_with(e));
            !read.contains(key.as_str()) && !known && !alike && !says_nothing(value)
        });
        match unread {
            None => Ok(()),
            Some((key, value)) => Err(self.refuse(format!(
                "`{key}` is {}, an option that this family's code does not know; remove the key if it does not \
                 change what the model computes",
                shown(value)
            ))),
        }
    }
}

/// What [`is_positive`] accepts, for messages.
pub const POSITIVE: &str = "a number greater than 0 in the range of f32";

/// Whether a number is positive as it is computed with, in f32.
pub fn is_positive(number: &f64) -> bool {
    (*number as f32).is_normal() && *number > 0.0
}

/// A whole number from 1 to [`LARGEST_COUNT`]; `4096.0` counts as one.
fn whole(value: &Value) -> Option<usize> {
    let number = value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|v| v.fract() == 0.0 && *v >= 0.0)?;
        Some(number as u64)
    })?;
    (1..=LARGEST_COUNT).contains(&number).then_some(number as usize)
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// A value for a message, cut short.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A small file's bytes; a larger one is refused before it is read.
pub fn read_bounded(path: &Path, largest: u64) -> Result<Vec<u8>, ExtractError> {
    let unreadable = |e: std::io::Error| refuse(path, format!("cannot be read: {e}"));
    let n_bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if n_bytes > largest {
        return Err(refuse(path, format!("has {n_bytes} bytes; at most {largest} are read")));
    }
    std::fs::read(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(value: Value) -> Config {
        let Value::Object(values) = value else { panic!("an object") };
        Config::new(Path::new("config.json"), values, BTreeMap::new())
    }

    #[test]
    fn sizes_are_whole_positive_and_bounded() {
        for bad in [json!(0), json!(-1), json!(1.5), json!("8"), json!(1u64 << 40), json!(null), json!(1e300)]
        {
            let error = config(json!({"heads": bad})).count("heads").expect_err("refused").to_string();
            assert!(error.contains("`heads` is"), "{error}");
        }
        assert_eq!(config(json!({"heads": 8})).count("heads").expect("a count"), 8);
        assert_eq!(config(json!({"heads": 8.0})).count("heads").expect("a count"), 8);
    }

    #[test]
    fn null_turns_off_and_absence_means_the_default() {
        let config = config(json!({"window": null}));
        assert_eq!(config.optional_count("window", Some(4096)).expect("readable"), None);
        assert_eq!(config.optional_count("other", Some(4096)).expect("readable"), Some(4096));
    }

    #[test]
    fn a_key_that_nobody_reads_is_refused_unless_it_is_harmless() {
        let quiet = json!({"bos_token_id": 1, "_name_or_path": "x", "attention_dropout": 0.1, "new": false});
        config(quiet).refuse_unread(&[]).expect("harmless");
        let loud = config(json!({"logit_scale": 0.5}));
        let error = loud.refuse_unread(&[]).expect_err("refused").to_string();
        assert!(error.contains("`logit_scale` is 0.5"), "{error}");
        loud.refuse_unread(&["logit_scale"]).expect("this family knows it");
        let _ = loud.value("logit_scale");
        loud.refuse_unread(&[]).expect("it was read");
    }
}
