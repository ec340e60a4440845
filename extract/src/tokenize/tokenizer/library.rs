//! The `tokenizers` crate behind our interface.
//!
//! The crate unwraps where files contradict themselves, so every call into it is guarded: a file that brings it
//! down is refused like any other. What a file says is judged in `json` and `gguf`.

use super::{Encoding, SpecialTokens};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenizers::processors::template::{SpecialToken, TemplateProcessing};

/// A tokenizer of the `tokenizers` crate.
#[derive(Debug)]
pub struct Library {
    inner: tokenizers::Tokenizer,
    n_vocabulary: usize,
}

impl Library {
    /// Takes over a tokenizer; truncation and padding, which files may carry, are switched off.
    ///
    /// # Errors
    /// Where it has no token, or its largest id is not plausible.
    pub fn new(mut inner: tokenizers::Tokenizer) -> Result<Self, String> {
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| e.to_string())?;
        let largest = inner.get_vocab(true).into_values().max().ok_or("its tokenizer has no entries")?;
        Ok(Self { inner, n_vocabulary: largest as usize + 1 })
    }

    pub fn n_vocabulary(&self) -> usize {
        self.n_vocabulary
    }

    pub fn encode(&self, text: &str, special_tokens: SpecialTokens) -> Result<Encoding, String> {
        let add_special_tokens = special_tokens == SpecialTokens::AsDeclared;
        let found =
            guarded(|| self.inner.encode_char_offsets(text, add_special_tokens).map_err(|e| e.to_string()))?;
        let spans = found.get_offsets().iter().map(|&(start, end)| (start as u32, end as u32));
        Ok(Encoding { ids: found.get_ids().to_vec(), offsets: spans.collect() })
    }

    pub fn decode(&self, ids: &[u32]) -> Result<String, String> {
        guarded(|| self.inner.decode(ids, true).map_err(|e| e.to_string()))
    }

    /// The vocabulary's spelling of a token: the library's own encoding also shows the white space that a token swallowed.
    pub fn piece(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_default()
    }
}

/// Puts tokens, each an id and its piece, before and after every text.
pub fn surround_with(
    inner: &mut tokenizers::Tokenizer,
    before: Option<(u32, String)>,
    after: Option<(u32, String)>,
) -> Result<(), String> {
    let mut template = vec!["$A"];
    let mut tokens = Vec::new();
    for (name, place, token) in [("before", 0, before), ("after", usize::MAX, after)] {
        let Some((id, piece)) = token else { continue };
        template.insert(place.min(template.len()), name);
        let token = SpecialToken::new(name.to_owned(), vec![id], vec![piece]);
        tokens.push(token.map_err(|e| e.to_string())?);
    }
    let template = TemplateProcessing::builder().try_single(template)?.special_tokens(tokens).build();
    inner.with_post_processor(Some(template.map_err(|e| e.to_string())?));
    Ok(())
}

/// Runs `work` of the `tokenizers` crate, a panic of which becomes an error.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err("its tokenizer contradicts itself: the tokenizers library gave up".to_owned())
    })
}
