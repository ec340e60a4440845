//! Text to token ids with character offsets, and back.
//!
//! The rules are those of the model's own files: [`directory`] reads a checkpoint's, [`gguf`] a GGUF file's.
//! Two engines carry them out: [`library`] (the `tokenizers` crate) what a `tokenizer.json` or a byte-level
//! vocabulary says, [`sentencepiece`] what a SentencePiece model says. What is not known exactly is refused by
//! name, because a near miss gives other ids and wrong numbers in silence.
//!
//! Which segment a token belongs to is left to `segment_tokens`.

mod declared;
mod directory;
mod gguf;
mod json;
mod library;
mod pre_tokenizer;
mod sentencepiece;

use crate::tokenize::chat_files::ChatFiles;
use library::Library;
use sentencepiece::SentencePiece;

/// What a word is never joined with.
const LINE_BREAK: &str = "\n";

/// One tokenized text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Half-open spans in the text, in Unicode scalar values; empty for tokens without text.
    pub offsets: Vec<(u32, u32)>,
}

impl Encoding {
    fn push(&mut self, id: u32, span: (u32, u32)) {
        self.ids.push(id);
        self.offsets.push(span);
    }
}

/// An answer's tokens after a prompt's.
#[derive(Debug)]
pub(crate) struct Continuation {
    pub(crate) ids: Vec<u32>,
    /// Whether the tokenizer, given prompt and answer as one text, changes the prompt's own tokens.
    pub(crate) merges: bool,
}

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    engine: Engine,
    n_vocabulary: usize,
    end_of_text: Vec<u32>,
    chat: ChatFiles,
}

/// Whether what the model's files ask for around a text (BOS, EOS) is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpecialTokens {
    AsDeclared,
    Nothing,
}

#[derive(Debug)]
enum Engine {
    Library(Box<Library>),
    SentencePiece(Box<SentencePiece>),
}

impl Engine {
    fn encode(&self, text: &str, special_tokens: SpecialTokens) -> Result<Encoding, String> {
        match self {
            Self::Library(engine) => engine.encode(text, special_tokens),
            Self::SentencePiece(engine) => Ok(engine.encode(text, special_tokens)),
        }
    }

    fn n_vocabulary(&self) -> usize {
        match self {
            Self::Library(engine) => engine.n_vocabulary(),
            Self::SentencePiece(engine) => engine.n_vocabulary(),
        }
    }
}

impl Tokenizer {
    fn new(engine: Engine, end_of_text: Vec<u32>, chat: ChatFiles) -> Result<Self, String> {
        let n_vocabulary = engine.n_vocabulary();
        let tokenizer = Self { engine, n_vocabulary, end_of_text, chat };
        // What surrounds every text is judged once, here, rather than with the first prompt.
        tokenizer.encode("")?;
        Ok(tokenizer)
    }

    /// One more than the largest token id.
    pub fn n_vocabulary(&self) -> usize {
        self.n_vocabulary
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
        self.encode_within(text, SpecialTokens::AsDeclared)
    }

    /// As [`Self::encode`], of a text that may already have what belongs around it.
    pub(crate) fn encode_within(
        &self,
        text: &str,
        special_tokens: SpecialTokens,
    ) -> Result<Encoding, String> {
        let mut encoding = self.engine.encode(text, special_tokens)?;
        if let Some(id) = encoding.ids.iter().find(|id| **id as usize >= self.n_vocabulary) {
            return Err(format!(
                "its tokenizer gives the id {id}, its vocabulary ends at {}",
                self.n_vocabulary
            ));
        }
        let n_characters = text.chars().count() as u32;
        for (start, end) in &mut encoding.offsets {
            *start = (*start).min(n_characters);
            *end = (*end).clamp(*start, n_characters);
        }
        Ok(encoding)
    }

    /// Token ids of `answer` as it continues `prompt`, whose ids are given: what the tokenizer gives for both beyond
    /// the prompt's own ids; where the two merge, those of the answer alone, since the prompt's ids stand.
    pub(crate) fn encode_continuation(
        &self,
        (prompt, ids): (&str, &[u32]),
        answer: &str,
        special_tokens: SpecialTokens,
    ) -> Result<Continuation, String> {
        let whole = self.encode_within(&format!("{prompt}{answer}"), special_tokens)?.ids;
        if whole.len() > ids.len() && whole.starts_with(ids) {
            return Ok(Continuation { ids: whole[ids.len()..].to_vec(), merges: false });
        }
        Ok(Continuation { ids: self.encode_inside(answer)?, merges: true })
    }

    /// Ids of a text in the middle of another, where tokenizers that put a space before a text must not.
    fn encode_inside(&self, text: &str) -> Result<Vec<u32>, String> {
        let before = self.encode_within(LINE_BREAK, SpecialTokens::Nothing)?.ids;
        let both = self.encode_within(&format!("{LINE_BREAK}{text}"), SpecialTokens::Nothing)?.ids;
        if both.len() > before.len() && both.starts_with(&before) {
            return Ok(both[before.len()..].to_vec());
        }
        Ok(self.encode_within(text, SpecialTokens::Nothing)?.ids)
    }

    /// The text of token ids, special tokens left out.
    ///
    /// # Errors
    /// The library's reason.
    pub fn decode(&self, ids: &[u32]) -> Result<String, String> {
        match &self.engine {
            Engine::Library(engine) => engine.decode(ids),
            Engine::SentencePiece(engine) => Ok(engine.decode(ids)),
        }
    }

    /// What the model's files say about chats.
    pub(crate) fn chat(&self) -> &ChatFiles {
        &self.chat
    }

    /// The vocabulary's spelling of each token.
    pub fn pieces(&self, ids: &[u32]) -> Vec<String> {
        let piece = |id: &u32| match &self.engine {
            Engine::Library(engine) => engine.piece(*id),
            Engine::SentencePiece(engine) => engine.piece(*id).to_owned(),
        };
        ids.iter().map(piece).collect()
    }
}
