//! The pre-tokenizers that GGUF files name, as the original models' `tokenizer.json` define them.

use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

/// Llama 3: digits in threes.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Qwen 2, 2.5 and 3: digits one by one.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Names in `tokenizer.ggml.pre`, and what they mean.
const NAMES: [(&str, PreTokenizer); 7] = [
    ("smollm", PreTokenizer::SmolLm),
    ("gpt-2", PreTokenizer::Gpt2),
    ("gpt2", PreTokenizer::Gpt2),
    ("llama-bpe", PreTokenizer::Llama3),
    ("llama3", PreTokenizer::Llama3),
    ("llama-v3", PreTokenizer::Llama3),
    ("qwen2", PreTokenizer::Qwen2),
];

/// How a text is cut before merging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreTokenizer {
    SmolLm,
    Gpt2,
    Llama3,
    Qwen2,
}

impl PreTokenizer {
    /// The pre-tokenizer of a name.
    ///
    /// # Errors
    /// Where the name is not known.
    pub fn named(name: &str) -> Result<Self, String> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, found)| *found).ok_or_else(|| {
            let known = NAMES.map(|(name, _)| name).join(", ");
            format!("its pre-tokenizer is `{name}`; this version knows {known}")
        })
    }

    /// The steps, the last of which writes bytes as characters.
    ///
    /// # Errors
    /// The library's reason.
    pub fn steps(self) -> Result<PreTokenizerWrapper, String> {
        let first: PreTokenizerWrapper = match self {
            Self::Gpt2 => return Ok(ByteLevel::new(false, true, true).into()),
            Self::SmolLm => Digits::new(true).into(),
            Self::Llama3 => split(LLAMA3)?,
            Self::Qwen2 => split(QWEN2)?,
        };
        let has_own_pattern = self == Self::SmolLm;
        Ok(Sequence::new(vec![first, ByteLevel::new(false, true, has_own_pattern).into()]).into())
    }

    /// What the text goes through first.
    pub fn normalizer(self) -> Option<NormalizerWrapper> {
        (self == Self::Qwen2).then(|| NFC.into())
    }

    /// Whether a stretch that is a token is that token, whatever the merges say.
    pub fn ignores_merges(self) -> bool {
        self == Self::Llama3
    }

    /// Whether BOS begins a text where the file does not say.
    pub fn begins_with_bos(self) -> bool {
        self == Self::Llama3
    }
}

fn split(pattern: &str) -> Result<PreTokenizerWrapper, String> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(Into::into).map_err(|e| e.to_string())
}
