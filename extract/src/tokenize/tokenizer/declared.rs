//! What a checkpoint's files say about its tokenizer beside the vocabulary itself.
//!
//! Read from `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, `generation_config.json`,
//! `config.json` and `chat_template.jinja`, each of which may be absent. What follows from it is left to
//! [`super::directory`].

use crate::tokenize::chat_files::{ChatFiles, DEFAULT_NAME};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use tokenizers::AddedToken;

/// Keys of tokens that stand for themselves and are left out of decoded text.
const NAMED_TOKENS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];

/// The declarations of one checkpoint.
#[derive(Debug, Default)]
pub struct Declared {
    /// `tokenizer_config.json`, where `special_tokens_map.json` has filled what it leaves open.
    config: Map<String, Value>,
    /// Tokens that the files add, with their ids, ascending.
    pub added: Vec<(u32, AddedToken)>,
    /// Ids that end a response, as the model's configuration says.
    pub end_ids: Vec<u32>,
    /// Chat templates by name.
    templates: BTreeMap<String, String>,
}

impl Declared {
    /// Reads what is there.
    ///
    /// # Errors
    /// Where a file is not JSON, or an entry is not what it must be.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let mut config = read_object(directory, "tokenizer_config.json")?.unwrap_or_default();
        for (key, value) in read_object(directory, "special_tokens_map.json")?.unwrap_or_default() {
            let slot = config.entry(key).or_insert(Value::Null);
            if slot.is_null() {
                *slot = value;
            }
        }
        let mut added = added_tokens_decoder(&config)?;
        for (content, id) in read_object(directory, "added_tokens.json")?.unwrap_or_default() {
            if added.iter().all(|(_, token)| token.content != content) {
                let id = id_of(&id).ok_or_else(|| {
                    format!("`added_tokens.json`: the id of `{content}` is {id}, not a token id")
                })?;
                added.push((id, AddedToken::from(content, false)));
            }
        }
        added.sort_by_key(|(id, _)| *id);
        let end_ids = end_ids(directory)?;
        let templates = templates(directory, &config)?;
        Ok(Self { config, added, end_ids, templates })
    }

    /// A switch of `tokenizer_config.json`, if it is there.
    ///
    /// # Errors
    /// Where it is not true or false.
    pub fn switch(&self, key: &str) -> Result<Option<bool>, String> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(format!("`tokenizer_config.json`: `{key}` is {other}, not true or false")),
        }
    }

    /// The tokenizer's class in transformers, without `Fast`.
    pub fn class(&self) -> Option<&str> {
        let class = self.config.get("tokenizer_class")?.as_str()?;
        Some(class.strip_suffix("Fast").unwrap_or(class))
    }

    /// The spelling of a named token (`bos_token`, …), if the files name it.
    pub fn token(&self, key: &str) -> Option<&str> {
        spelling(self.config.get(key)?)
    }

    /// What the files say about chats.
    pub fn chat(&self) -> ChatFiles {
        let spelt = |key: &&str| Some(((*key).to_owned(), self.token(key)?.to_owned()));
        ChatFiles {
            templates: self.templates.clone(),
            tokens: NAMED_TOKENS.iter().filter_map(spelt).collect(),
        }
    }

    /// Every token that the files call special by name.
    pub fn named_tokens(&self) -> Vec<&str> {
        let named = NAMED_TOKENS.iter().filter_map(|key| self.token(key));
        let lists = ["additional_special_tokens", "extra_special_tokens"].iter();
        let more = lists.filter_map(|key| self.config.get(*key)?.as_array()).flatten().filter_map(spelling);
        named.chain(more).collect()
    }
}

/// A JSON object of the directory; `None` where there is no such file.
pub fn read_object(directory: &Path, name: &str) -> Result<Option<Map<String, Value>>, String> {
    let bytes = match std::fs::read(directory.join(name)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("`{name}` cannot be read: {e}")),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| format!("`{name}` is not a JSON object: {e}"))
}

/// Tokens are spelt as texts or as objects with `content`.
fn spelling(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str()).filter(|s| !s.is_empty())
}

fn id_of(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn added_tokens_decoder(config: &Map<String, Value>) -> Result<Vec<(u32, AddedToken)>, String> {
    let Some(entries) = config.get("added_tokens_decoder").and_then(Value::as_object) else {
        return Ok(Vec::new());
    };
    let token = |(id, entry): (&String, &Value)| {
        let id = id.parse().ok()?;
        let flag = |key: &str, default| entry.get(key).map_or(Some(default), Value::as_bool);
        let token = AddedToken {
            content: spelling(entry)?.to_owned(),
            single_word: flag("single_word", false)?,
            lstrip: flag("lstrip", false)?,
            rstrip: flag("rstrip", false)?,
            normalized: flag("normalized", true)?,
            special: flag("special", false)?,
        };
        Some((id, token))
    };
    let refuse =
        |id: &str| format!("`tokenizer_config.json`: entry `{id}` of `added_tokens_decoder` is not a token");
    entries.iter().map(|entry| token(entry).ok_or_else(|| refuse(entry.0))).collect()
}

/// Templates of `tokenizer_config.json`, one or a list with names; `chat_template.jinja` stands above them.
fn templates(directory: &Path, config: &Map<String, Value>) -> Result<BTreeMap<String, String>, String> {
    let refuse =
        || "`tokenizer_config.json`: `chat_template` is neither a template nor a list of them".to_owned();
    let mut found = BTreeMap::new();
    match config.get("chat_template") {
        None | Some(Value::Null) => {}
        Some(Value::String(source)) => {
            found.insert(DEFAULT_NAME.to_owned(), source.clone());
        }
        Some(entries) => {
            for entry in entries.as_array().ok_or_else(refuse)? {
                let part = |key| entry.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(refuse);
                found.insert(part("name")?, part("template")?);
            }
        }
    }
    let name = "chat_template.jinja";
    match std::fs::read_to_string(directory.join(name)) {
        Ok(source) => found.insert(DEFAULT_NAME.to_owned(), source),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => return Err(format!("`{name}` cannot be read: {e}")),
    };
    Ok(found)
}

/// What generation ends with: `generation_config.json` decides, `config.json` where it is silent.
fn end_ids(directory: &Path) -> Result<Vec<u32>, String> {
    for name in ["generation_config.json", "config.json"] {
        let object = read_object(directory, name)?.unwrap_or_default();
        let ids: Vec<u32> = match object.get("eos_token_id") {
            Some(Value::Array(ids)) => ids.iter().filter_map(id_of).collect(),
            Some(id) => id_of(id).into_iter().collect(),
            None => Vec::new(),
        };
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    Ok(Vec::new())
}
