//! The tokenizer that a GGUF file describes: byte-level BPE (`gpt2`) or SentencePiece (`llama`).
//!
//! A GGUF file names its pre-tokenizer instead of describing it; [`super::pre_tokenizer`] knows some names, and
//! the others are refused. Defaults of absent entries are those of llama.cpp, which defines the format.

use super::library::{Library, guarded, surround_with};
use super::pre_tokenizer::PreTokenizer;
use super::sentencepiece::{Kind, Normalizer, Prefix, SPACE, SentencePiece, Vocabulary, Whole};
use super::{Engine, Tokenizer};
use crate::model::GgufMetadata;
use crate::tokenize::chat_files::{ChatFiles, DEFAULT_NAME};
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

/// GGUF token types that stand for themselves and are never split: unknown, control, user-defined.
const WHOLE_TOKEN_TYPES: [u64; 3] = [2, 3, 4];

/// The token type of user-defined tokens.
const USER_DEFINED: u64 = 4;

/// Special tokens of Phi-3 that do not swallow the white space after them, as all its others do.
const PHI3_PLAIN_TOKENS: [&str; 3] = ["<unk>", "<s>", "<|endoftext|>"];

/// BOS and EOS of a `llama` tokenizer that does not say.
const LLAMA_BOS_EOS: (u32, u32) = (1, 2);

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    ///
    /// # Errors
    /// A sentence that says which entry is absent, malformed or not supported.
    pub fn from_gguf(metadata: &GgufMetadata) -> Result<Self, String> {
        let engine = match text(metadata, "tokenizer.ggml.model")? {
            "gpt2" => Engine::Library(Box::new(byte_level(metadata)?)),
            "llama" => Engine::SentencePiece(Box::new(sentencepiece(metadata)?)),
            other => {
                let known = "`gpt2` (byte-level BPE), `llama` (SentencePiece BPE)";
                return Err(format!("its tokenizer is `{other}`; this version reads {known}"));
            }
        };
        let end_of_text = ["eos", "eot", "eom"].iter().filter_map(|name| special_id(metadata, name));
        Self::new(engine, end_of_text.collect(), chat(metadata)?)
    }
}

/// A token and its type.
struct Entry {
    piece: String,
    kind: u64,
}

fn entries(metadata: &GgufMetadata) -> Result<Vec<Entry>, String> {
    let key = "tokenizer.ggml.token_type";
    let pieces = texts(metadata, "tokenizer.ggml.tokens")?;
    let kinds = metadata.unsigneds(key).ok_or_else(|| absent(key))?;
    if pieces.is_empty() || pieces.len() != kinds.len() {
        return Err(format!("it has {} tokens and {} token types", pieces.len(), kinds.len()));
    }
    let entry = |(piece, kind): (&str, u64)| Entry { piece: piece.to_owned(), kind };
    Ok(pieces.into_iter().zip(kinds).map(entry).collect())
}

fn byte_level(metadata: &GgufMetadata) -> Result<Library, String> {
    let pre = PreTokenizer::named(text(metadata, "tokenizer.ggml.pre")?)?;
    let entries = entries(metadata)?;
    let vocabulary: Vocab = entries.iter().map(|e| e.piece.clone()).zip(0..).collect();
    if vocabulary.len() != entries.len() {
        return Err("two of its tokens are spelt alike".to_owned());
    }
    let merges = merges(metadata, &vocabulary)?;
    let bpe = BPE::builder().vocab_and_merges(vocabulary, merges).ignore_merges(pre.ignores_merges());
    let mut inner = tokenizers::Tokenizer::new(bpe.build().map_err(|e| e.to_string())?);
    inner.with_normalizer(pre.normalizer()).map_err(|e| e.to_string())?;
    inner.with_pre_tokenizer(Some(pre.steps()?));
    inner.with_decoder(Some(ByteLevel::default()));
    let whole = entries.iter().filter(|e| WHOLE_TOKEN_TYPES.contains(&e.kind));
    // Text of chat markers is never normalized; what users defined is left in decoded text.
    let whole = whole.map(|e| AddedToken::from(e.piece.clone(), e.kind != USER_DEFINED).normalized(false));
    guarded(|| inner.add_tokens(whole).map_err(|e| e.to_string()))?;
    let (before, after) = special_tokens(metadata, pre.begins_with_bos(), &entries)?;
    if before.is_some() || after.is_some() {
        let token = |id: u32| (id, entries[id as usize].piece.clone());
        surround_with(&mut inner, before.map(token), after.map(token))?;
    }
    Library::new(inner)
}

/// The merges, each of which joins two tokens to a third.
fn merges(metadata: &GgufMetadata, vocabulary: &Vocab) -> Result<Vec<(String, String)>, String> {
    let pair = |merge: &&str| {
        let (left, right) =
            merge.split_once(' ').ok_or("an entry of `tokenizer.ggml.merges` is not a pair")?;
        let merged = format!("{left}{right}");
        match [left, right, &merged].iter().find(|piece| !vocabulary.contains_key(**piece)) {
            Some(piece) => Err(format!("its merge `{merge}` needs the token `{piece}`, which is absent")),
            None => Ok((left.to_owned(), right.to_owned())),
        }
    };
    texts(metadata, "tokenizer.ggml.merges")?.iter().map(pair).collect()
}

