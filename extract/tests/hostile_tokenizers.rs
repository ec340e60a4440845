//! Tokenizer files that are malformed or lie: each is refused with a sentence, and none brings the program down.

use hypercolumn_extract::tokenize::tokenizer::Tokenizer;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What damaged bytes become.
const ALPHABET: &[u8] = b"0123456789\"{}[],:\xff\x00 a";

const N_MUTATIONS: usize = 400;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers").join(name)
}

/// A small byte-pair tokenizer, changed by `change`.
fn tokenizer_json(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut file = json!({
        "added_tokens": [{
            "id": 3, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true
        }],
        "normalizer": null, "pre_tokenizer": null, "decoder": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [3], "tokens": ["<s>"]}}
        },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false,
            "vocab": {"a": 0, "b": 1, "ab": 2, "<s>": 3}, "merges": ["a b"]
        }
    });
    change(&mut file);
    serde_json::to_vec(&file).unwrap()
}

fn read(files: &[(&str, Vec<u8>)]) -> Result<Tokenizer, String> {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    Tokenizer::from_directory(directory.path())
}

fn refusal(files: &[(&str, Vec<u8>)]) -> String {
    read(files).expect_err("it should be refused")
}

#[test]
fn the_small_tokenizer_works_when_left_alone() {
    let tokenizer = read(&[("tokenizer.json", tokenizer_json(|_| {}))]).unwrap();
    assert_eq!(tokenizer.encode("abb").unwrap().ids, [3, 2, 1]);
    assert_eq!(tokenizer.n_vocabulary(), 4);
}

#[test]
fn a_tokenizer_json_that_lies_is_refused_by_entry() {
    type Change = fn(&mut Value);
    let lies: [(Change, &str); 18] = [
        (|f| f["model"]["merges"] = json!(["a c"]), "the piece `c`"),
        (|f| f["model"]["merges"] = json!(["b a"]), "the piece `ba`"),
        (|f| f["model"]["merges"] = json!([["a"]]), "is not a pair"),
        (|f| f["model"]["merges"] = json!(["a b c"]), "is not a pair"),
        (|f| f["model"]["merges"] = Value::Null, "`merges`"),
        (|f| f["model"]["vocab"] = json!({}), "`vocab`"),
        (|f| f["model"]["vocab"]["b"] = json!(0), "the id 0"),
        (|f| f["model"]["vocab"]["b"] = json!(-1), "the id of `b`"),
        (|f| f["model"]["vocab"]["b"] = json!(u64::MAX), "the id of `b`"),
        (|f| f["model"]["dropout"] = json!(0.1), "`dropout`"),
        (|f| f["model"]["continuing_subword_prefix"] = json!("##"), "`continuing_subword_prefix`"),
        (|f| f["model"]["type"] = json!("WordPiece"), "`WordPiece`"),
        (|f| f["added_tokens"][0]["id"] = json!(7), "cannot have the id 7"),
        (|f| f["post_processor"]["special_tokens"] = json!({}), "the post-processor's token `<s>`"),
        (
            |f| f["post_processor"]["special_tokens"]["<s>"]["ids"] = json!([900]),
            "the post-processor's token `<s>`",
        ),
        (
            |f| f["post_processor"]["special_tokens"]["<s>"]["tokens"] = json!([]),
            "the post-processor's token `<s>`",
        ),
        (
            |f| f["post_processor"] = json!({"type": "BertProcessing", "sep": ["b", 77], "cls": ["a", 0]}),
            "the id 77",
        ),
        (
            |f| f["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
            "`Precompiled`",
        ),
    ];
    for (change, expected) in lies {
        let found = refusal(&[("tokenizer.json", tokenizer_json(change))]);
        assert!(found.contains(expected), "{found:?} should name {expected:?}");
    }
}

#[test]
fn side_files_that_contradict_the_vocabulary_are_refused() {
    let whole = || ("tokenizer.json", tokenizer_json(|_| {}));
    let config = |value: Value| ("tokenizer_config.json", serde_json::to_vec(&value).unwrap());
    let cases = [
        (config(json!({"added_tokens_decoder": {"9": {"content": "<x>"}}})), "`<x>` cannot have the id 9"),
        (config(json!({"added_tokens_decoder": {"x": {"content": "<x>"}}})), "entry `x`"),
        (
            config(
                json!({"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": true, "bos_token": "<bos>"}),
            ),
            "`<bos>` is in no vocabulary",
        ),
        (config(json!({"add_bos_token": "yes"})), "not true or false"),
        (("added_tokens.json", b"{\"<x>\": -4}".to_vec()), "`<x>`"),
        (("generation_config.json", b"[".to_vec()), "`generation_config.json` is not"),
        (("special_tokens_map.json", vec![0xff]), "`special_tokens_map.json` is not"),
    ];
    for (file, expected) in cases {
        let found = refusal(&[whole(), file]);
        assert!(found.contains(expected), "{found:?} should name {expected:?}");
    }
    assert!(refusal(&[]).contains("accepted: `tokenizer.json`"));
}

/// One field of a protocol buffer: its number, and bytes with their length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut made = vec![number << 3 | 2];
    let mut rest = bytes.len();
    while rest >= 0x80 {
        made.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    made.push(rest as u8);
    made.extend(bytes);
    made
}

fn piece(text: &str, score: f32, kind: u8) -> Vec<u8> {
    let mut entry = field(1, text.as_bytes());
    entry.push(2 << 3 | 5);
    entry.extend(score.to_le_bytes());
    entry.extend([3 << 3, kind]);
    field(1, &entry)
}

/// A SentencePiece model of `pieces`, its type and its normalizer's fields.
fn sentencepiece(pieces: &[(&str, f32, u8)], model_type: u8, normalizer: &[u8]) -> Vec<u8> {
    let mut model: Vec<u8> =
        pieces.iter().flat_map(|(text, score, kind)| piece(text, *score, *kind)).collect();
    model.extend(field(2, &[3 << 3, model_type]));
    model.extend(field(3, normalizer));
    model
}

#[test]
fn a_sentencepiece_model_that_lies_is_refused_by_entry() {
    let unknown = ("<unk>", 0.0, 2);
    let cases = [
        (Vec::new(), "Unigram"),
        (sentencepiece(&[], 2, &[]), "no unknown piece"),
        (sentencepiece(&[unknown], 1, &[]), "Unigram"),
        (sentencepiece(&[unknown], 9, &[]), "unknown type"),
        (sentencepiece(&[unknown, ("a", 0.0, 1), ("a", 0.0, 1)], 2, &[]), "are both `a`"),
        (sentencepiece(&[unknown, ("b", 0.0, 2)], 2, &[]), "second unknown"),
        (sentencepiece(&[unknown, ("a", f32::NAN, 1)], 2, &[]), "finite score"),
        (sentencepiece(&[unknown, ("", 0.0, 1)], 2, &[]), "no text"),
        (sentencepiece(&[unknown, ("<0xZZ>", 0.0, 6)], 2, &[]), "names no byte"),
        (sentencepiece(&[unknown, ("a", 0.0, 99)], 2, &[]), "the type 99"),
        (sentencepiece(&[unknown], 2, &[5 << 3, 0]), "`escape_whitespaces`"),
        (sentencepiece(&[unknown], 2, &field(2, &[255, 255, 255, 255, 0])), "`precompiled_charsmap`"),
        (vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], "not a SentencePiece model"),
        (b"version https://git-lfs.github.com/spec/v1".to_vec(), "not a SentencePiece model"),
    ];
    for (bytes, expected) in cases {
        let found = refusal(&[("tokenizer.model", bytes)]);
        assert!(found.contains(expected), "{found:?} should name {expected:?}");
    }
}

