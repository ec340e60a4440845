//! A GGUF file gives the same numbers as safetensors with what its values stand for.

use crate::expected::Expected;
use crate::parity::{fixtures, name};
use crate::reference::{Passed, forward};
use hypercolumn_extract::model::{architecture::Checkpoint, open_checkpoint};
use std::path::Path;

/// Largest absolute difference at any position, layer and head.
const TOLERANCE: f64 = 1e-5;

fn largest_difference(a: &Passed, b: &Passed) -> f64 {
    let flat = |p: &Passed| -> Vec<f64> {
        let hidden = p.hidden.iter().flatten().flatten();
        let attention = p.attention.iter().flatten().flatten().flatten();
        hidden.chain(attention).chain(p.logits.iter().flatten()).copied().collect()
    };
    let (a, b) = (flat(a), flat(b));
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn open(path: &Path) -> Box<dyn Checkpoint> {
    open_checkpoint(path).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn each_file_agrees_with_its_directory() {
    let entries = std::fs::read_dir(fixtures()).expect("fixtures").map(|e| e.expect("an entry").path());
    let (mut n, mut apart) = (0, Vec::new());
    for directory in entries.filter(|path| path.join("model.gguf").is_file()) {
        let expected = directory.join("expected.safetensors");
        let ids = if expected.is_file() {
            Expected::read(&expected).prompts().remove(0)
        } else {
            (0..16).map(|i| i * 7 % 48).collect()
        };
        let (file, plain) = (open(&directory.join("model.gguf")), open(&directory));
        let difference = largest_difference(&forward(&*file, &ids), &forward(&*plain, &ids));
        if difference > TOLERANCE {
            apart.push((name(&directory), difference));
        }
        n += 1;
    }
    assert!(n >= 13, "{n} files");
    assert!(apart.is_empty(), "{apart:?}");
}
