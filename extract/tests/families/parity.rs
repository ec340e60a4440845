//! Every family's checkpoints, loaded and read by the engine and by the plain forward pass, give what transformers gives.

use crate::engine::{read_in_steps, read_together};
use crate::expected::{Difference, Expected};
use crate::reference::forward;
use hypercolumn_extract::cpu::Cpu;
use hypercolumn_extract::forward::{Backend, Placement};
use hypercolumn_extract::model::open_checkpoint;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Largest absolute difference at any position, layer and head.
pub const TOLERANCE: f64 = 1e-4;

/// Names a directory of other checkpoints with `expected.safetensors`, in the form that `make_families.py` writes.
const VARIABLE: &str = "HYPERCOLUMN_REFERENCE";

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/families")
}

/// Largest differences of the engine and of the plain forward pass from the expected values.
fn difference(directory: &Path) -> Difference {
    let checkpoint = open_checkpoint(directory).unwrap_or_else(|e| panic!("{e}"));
    let expected = Expected::read(&directory.join("expected.safetensors"));
    let prompts = expected.prompts();
    let mut largest = Difference::default();
    let together = read_together(&*checkpoint, &prompts, Placement::Resident);
    for (prompt, (ids, passed)) in prompts.iter().zip(&together).enumerate() {
        largest.include(expected.compare(prompt, passed));
        largest.include(expected.compare(prompt, &forward(&*checkpoint, ids)));
    }
    largest
}

/// Company, the order of prompts and where the weights are change no bit.
fn check_invariance(directory: &Path) {
    let checkpoint = open_checkpoint(directory).unwrap_or_else(|e| panic!("{e}"));
    let prompts = Expected::read(&directory.join("expected.safetensors")).prompts();
    let together = read_together(&*checkpoint, &prompts, Placement::Resident);
    let reversed: Vec<Vec<u32>> = prompts.iter().rev().cloned().collect();
    let mut reversed = read_together(&*checkpoint, &reversed, Placement::Streamed { ahead: true });
    reversed.reverse();
    assert!(together == reversed, "{}: order or streaming changes numbers", directory.display());
    for (ids, passed) in prompts.iter().zip(&together) {
        let alone =
            read_together(&*checkpoint, std::slice::from_ref(ids), Placement::Streamed { ahead: false });
        assert!(alone[0] == *passed, "{}: company changes numbers", directory.display());
    }
}

#[test]
fn company_order_and_streaming_change_no_bit() {
    for directory in cases(&fixtures()) {
        check_invariance(&directory);
    }
}

/// Token by token, as responses are read: past the end of a tile, with two that continue the same, and again where other
/// keys and values have been.
#[test]
fn reading_in_steps_changes_no_bit() {
    for directory in cases(&fixtures()) {
        let checkpoint = open_checkpoint(&directory).unwrap_or_else(|e| panic!("{e}"));
        let shape = checkpoint.architecture().shape;
        let token = |i: usize| (i * 7 % shape.n_vocabulary) as u32;
        let prompt = |n: usize, fork: usize, by: usize| -> Vec<u32> {
            (0..n).map(|i| token(if i < fork { i } else { i + by })).collect()
        };
        let model = Cpu.load(&*checkpoint, Placement::Resident).expect("loaded");
        for (n, n_first) in [(40, 3), (27, 1), (38, 5)] {
            let prompts =
                [prompt(n, n, 0), prompt(n - 1, n / 2, 1), prompt(n, n / 2 + 1, 2), prompt(9, 0, 3)];
            let together = read_together(&*checkpoint, &prompts, Placement::Resident);
            let in_steps = read_in_steps(&*model, &prompts, n_first);
            assert!(in_steps == together, "{}: {n} tokens, {n_first} at first", directory.display());
        }
    }
}

pub fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// The checkpoints under `directory` that have expected values.
pub fn cases(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory of checkpoints");
    let mut cases: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    cases.retain(|path| path.join("expected.safetensors").is_file());
    cases.sort();
    cases
}

/// Each checkpoint under `directory` with its largest differences.
fn table(directory: &Path) -> Vec<(String, Difference)> {
    cases(directory).iter().map(|path| (name(path), difference(path))).collect()
}

/// A copy of a fixture's checkpoint with a changed configuration, its expected values left out.
fn copied(name: &str, change: impl Fn(&mut serde_json::Map<String, Value>)) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for file in std::fs::read_dir(fixtures().join(name)).expect("a fixture") {
        let file = file.expect("a file").path();
        std::fs::copy(&file, directory.path().join(file.file_name().expect("a name"))).expect("copied");
    }
    let path = directory.path().join("config.json");
    let bytes = std::fs::read(&path).expect("a configuration");
    let Ok(Value::Object(mut config)) = serde_json::from_slice(&bytes) else { panic!("an object") };
    change(&mut config);
    std::fs::write(&path, Value::Object(config).to_string()).expect("written");
    directory
}