#[test]
fn an_added_token_cannot_take_the_id_of_a_piece() {
    let model = sentencepiece(&[("<unk>", 0.0, 2), ("a", 0.0, 1)], 2, &[]);
    let added = |text: &str| ("added_tokens.json", text.as_bytes().to_vec());
    let model = || ("tokenizer.model", model.clone());
    assert!(refusal(&[model(), added(r#"{"<x>": 1}"#)]).contains("the id 1 of `a`"));
    assert!(refusal(&[model(), added(r#"{"a": 5}"#)]).contains("the id 5, and 1"));
    let far = read(&[model(), added(r#"{"<x>": 4000000000}"#)]).unwrap();
    assert_eq!(far.n_vocabulary(), 4_000_000_001);
    assert_eq!(far.encode("<x>").unwrap().ids.last(), Some(&4_000_000_000));
}

/// Changes bytes, cuts or repeats a stretch.
fn mutate(bytes: &mut Vec<u8>, draw: &mut impl Rng) {
    for _ in 0..draw.random_range(1..6) {
        let at = draw.random_range(0..bytes.len());
        match draw.random_range(0..6) {
            0 => bytes.truncate(at + 1),
            1 => {
                let stretch = bytes[at..bytes.len().min(at + 40)].to_vec();
                bytes.splice(at..at, stretch);
            }
            2 => bytes[at] ^= 1 << draw.random_range(0..8),
            _ => bytes[at] = *ALPHABET.choose(draw).unwrap(),
        }
    }
}

#[test]
fn a_damaged_file_is_refused_or_gives_ids_and_spans_in_range() {
    let text = "Zoë's 北京 <s>\n\t👩\u{200d}👧 ﬁ <|user|>  12 x";
    let n_characters = text.chars().count() as u32;
    let mut draw = ChaCha8Rng::seed_from_u64(3);
    for (case, name) in [
        ("spm-llama", "tokenizer.model"),
        ("spm-mapped", "tokenizer.model"),
        ("json-llama3", "tokenizer.json"),
        ("json-llama2", "tokenizer.json"),
    ] {
        let whole = fs::read(fixture(case).join(name)).unwrap();
        let mut n_read = 0;
        for _ in 0..N_MUTATIONS {
            let mut bytes = whole.clone();
            mutate(&mut bytes, &mut draw);
            let Ok(tokenizer) = read(&[(name, bytes)]) else { continue };
            n_read += 1;
            let Ok(encoding) = tokenizer.encode(text) else { continue };
            assert!(encoding.ids.iter().all(|id| (*id as usize) < tokenizer.n_vocabulary()));
            assert!(encoding.offsets.iter().all(|(start, end)| start <= end && *end <= n_characters));
            tokenizer.decode(&encoding.ids).unwrap();
        }
        assert!(n_read > 0, "{case}: no damaged file was read");
    }
}
