//! Ids, pieces and offsets against the sentencepiece and tokenizers packages.
//!
//! HYPERCOLUMN_TOKENIZERS names another directory of cases than `tests/fixtures/tokenizers`.

use candle_core::quantized::gguf_file::Content;
use hypercolumn_extract::tokenizer::Tokenizer;
use serde::Deserialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Row {
    text: String,
    ids: Vec<u32>,
    pieces: Vec<String>,
    offsets: Option<Vec<(u32, u32)>>,
}

fn cases() -> Vec<PathBuf> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers");
    let root = std::env::var_os("HYPERCOLUMN_TOKENIZERS").map_or(committed, PathBuf::from);
    let mut cases: Vec<_> = fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|case| case.join("prompts.json").is_file());
    cases.sort();
    cases
}

fn read(case: &Path) -> Tokenizer {
    let gguf = case.join("tokenizer.gguf");
    let tokenizer = match File::open(gguf) {
        Ok(mut file) => Tokenizer::from_gguf(&Content::read(&mut file).unwrap()),
        Err(_) => Tokenizer::from_directory(case),
    };
    tokenizer.unwrap_or_else(|e| panic!("{}: {e}", case.display()))
}

fn rows(case: &Path) -> Vec<Row> {
    serde_json::from_slice(&fs::read(case.join("prompts.json")).unwrap()).unwrap()
}

#[test]
fn tokens_are_those_of_the_reference() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        let tokenizer = read(&case);
        let name = case.file_name().unwrap().to_string_lossy();
        for row in rows(&case) {
            let found = tokenizer.encode(&row.text).unwrap();
            assert_eq!(found.pieces, row.pieces, "{name}: {:?}", row.text);
            assert_eq!(found.ids, row.ids, "{name}: {:?}", row.text);
            if let Some(offsets) = row.offsets {
                assert_eq!(found.offsets, offsets, "{name}: {:?}, {:?}", row.text, row.pieces);
            }
        }
    }
}
