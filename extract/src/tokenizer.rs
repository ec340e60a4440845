//! Text to token ids with character offsets, and back.
//!
//! The rules are those of the model's own files; a pre-tokenizer that is not known here is refused by
//! name, because a near miss gives other ids and wrong numbers in silence.

use candle_core::quantized::gguf_file::{Content, Value};
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{AddedToken, PreTokenizerWrapper};

/// GGUF token types that stand for themselves and are never split: unknown, control, user-defined.
const WHOLE_TOKEN_TYPES: [u64; 3] = [2, 3, 4];

/// The pre-tokenizers of GGUF files that are known here.
const KNOWN_PRE_TOKENIZERS: [&str; 3] = ["smollm", "gpt-2", "gpt2"];

/// One tokenized text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// The vocabulary's spelling of each token.
    pub pieces: Vec<String>,
    /// Half-open spans in the text, in Unicode scalar values; empty for tokens without text.
    pub offsets: Vec<(u32, u32)>,
}

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    end_of_text: Vec<u32>,
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    ///
    /// # Errors
    /// A sentence that says which entry is absent, malformed or not supported.
    pub fn from_gguf(content: &Content) -> Result<Self, String> {
        let kind = text(content, "tokenizer.ggml.model")?;
        if kind != "gpt2" {
            return Err(format!("its tokenizer is `{kind}`; this version reads `gpt2` (byte-level BPE)"));
        }
        let pre = pre_tokenizer(&text(content, "tokenizer.ggml.pre")?)?;
        let pieces = texts(content, "tokenizer.ggml.tokens")?;
        let merges = texts(content, "tokenizer.ggml.merges")?;
        let merges = merges
            .iter()
            .map(|m| m.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
            .collect::<Option<Vec<_>>>()
            .ok_or("an entry of `tokenizer.ggml.merges` is not a pair")?;
        let vocabulary: Vocab = pieces.iter().cloned().zip(0..).collect();
        let bpe = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(|e| e.to_string())?;
        let mut inner = tokenizers::Tokenizer::new(bpe);
        inner.with_pre_tokenizer(Some(pre));
        inner.with_decoder(Some(ByteLevel::default()));
        add_whole_tokens(&mut inner, content, &pieces)?;
        if flag(content, "tokenizer.ggml.add_bos_token") || flag(content, "tokenizer.ggml.add_eos_token") {
            return Err("it asks for BOS or EOS around a text, which this version does not add".to_owned());
        }
        let end_of_text = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"]
            .iter()
            .filter_map(|key| content.metadata.get(*key).and_then(unsigned))
            .map(|id| id as u32)
            .collect();
        Ok(Self { inner, end_of_text })
    }

    /// Number of token ids.
    pub fn n_vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Whether the token ends a response.
    pub fn ends_text(&self, id: u32) -> bool {
        self.end_of_text.contains(&id)
    }

    /// Tokenizes a text as the model's own files say.
    ///
    /// # Errors
    /// The library's reason.
    pub fn encode(&self, text: &str) -> Result<Encoding, String> {
        let found = self.inner.encode_char_offsets(text, true).map_err(|e| e.to_string())?;
        Ok(Encoding {
            ids: found.get_ids().to_vec(),
            pieces: found.get_tokens().to_vec(),
            offsets: found.get_offsets().iter().map(|&(a, b)| (a as u32, b as u32)).collect(),
        })
    }

    /// Token ids of `answer` as it continues `prompt`: what the tokenizer gives for both beyond the
    /// prompt's own ids; where the two would merge, those of the answer alone, since the prompt's ids stand.
    ///
    /// # Errors
    /// The library's reason.
    pub fn encode_continuation(&self, prompt: &str, ids: &[u32], answer: &str) -> Result<Vec<u32>, String> {
        let whole = self.inner.encode(format!("{prompt}{answer}"), true).map_err(|e| e.to_string())?;
        if whole.get_ids().len() > ids.len() && whole.get_ids().starts_with(ids) {
            return Ok(whole.get_ids()[ids.len()..].to_vec());
        }
        let alone = self.inner.encode(answer, false).map_err(|e| e.to_string())?;
        Ok(alone.get_ids().to_vec())
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// The library's reason.
    pub fn decode(&self, ids: &[u32]) -> Result<String, String> {
        self.inner.decode(ids, true).map_err(|e| e.to_string())
    }

    /// The vocabulary's spelling of a token.
    pub fn piece(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_default()
    }
}

fn pre_tokenizer(name: &str) -> Result<PreTokenizerWrapper, String> {
    let byte_level = ByteLevel::new(false, true, true);
    match name {
        "smollm" => Ok(Sequence::new(vec![Digits::new(true).into(), byte_level.into()]).into()),
        "gpt-2" | "gpt2" => Ok(byte_level.into()),
        other => {
            let known = KNOWN_PRE_TOKENIZERS.join(", ");
            Err(format!("its pre-tokenizer is `{other}`; this version knows {known}"))
        }
    }
}

fn add_whole_tokens(
    inner: &mut tokenizers::Tokenizer,
    content: &Content,
    pieces: &[String],
) -> Result<(), String> {
    let key = "tokenizer.ggml.token_type";
    let types = content.metadata.get(key).and_then(|v| v.to_vec().ok()).ok_or_else(|| absent(key))?;
    let whole = |t: &Value| unsigned(t).is_some_and(|t| WHOLE_TOKEN_TYPES.contains(&t));
    let special: Vec<_> = types
        .iter()
        .zip(pieces)
        .filter(|(t, _)| whole(t))
        .map(|(_, piece)| AddedToken::from(piece.clone(), true))
        .collect();
    inner.add_special_tokens(special).map(|_| ()).map_err(|e| e.to_string())
}

fn absent(key: &str) -> String {
    format!("it has no usable `{key}`")
}

fn text(content: &Content, key: &str) -> Result<String, String> {
    content.metadata.get(key).and_then(|v| v.to_string().ok()).cloned().ok_or_else(|| absent(key))
}

fn texts(content: &Content, key: &str) -> Result<Vec<String>, String> {
    let values = content.metadata.get(key).and_then(|v| v.to_vec().ok()).ok_or_else(|| absent(key))?;
    values.iter().map(|v| v.to_string().cloned().map_err(|_| absent(key))).collect()
}

fn flag(content: &Content, key: &str) -> bool {
    content.metadata.get(key).and_then(|v| v.to_bool().ok()).unwrap_or(false)
}

/// A metadata value as an unsigned number, whatever integer type the file's writer chose.
pub(crate) fn unsigned(value: &Value) -> Option<u64> {
    match *value {
        Value::U8(v) => Some(v.into()),
        Value::U16(v) => Some(v.into()),
        Value::U32(v) => Some(v.into()),
        Value::U64(v) => Some(v),
        Value::I8(v) => u64::try_from(v).ok(),
        Value::I16(v) => u64::try_from(v).ok(),
        Value::I32(v) => u64::try_from(v).ok(),
        Value::I64(v) => u64::try_from(v).ok(),
        _ => None,
    }
}