/// Longest text of a checkpoint, in tokens.
fn n_ctx(directory: &tempfile::TempDir) -> usize {
    let checkpoint = open_checkpoint(directory.path()).unwrap_or_else(|e| panic!("{e}"));
    checkpoint.architecture().shape.n_ctx
}

#[test]
fn the_context_is_that_after_stretching_and_transformers_default_where_it_is_absent() {
    let absent = copied("llama", |config| drop(config.remove("max_position_embeddings")));
    assert_eq!(n_ctx(&absent), 2048);
    let with_scaling = |scaling: Value| {
        copied("llama", move |config| {
            config.remove("rope_parameters");
            config.insert("rope_theta".to_owned(), json!(10_000.0));
            config.insert("max_position_embeddings".to_owned(), json!(64));
            config.insert("rope_scaling".to_owned(), scaling.clone());
        })
    };
    assert_eq!(n_ctx(&with_scaling(json!({"type": "linear", "factor": 4.0}))), 256);
    let yarn = json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32});
    assert_eq!(n_ctx(&with_scaling(yarn.clone())), 128);
    let mut remarked = yarn;
    remarked["finetuned"] = json!(true);
    remarked["attn_factor"] = json!(0.9);
    assert_eq!(n_ctx(&with_scaling(remarked)), 128);
}

/// Tied weights that are stored once, under the name of the matrix to logits.
#[test]
fn tied_weights_are_found_under_either_name() {
    for (name, embedding) in [("smollm3", "model.embed_tokens.weight"), ("gpt2", "transformer.wte.weight")] {
        let copy = copied(name, |_| {});
        let plain = open_checkpoint(copy.path()).unwrap_or_else(|e| panic!("{e}"));
        let file = copy.path().join("model.safetensors");
        let bytes = std::fs::read(&file).expect("weights");
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("weights");
        let renamed = tensors.tensors().into_iter().map(|(tensor, view)| {
            (if tensor == embedding { "lm_head.weight".to_owned() } else { tensor }, view)
        });
        let tied = tempfile::tempdir().expect("a directory");
        std::fs::copy(copy.path().join("config.json"), tied.path().join("config.json")).expect("copied");
        safetensors::serialize_to_file(renamed, None, &tied.path().join("model.safetensors"))
            .expect("written");
        let tied = open_checkpoint(tied.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let prompts = [vec![1, 2, 3]];
        let read = |checkpoint| read_together(checkpoint, &prompts, Placement::Resident);
        assert!(read(&*tied) == read(&*plain), "{name}");
    }
}

/// Sites inside a block are what the plain forward pass has there, and add up to the residual stream.
#[test]
fn states_inside_a_block_are_those_of_the_plain_forward_pass() {
    for directory in cases(&fixtures()) {
        let checkpoint = open_checkpoint(&directory).unwrap_or_else(|e| panic!("{e}"));
        let prompts = Expected::read(&directory.join("expected.safetensors")).prompts();
        for (ids, passed) in prompts.iter().zip(read_together(&*checkpoint, &prompts, Placement::Resident)) {
            let plain = forward(&*checkpoint, ids);
            for (layer, (ours, theirs)) in passed.inner.iter().zip(&plain.inner).enumerate() {
                let sites = [
                    (&ours.resid_pre, &theirs.resid_pre),
                    (&ours.z, &theirs.z),
                    (&ours.attn_out, &theirs.attn_out),
                    (&ours.resid_mid, &theirs.resid_mid),
                    (&ours.mlp_out, &theirs.mlp_out),
                ];
                for (site, (ours, theirs)) in sites.into_iter().enumerate() {
                    let apart = largest_difference(ours, theirs);
                    assert!(
                        apart < TOLERANCE,
                        "{}: layer {}, site {site}: {apart}",
                        directory.display(),
                        layer + 1
                    );
                }
                assert_eq!(
                    ours.resid_pre, passed.hidden[layer],
                    "resid_pre is resid_post of the block before"
                );
            }
        }
    }
}

/// Infinite where the shapes differ.
pub fn largest_difference(ours: &[Vec<f64>], theirs: &[Vec<f64>]) -> f64 {
    if ours.len() != theirs.len() || ours.iter().zip(theirs).any(|(a, b)| a.len() != b.len()) {
        return f64::INFINITY;
    }
    ours.iter().flatten().zip(theirs.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn every_family_gives_what_transformers_gives() {
    let table = table(&fixtures());
    assert!(table.len() >= 20, "{} checkpoints", table.len());
    let wrong: Vec<_> = table.iter().filter(|(_, d)| d.largest() > TOLERANCE).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Prints the differences of each checkpoint in `HYPERCOLUMN_REFERENCE`, or of the fixtures.
#[test]
#[ignore = "prints the table of docs/models.md"]
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
