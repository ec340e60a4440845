//! Commands in messages: each works as it stands, with the lake and the study of the command that printed it.

mod support;

use std::fs;
use std::process::Command;
use support::two_tasks::{STUDY, prompts};
use support::{Bench, Ran, checkpoint};

const LAKE: &str = "my lakes/one";

/// A bench with the study in `studies/s.toml`, run into a lake that is not the default one.
fn filled() -> Bench {
    let bench = Bench::new();
    checkpoint::write(&bench, "studies/model", 1);
    bench.write("studies/s.toml", STUDY);
    bench.write("studies/mine.jsonl", prompts("Line", 0));
    bench.write("studies/other.jsonl", prompts("Row", 0));
    bench.run(&["run", "studies/s.toml", "--lake", LAKE]).succeeds();
    bench
}

/// The commands in backticks.
fn hinted(text: &str) -> Vec<String> {
    let commands = text.split('`').filter(|part| part.starts_with("hypercolumn "));
    commands.map(str::to_owned).collect()
}

/// Pastes a command into a shell.
fn paste(bench: &Bench, command: &str) -> Ran {
    let program = bench.command(&[]);
    let directory = std::path::Path::new(program.get_program()).parent().expect("a directory").to_owned();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").expect("a path"));
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(bench.path("")).env("PATH", path);
    for (name, value) in program.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        shell.env(name, value);
    }
    Ran::of(shell)
}

#[track_caller]
fn one(text: &str) -> String {
    let commands = hinted(text);
    assert_eq!(commands.len(), 1, "{text}");
    commands[0].clone()
}

#[test]
fn what_is_stale_is_made_again_by_the_command_that_status_and_sql_show() {
    let bench = filled();
    bench.write("studies/mine.jsonl", prompts("Other", 0));
    bench.run(&["ingest", "studies/s.toml", "--lake", LAKE]).succeeds();
    let status = bench.run(&["status", "--lake", LAKE]).succeeds().text();
    let asked = bench.run(&["sql", "SELECT count(*) FROM rsa", "--lake", LAKE]).succeeds().stderr;
    let command = one(&status);
    assert_eq!(command, "hypercolumn run studies/s.toml --lake 'my lakes/one'");
    assert_eq!(one(&asked), command);
    paste(&bench, &command).succeeds();
    let status = bench.run(&["status", "--lake", LAKE]).succeeds().text();
    assert!(!status.contains("stale") && !bench.path("lake").exists(), "{status}");
}

#[test]
fn a_study_whose_file_has_gone_is_named() {
    let bench = filled();
    bench.write("studies/mine.jsonl", prompts("Other", 0));
    bench.run(&["ingest", "studies/s.toml", "--lake", LAKE]).succeeds();
    fs::remove_file(bench.path("studies/s.toml")).expect("removed");
    let status = bench.run(&["status", "--lake", LAKE]).succeeds().text();
    assert!(status.contains("running study `s` makes it again; its file is not where it was"), "{status}");
}

#[test]
fn an_extraction_without_a_study_is_made_again_by_itself() {
    let bench = Bench::new();
    checkpoint::write(&bench, "some/model", 1);
    bench.write("p.jsonl", prompts("Line", 0));
    let ingest = ["ingest", "--task", "mine", "--prompts", "p.jsonl", "--lake", LAKE];
    bench.run(&ingest).succeeds();
    let extract =
        ["extract", "--task", "mine", "--model", "some/model", "--model-name", "a b", "--lake", LAKE];
    bench.run(&extract).succeeds();
    bench.write("p.jsonl", prompts("Other", 0));
    bench.run(&ingest).succeeds();
    let command = one(&bench.run(&["status", "--lake", LAKE]).succeeds().text());
    paste(&bench, &command).succeeds();
    let status = bench.run(&["status", "--lake", LAKE]).succeeds().text();
    assert!(!status.contains("stale"), "{status}");
}

#[test]
fn stages_in_the_wrong_order_name_the_stage_before_with_study_model_and_lake() {
    let bench = filled();
    checkpoint::write(&bench, "studies/another", 2);
    let model = ["--model", "studies/another", "--lake", "second"];
    let with_model = |command: &'static str| [&[command, "studies/s.toml"], &model[..]].concat();
    let run = |command: &'static str| bench.run(&with_model(command));
    let missing = run("analyze").refuses(&["could not open lake `second`"]);
    assert_eq!(one(&missing.stderr), "hypercolumn run studies/s.toml --model studies/another --lake second");
    bench
        .run(&["ingest", "--task", "third", "--prompts", "studies/mine.jsonl", "--lake", "second"])
        .succeeds();
    let unknown = run("analyze").refuses(&["the lake has no task `mine`"]);
    let commands = hinted(&unknown.stderr);
    assert_eq!(commands[0], "hypercolumn ingest studies/s.toml --lake second");
    paste(&bench, &commands[0]).succeeds();
    let unread = run("analyze").refuses(&["has not read task"]);
    paste(&bench, &one(&unread.stderr)).succeeds();
    run("analyze").succeeds();
}

#[test]
fn a_damaged_lake_is_put_right_by_the_commands_shown() {
    let bench = filled();
    let sql = bench.run(&["sql", "SELEC 1", "--lake", LAKE]).fails(2, &["could not answer"]);
    for command in hinted(&sql.stderr) {
        paste(&bench, &command).succeeds();
    }
    let file = support::contents(&bench.path(LAKE).join("responses")).into_keys().find(|p| p.is_file());
    fs::remove_file(file.expect("a file")).expect("removed");
    let stopped = bench.run(&["report", "studies/s.toml", "--lake", LAKE]).fails(1, &["is missing"]);
    let commands = hinted(&stopped.stderr);
    assert_eq!(
        commands,
        ["hypercolumn verify --lake 'my lakes/one'", "hypercolumn repair --lake 'my lakes/one'"]
    );
    assert_eq!(paste(&bench, &commands[0]).code, Some(3));
    let repair = bench.run(&["repair", "--plan", "--lake", LAKE]);
    assert_eq!(repair.code, Some(3), "{}", repair.stderr);
    paste(&bench, &one(&repair.stderr)).succeeds();
    paste(&bench, &commands[0]).succeeds();
}
