//! Every family's checkpoints, loaded and read by the plain forward pass, give what transformers gives.

use crate::expected::{Difference, Expected};
use crate::reference::forward;
use hypercolumn_extract::model::open_checkpoint;
use std::path::{Path, PathBuf};

/// Largest absolute difference at any position, layer and head.
const TOLERANCE: f64 = 1e-4;

/// The directory that a user's own checkpoints with expected values are in.
const VARIABLE: &str = "HYPERCOLUMN_REFERENCE";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/families")
}

fn difference(directory: &Path) -> Difference {
    let checkpoint = open_checkpoint(directory).unwrap_or_else(|e| panic!("{e}"));
    let expected = Expected::read(&directory.join("expected.safetensors"));
    let mut largest = Difference::default();
    for (prompt, ids) in expected.prompts().iter().enumerate() {
        largest.include(expected.compare(prompt, &forward(&*checkpoint, ids)));
    }
    largest
}

/// Each checkpoint under `directory` with its largest differences.
fn table(directory: &Path) -> Vec<(String, Difference)> {
    let entries = std::fs::read_dir(directory).expect("a directory of checkpoints");
    let mut cases: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    cases.retain(|path| path.join("expected.safetensors").is_file());
    cases.sort();
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    cases.iter().map(|path| (name(path), difference(path))).collect()
}

#[test]
fn every_family_gives_what_transformers_gives() {
    let table = table(&fixtures());
    assert!(table.len() >= 20, "{} checkpoints", table.len());
    let wrong: Vec<_> = table.iter().filter(|(_, d)| d.largest() > TOLERANCE).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Prints the table of docs/models.md for the checkpoints in $HYPERCOLUMN_REFERENCE.
#[test]
#[ignore = "needs checkpoints made by scripts/make-family-fixtures.py or in its form"]
#[expect(clippy::print_stdout, reason = "the table is the point")]
fn table_of_differences() {
    let directory = std::env::var_os(VARIABLE).map_or_else(fixtures, PathBuf::from);
    println!("| checkpoint | hidden states | attention | logits |\n| --- | --- | --- | --- |");
    let table = table(&directory);
    for (name, d) in &table {
        println!("| {name} | {:.1e} | {:.1e} | {:.1e} |", d.hidden, d.attention, d.logits);
    }
    let wrong: Vec<_> = table.iter().filter(|(_, d)| d.largest() > TOLERANCE).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
