//! Random damage to every kind of file: whatever opens can be read, and nothing panics.
//!
//! `HYPERCOLUMN_DAMAGES` sets how many files are tried; without it a few hundred.

use crate::parity::fixtures;
use hypercolumn_extract::model::open_checkpoint;
use std::path::Path;

/// Marsaglia's xorshift: the same damage on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Texts and numbers that readers stumble over.
const AWKWARD: [&[u8]; 12] = [
    b"0",
    b"-1",
    b"1e308",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"18446744073709551615",
    b"\"\"",
    &[0xff; 8],
    &[0; 8],
    &[0, 0, 0, 0, 0, 0, 0, 0x10],
];

/// Changes the first `end` bytes in a few places.
fn damage(bytes: &mut Vec<u8>, end: usize, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(end.min(bytes.len()));
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
            2 => {
                let text = AWKWARD[random.below(AWKWARD.len())];
                let end = (at + text.len()).min(bytes.len());
                bytes.splice(at..end, text.iter().copied());
            }
            _ => {
                let text = AWKWARD[random.below(AWKWARD.len())];
                let digits = bytes[at..].iter().position(u8::is_ascii_digit).map_or(at, |d| at + d);
                let rest = bytes[digits..].iter().take_while(|b| b.is_ascii_digit()).count();
                bytes.splice(digits..digits + rest, text.iter().copied());
            }
        }
    }
}

/// Opens a model and, if it opens, reads all of it.
fn read(path: &Path) -> bool {
    let Ok(checkpoint) = open_checkpoint(path) else { return false };
    let read = (0..checkpoint.architecture().shape.n_layers).all(|layer| checkpoint.layer(layer).is_ok());
    read && checkpoint.embeddings(&[0, 1]).is_ok() && checkpoint.unembedding().is_ok()
}

#[test]
fn random_damage_is_survived() {
    let n = std::env::var("HYPERCOLUMN_DAMAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let directory = tempfile::tempdir().expect("a directory");
    let families = ["llama", "gemma2", "phi3-longrope", "gpt2", "gpt-neox", "smollm3", "llama-yarn"];
    let mut n_opened = 0;
    for _ in 0..n {
        let from = fixtures().join(families[random.below(families.len())]);
        let name = ["config.json", "model.safetensors", "model.gguf"][random.below(3)];
        for name in ["config.json", "model.safetensors"] {
            std::fs::copy(from.join(name), directory.path().join(name)).expect("a copy");
        }
        let mut bytes = std::fs::read(from.join(name)).expect("a fixture");
        let end = if name == "config.json" { bytes.len() } else { 3000 };
        damage(&mut bytes, end, &mut random);
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        let opened = read(if name == "model.gguf" { &path } else { directory.path() });
        n_opened += usize::from(opened);
    }
    let n_refused = n - n_opened;
    assert!(2 * n_refused >= n, "{n_refused} of {n} damaged files are refused");
}
