//! Ids, pieces and offsets against the sentencepiece and tokenizers packages.
//!
//! HYPERCOLUMN_TOKENIZERS names another directory of cases than `tests/fixtures/tokenizers`.

use hypercolumn_extract::model::GgufMetadata;
use hypercolumn_extract::tokenize::tokenizer::Tokenizer;
use serde::Deserialize;
use std::fs;
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
    let tokenizer = match fs::read(&gguf) {
        Ok(bytes) => Tokenizer::from_gguf(&GgufMetadata::read(&gguf, &bytes).unwrap()),
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
            assert_eq!(tokenizer.pieces(&found.ids), row.pieces, "{name}: {:?}", row.text);
            assert_eq!(found.ids, row.ids, "{name}: {:?}", row.text);
            if let Some(offsets) = row.offsets {
                assert_eq!(found.offsets, offsets, "{name}: {:?}, {:?}", row.text, row.pieces);
            }
        }
    }
}

#[test]
fn the_class_decides_whether_flags_stand_above_a_post_processor() {
    let directory = tempfile::tempdir().unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers/json-llama3");
    fs::copy(committed.join("tokenizer.json"), directory.path().join("tokenizer.json")).unwrap();
    let begins = |config: &str| {
        fs::write(directory.path().join("tokenizer_config.json"), config).unwrap();
        let tokenizer = read(directory.path());
        tokenizer.pieces(&tokenizer.encode("a").unwrap().ids)
    };
    assert_eq!(begins(r#"{"add_bos_token": false}"#), ["<|begin|>", "a"]);
    assert_eq!(begins(r#"{"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": false}"#), ["a"]);
    let both = r#"{"tokenizer_class": "LlamaTokenizer", "add_bos_token": true, "bos_token": "<|user|>",
                   "add_eos_token": true, "eos_token": {"content": "<|end|>"}}"#;
    assert_eq!(begins(both), ["<|user|>", "a", "<|end|>"]);
}

#[test]
fn what_ends_a_response_is_in_the_checkpoints_files() {
    let directory = tempfile::tempdir().unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers/json-llama3");
    fs::copy(committed.join("tokenizer.json"), directory.path().join("tokenizer.json")).unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("config.json", r#"{"eos_token_id": 7}"#);
    write("tokenizer_config.json", r#"{"eos_token": "<|end|>"}"#);
    let ends = || {
        let tokenizer = read(directory.path());
        (0..10).filter(|id| tokenizer.ends_text(*id)).collect::<Vec<u32>>()
    };
    assert_eq!(ends(), [1, 7]);
    write("generation_config.json", r#"{"eos_token_id": [4, 5]}"#);
    assert_eq!(ends(), [1, 4, 5], "generation_config.json stands above config.json");
}
