//! A `tokenizer.model`, and texts encoded with what it says.

#![no_main]

use hypercolumn_extract::tokenize::tokenizer::Tokenizer;
use hypercolumn_extract_fuzz::use_tokenizer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tokenizer) = Tokenizer::from_sentencepiece(bytes) {
        use_tokenizer(&tokenizer);
    }
});
