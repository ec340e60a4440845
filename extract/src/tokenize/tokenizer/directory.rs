//! The tokenizer of a checkpoint directory: `tokenizer.json`, else `tokenizer.model`.
//!
//! What stands around a text follows transformers: of a `tokenizer.json` its own post-processor, but for the classes
//! whose `add_bos_token` and `add_eos_token` transformers puts in its place; of a `tokenizer.model` these two.

use super::declared::{Declared, read_object};
use super::library::{Library, guarded, surround_with};
use super::sentencepiece::{ModelFile, Prefix, SentencePiece, Whole};
use super::{Engine, Tokenizer, json};
use serde_json::Value;
use std::path::Path;
use tokenizers::AddedToken;

/// Classes (less `Fast`) that make their post-processor from `tokenizer_config.json`.
const CLASSES_WITH_FLAGS: [&str; 3] = ["LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer"];

impl Tokenizer {
    /// Reads the tokenizer of a checkpoint directory.
    ///
    /// # Errors
    /// A sentence that says which file and entry is absent, malformed or not supported.
    pub fn from_directory(directory: &Path) -> Result<Self, String> {
        let declared = Declared::read(directory)?;
        if let Some(file) = read_object(directory, "tokenizer.json")? {
            return from_json(file, &declared);
        }
        let path = directory.join("tokenizer.model");
        if path.is_file() {
            let bytes = std::fs::read(&path).map_err(|e| format!("`tokenizer.model` cannot be read: {e}"))?;
            return from_sentencepiece(&bytes, &declared).map_err(|e| format!("`tokenizer.model`: {e}"));
        }
        Err("has no tokenizer; accepted: `tokenizer.json`, `tokenizer.model` (SentencePiece)".to_owned())
    }

    /// Reads the bytes of a `tokenizer.model` that has no files beside it.
    ///
    /// # Errors
    /// As [`Tokenizer::from_directory`].
    pub fn from_sentencepiece(bytes: &[u8]) -> Result<Self, String> {
        from_sentencepiece(bytes, &Declared::default())
    }
}

fn from_json(mut file: serde_json::Map<String, Value>, declared: &Declared) -> Result<Tokenizer, String> {
    json::adapt(&mut file)?;
    let mut expected: Vec<(u64, String)> = Vec::new();
    for token in file.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        let entry = token.get("id").and_then(Value::as_u64).zip(token.get("content").and_then(Value::as_str));
        let (id, content) =
            entry.ok_or("`tokenizer.json`: an entry of `added_tokens` has no id and content")?;
        expected.push((id, content.to_owned()));
    }
    expected.extend(declared.added.iter().map(|(id, token)| (u64::from(*id), token.content.clone())));
    let inner = guarded(|| {
        let mut inner: tokenizers::Tokenizer =
            serde_json::from_value(Value::Object(file)).map_err(|e| format!("`tokenizer.json`: {e}"))?;
        add_declared(&mut inner, declared)?;
        Ok(inner)
    })?;
    for (id, content) in expected {
        if inner.token_to_id(&content).map(u64::from) != Some(id) {
            return Err(format!("`tokenizer.json`: the added token `{content}` cannot have the id {id}"));
        }
    }
    let end_of_text =
        end_of_text(declared, declared.token("eos_token").and_then(|name| inner.token_to_id(name)));
    Tokenizer::new(Engine::Library(Box::new(Library::new(inner)?)), end_of_text, declared.chat())
}

/// Adds the tokens of the side files, and BOS and EOS if they say so.
fn add_declared(inner: &mut tokenizers::Tokenizer, declared: &Declared) -> Result<(), String> {
    let mut added: Vec<AddedToken> = declared.added.iter().map(|(_, token)| token.clone()).collect();
    for name in declared.named_tokens() {
        let known = inner.get_added_tokens_decoder().values().chain(&added).any(|t| t.content == name);
        if !known && inner.token_to_id(name).is_some() {
            added.push(AddedToken::from(name, true));
        }
    }
    inner.add_tokens(added).map_err(|e| format!("`tokenizer_config.json`: {e}"))?;
    let has_flags = declared.class().is_some_and(|class| CLASSES_WITH_FLAGS.contains(&class));
    let (bos, eos) = (declared.switch("add_bos_token")?, declared.switch("add_eos_token")?);
    if !has_flags || (bos.is_none() && eos.is_none()) {
        return Ok(());
    }
    let token = |is_asked: Option<bool>, key: &str| {
        let Some(name) = declared.token(key).filter(|_| is_asked == Some(true)) else { return Ok(None) };
        let id = inner.token_to_id(name);
        id.map(|id| Some((id, name.to_owned())))
            .ok_or_else(|| format!("`tokenizer_config.json`: the `{key}` `{name}` is in no vocabulary"))
    };
    let (before, after) = (token(bos, "bos_token")?, token(eos, "eos_token")?);
    surround_with(inner, before, after)
}

fn from_sentencepiece(bytes: &[u8], declared: &Declared) -> Result<Tokenizer, String> {
    let ModelFile { mut vocabulary, normalizer, bos, eos, unknown } = ModelFile::read(bytes)?;
    let mut whole: Vec<Whole> = Vec::new();
    for (id, token) in &declared.added {
        vocabulary.add(*id, &token.content)?;
        whole.push(Whole::added(*id, token));
    }
    let bos = declared.token("bos_token").map(str::to_owned).or(bos);
    let eos = declared.token("eos_token").map(str::to_owned).or(eos);
    let known = [bos.as_deref(), eos.as_deref(), Some(unknown.as_str())].into_iter().flatten();
    for name in declared.named_tokens().into_iter().chain(known) {
        match vocabulary.id(name) {
            Some(id) if whole.iter().all(|w| w.text != name) => whole.push(Whole::special(name, id)),
            _ => {}
        }
    }
    let id = |name: &Option<String>| vocabulary.id(name.as_deref()?);
    let (bos, eos) = (id(&bos), id(&eos));
    let asked = |key: &str, default, id: Option<u32>| match declared.switch(key)?.unwrap_or(default) {
        false => Ok(None),
        true => id.map(Some).ok_or_else(|| format!("`{key}` asks for a token that no piece is")),
    };
    let special_tokens = (asked("add_bos_token", bos.is_some(), bos)?, asked("add_eos_token", false, eos)?);
    let adds_space = declared.switch("add_prefix_space")?.unwrap_or(normalizer.add_dummy_prefix);
    let prefix = match (adds_space, declared.switch("legacy")?.unwrap_or(false)) {
        (false, _) => Prefix::Never,
        (true, true) => Prefix::AfterWholeTokens,
        (true, false) => Prefix::AtStart,
    };
    let end_of_text = end_of_text(declared, eos);
    let mut chat = declared.chat();
    for (key, id) in [("bos_token", bos), ("eos_token", eos)] {
        if let Some(id) = id {
            chat.tokens.entry(key.to_owned()).or_insert_with(|| vocabulary.piece(id).to_owned());
        }
    }
    let engine = SentencePiece::new(vocabulary, normalizer, whole, prefix, special_tokens);
    Tokenizer::new(Engine::SentencePiece(Box::new(engine)), end_of_text, chat)
}

/// What ends a response: what the model's configuration says, and the tokenizer's EOS.
fn end_of_text(declared: &Declared, eos: Option<u32>) -> Vec<u32> {
    let mut ids = declared.end_ids.clone();
    ids.extend(eos.filter(|id| !declared.end_ids.contains(id)));
    ids
}