fn sentencepiece(metadata: &GgufMetadata) -> Result<SentencePiece, String> {
    let entries = entries(metadata)?;
    let key = "tokenizer.ggml.scores";
    let scores = metadata.floats(key).ok_or_else(|| absent(key))?;
    if scores.len() != entries.len() {
        return Err(format!("it has {} tokens and {} scores", entries.len(), scores.len()));
    }
    let piece = |(entry, score): (&Entry, f32)| {
        Ok((entry.piece.clone(), score, Kind::from_number(entry.kind, &entry.piece)?))
    };
    let pieces = entries.iter().zip(scores).map(piece).collect::<Result<Vec<_>, String>>()?;
    let has_bytes = entries.iter().any(|e| e.kind == 6);
    let vocabulary = Vocabulary::new(pieces, has_bytes)?;
    let key = "tokenizer.ggml.precompiled_charsmap";
    if metadata.has(key) {
        return Err(format!("its `{key}` is not supported"));
    }
    let adds_space = switch(metadata, "add_space_prefix")?.unwrap_or(true);
    let normalizer = Normalizer {
        characters: None,
        add_dummy_prefix: adds_space,
        remove_extra_whitespaces: switch(metadata, "remove_extra_whitespaces")?.unwrap_or(false),
    };
    let prefix = if adds_space { Prefix::AfterWholeTokens } else { Prefix::Never };
    let special_tokens = special_tokens(metadata, true, &entries)?;
    Ok(SentencePiece::new(vocabulary, normalizer, whole_tokens(metadata, &entries), prefix, special_tokens))
}

/// Tokens that are matched in the text itself, where spaces are spaces.
fn whole_tokens(metadata: &GgufMetadata, entries: &[Entry]) -> Vec<Whole> {
    let is_phi3 = text(metadata, "general.architecture").is_ok_and(|name| name == "phi3");
    let whole = entries.iter().zip(0..).filter(|(e, _)| WHOLE_TOKEN_TYPES.contains(&e.kind));
    let token = |(entry, id): (&Entry, u32)| Whole {
        text: entry.piece.replace(SPACE, " "),
        id,
        lstrip: false,
        rstrip: is_phi3 && !PHI3_PLAIN_TOKENS.contains(&entry.piece.as_str()),
        is_special: entry.kind != USER_DEFINED,
    };
    whole.map(token).collect()
}

/// The ids that stand before and after a text.
fn special_tokens(
    metadata: &GgufMetadata,
    adds_bos: bool,
    entries: &[Entry],
) -> Result<(Option<u32>, Option<u32>), String> {
    let is_llama = text(metadata, "tokenizer.ggml.model")? == "llama";
    let id = |name: &str, default: u32, is_asked: bool| {
        if !is_asked {
            return Ok(None);
        }
        let id = special_id(metadata, name).or(is_llama.then_some(default));
        let id = id.filter(|id| (*id as usize) < entries.len());
        id.map(Some).ok_or_else(|| {
            format!("it asks for {name} around a text, but has no usable `tokenizer.ggml.{name}_token_id`")
        })
    };
    let before = id("bos", LLAMA_BOS_EOS.0, switch(metadata, "add_bos_token")?.unwrap_or(adds_bos))?;
    let after = id("eos", LLAMA_BOS_EOS.1, switch(metadata, "add_eos_token")?.unwrap_or(false))?;
    Ok((before, after))
}

fn special_id(metadata: &GgufMetadata, name: &str) -> Option<u32> {
    metadata.unsigned(&format!("tokenizer.ggml.{name}_token_id")).and_then(|id| u32::try_from(id).ok())
}

/// Chat templates, and the spellings of the tokens that they name.
fn chat(metadata: &GgufMetadata) -> Result<ChatFiles, String> {
    let mut chat = ChatFiles::default();
    for key in metadata.keys() {
        let Some(name) = key.strip_prefix("tokenizer.chat_template") else { continue };
        let name = name.strip_prefix('.').filter(|name| !name.is_empty()).unwrap_or(DEFAULT_NAME);
        let template = metadata.text(key).filter(|_| !key.starts_with("tokenizer.chat_templates"));
        if let Some(template) = template {
            chat.templates.insert(name.to_owned(), template.to_owned());
        }
    }
    let pieces = texts(metadata, "tokenizer.ggml.tokens")?;
    for (key, name) in
        [("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"), ("pad_token", "padding")]
    {
        if let Some(piece) = special_id(metadata, name).and_then(|id| pieces.get(id as usize)) {
            chat.tokens.insert(key.to_owned(), (*piece).to_owned());
        }
    }
    Ok(chat)
}

/// A switch of the file, if it is there.
fn switch(metadata: &GgufMetadata, name: &str) -> Result<Option<bool>, String> {
    let key = format!("tokenizer.ggml.{name}");
    match metadata.flag(&key) {
        None if metadata.has(&key) => Err(format!("its `{key}` is not true or false")),
        flag => Ok(flag),
    }
}

fn absent(key: &str) -> String {
    format!("it has no usable `{key}`")
}

fn text<'a>(metadata: &'a GgufMetadata, key: &str) -> Result<&'a str, String> {
    metadata.text(key).ok_or_else(|| absent(key))
}

fn texts<'a>(metadata: &'a GgufMetadata, key: &str) -> Result<Vec<&'a str>, String> {
    metadata.texts(key).ok_or_else(|| absent(key))
}
