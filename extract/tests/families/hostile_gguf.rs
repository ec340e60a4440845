//! As `hostile`, for GGUF files: each byte of a header may lie.

use crate::hostile::LONGEST;
use crate::parity::fixtures;
use hypercolumn_extract::model::open_checkpoint;
use std::path::PathBuf;
use std::time::Instant;

fn fixture() -> Vec<u8> {
    std::fs::read(fixtures().join("llama/model.gguf")).expect("a fixture")
}

/// The message with which a file is refused at once; `None` if it opens.
fn refusal(bytes: &[u8]) -> Option<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path: PathBuf = directory.path().join("model.gguf");
    std::fs::write(&path, bytes).expect("written");
    let started = Instant::now();
    let error = open_checkpoint(&path).err().map(|e| e.to_string());
    assert!(started.elapsed() < LONGEST, "{error:?}");
    error
}

#[track_caller]
fn assert_refused(bytes: &[u8], says: &str) {
    let message = refusal(bytes).expect("a refusal");
    assert!(message.contains(says), "`{message}` does not say `{says}`");
}

/// A header of metadata alone.
fn header(version: u32, n_tensors: u64, n_entries: u64, entries: &[u8]) -> Vec<u8> {
    let counts =
        [version.to_le_bytes().as_slice(), &n_tensors.to_le_bytes(), &n_entries.to_le_bytes()].concat();
    [b"GGUF".as_slice(), &counts, entries].concat()
}

fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    let length = (key.len() as u64).to_le_bytes();
    [length.as_slice(), key.as_bytes(), &kind.to_le_bytes(), value].concat()
}

#[test]
fn no_gguf_file() {
    assert_refused(b"", "is empty");
    assert_refused(b"GG", "is truncated");
    assert_refused(b"PK\x03\x04 and more", "does not begin with `GGUF`");
    assert_refused(&header(99, 0, 0, &[]), "is GGUF version 99");
    assert_refused(&header(3, 0, 0, &[]), "no `general.architecture`");
}

#[test]
fn counts_and_lengths_that_lie() {
    let huge = 1u64 << 60;
    assert_refused(&header(3, huge, 0, &[]), "tensors; at most");
    assert_refused(&header(3, 0, huge, &[]), "entries of metadata; at most");
    assert_refused(&header(3, 0, 1, &huge.to_le_bytes()), "bytes in a text; at most");
    assert_refused(&header(3, 0, 1, &entry("a", 8, &(1u64 << 23).to_le_bytes())), "is truncated");
    let array = [&8u32.to_le_bytes(), huge.to_le_bytes().as_slice()].concat();
    assert_refused(&header(3, 0, 1, &entry("a", 9, &array)), "elements in an array; at most");
    let array = [&10u32.to_le_bytes(), (1u64 << 22).to_le_bytes().as_slice()].concat();
    assert_refused(&header(3, 0, 1, &entry("a", 9, &array)), "is truncated");
    let nested = [&9u32.to_le_bytes(), 1u64.to_le_bytes().as_slice()].concat().repeat(100_000);
    assert_refused(&header(3, 0, 1, &entry("a", 9, &nested)), "nests arrays deeper");
    assert_refused(&header(3, 0, 1, &entry("a", 77, &[])), "unknown type 77");
    let twice = entry("a", 4, &1u32.to_le_bytes()).repeat(2);
    assert_refused(&header(3, 0, 2, &twice), "lists `a` a second time");
}

#[test]
fn alignments_that_cannot_be() {
    for alignment in [0u32, 1, 7, 48, u32::MAX] {
        let entries = entry("general.alignment", 4, &alignment.to_le_bytes());
        assert_refused(&header(3, 0, 1, &entries), "`general.alignment`");
    }
}

/// A zero byte at the end of a name is dropped when it is read.
#[test]
fn names_that_are_spelt_otherwise_and_mean_the_same() {
    let alignment = entry("general.alignment\0", 4, &0u32.to_le_bytes());
    assert_refused(&header(3, 0, 1, &alignment), "`general.alignment`");
    let twice = [entry("a", 4, &[0; 4]), entry("a\0", 4, &[0; 4])].concat();
    assert_refused(&header(3, 0, 2, &twice), "lists `a` a second time");
    let mut name = entry("a", 4, &[0; 4]);
    name[8] = 0xff;
    assert_refused(&header(3, 0, 1, &name), "is no text");
}

/// A tensor without values has no bytes, whatever its other dimensions say.
#[test]
fn a_row_that_has_more_bytes_than_can_be_counted() {
    let name = "rope_freqs.weight";
    let architecture = entry("general.architecture", 8, &[&5u64.to_le_bytes(), b"llama".as_slice()].concat());
    let dims = [1u64 << 63, 0].map(u64::to_le_bytes).concat();
    let tensor = [&(name.len() as u64).to_le_bytes(), name.as_bytes(), &2u32.to_le_bytes(), &dims, &[0; 12]];
    let mut bytes = header(3, 1, 1, &[architecture, tensor.concat()].concat());
    bytes.resize(bytes.len() + 64, 0);
    assert_refused(&bytes, "tensor `rope_freqs.weight` has an impossible size");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = fixture();
    for kept in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        assert!(refusal(&bytes[..kept]).is_some(), "{kept} bytes of {} opened", bytes.len());
    }
}

#[test]
fn a_changed_byte_of_the_header_never_panics() {
    let bytes = fixture();
    let end = bytes.windows(11).rposition(|w| w == b"attn_k.weig").expect("tensors in the header") + 200;
    for at in (0..end.min(bytes.len())).step_by(3) {
        for value in [0, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = refusal(&changed);
        }
    }
}

#[test]
fn metadata_that_is_not_carried_out() {
    let bytes = fixture();
    let with = |name: &str, key: &str| {
        let at = bytes.windows(name.len()).position(|w| w == name.as_bytes()).expect("the key");
        let mut changed = bytes.clone();
        changed[at..at + key.len()].copy_from_slice(key.as_bytes());
        changed
    };
    assert_refused(&with("llama.vocab_size", "llama.expert_cnt"), "`llama.expert_cnt`");
    assert_refused(&with("llama.block_count", "llama.block_coont"), "llama.block_coont");
}

#[test]
fn what_is_whole_and_not_read_is_named() {
    let text = |value: &str| [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat();
    let unknown = entry("general.architecture", 8, &text("gemma3"));
    assert_refused(&header(3, 0, 1, &unknown), "its architecture is `gemma3`; expected one of `llama`");
    let part =
        [entry("split.no", 2, &1u16.to_le_bytes()), entry("split.count", 2, &3u16.to_le_bytes())].concat();
    assert_refused(&header(3, 0, 2, &part), "is one of 3 parts of a model");
    let llama = entry("general.architecture", 8, &text("llama"));
    for (number, name) in [(20u32, "IQ4_NL"), (23, "IQ4_XS"), (34, "TQ1_0"), (39, "MXFP4")] {
        let tensor = [
            text("a.weight"),
            [1u32.to_le_bytes().as_slice(), &32u64.to_le_bytes(), &number.to_le_bytes(), &[0; 8]].concat(),
        ];
        let bytes = header(3, 1, 1, &[llama.clone(), tensor.concat()].concat());
        assert_refused(&bytes, &format!("stores tensor `a.weight` as {name}, which is not read"));
    }
}
