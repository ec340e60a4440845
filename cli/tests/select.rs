//! Some of a study's steps: what is selected, what is refused, what is computed again, and what a failure leaves.

mod support;

use serde_json::Value;
use std::fs;
use support::two_tasks::{STUDY, filled, prompts};
use support::{Bench, Ran, contents};

/// The steps that `plan` shows for these options: all, or those that would run.
fn planned(bench: &Bench, options: &[&str], action: Option<&str>) -> Vec<String> {
    let args = [&["plan", "study.toml", "--json"], options].concat();
    let plan = bench.run(&args).succeeds().json();
    let steps = plan["steps"].as_array().expect("steps").clone();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let is_shown = |step: &&Value| action.is_none_or(|action| step["action"] == action);
    let shown = steps.iter().filter(is_shown);
    shown.map(|step| format!("{} {}", text(&step["stage"]), text(&step["subject"]))).collect()
}

fn run(bench: &Bench, options: &[&str]) -> Ran {
    bench.run(&[&["run", "study.toml"], options].concat())
}

fn n_commits(bench: &Bench) -> usize {
    bench.run(&["history", "--json"]).succeeds().json().as_array().expect("entries").len()
}

fn set(bench: &Bench, from: &str, to: &str) {
    assert!(STUDY.contains(from), "{from}");
    bench.write("study.toml", STUDY.replace(from, to));
}

const RSA_OF_BOTH: [&str; 2] = ["analyze mine: rsa", "analyze other: rsa"];

#[test]
fn expressions_select_what_they_say() {
    let bench = filled();
    let select = |values: &[&str]| planned(&bench, &[&["--select"], values].concat(), None);
    assert_eq!(select(&["rsa"]), RSA_OF_BOTH);
    assert_eq!(select(&["rsa,task:mine"]), ["analyze mine: rsa"]);
    assert_eq!(select(&["+rsa,task:mine"]), ["ingest mine", "extract mine", "analyze mine: rsa"]);
    assert_eq!(select(&["1+rsa,task:mine"]), ["extract mine", "analyze mine: rsa"]);
    let behind = ["analyze mine: associations", "analyze mine: claims", "report s"];
    let behind_rsa = select(&["rsa+"]);
    for step in &behind[..1] {
        assert!(behind_rsa.iter().any(|s| s == step), "{behind_rsa:?}");
    }
    assert!(
        behind_rsa.iter().any(|s| s == "report s")
            && !behind_rsa.iter().any(|s| s == "analyze mine: behavior")
    );
    assert_eq!(select(&["ingest", "task:other,extract"]), ["ingest mine", "ingest other", "extract other"]);
    assert_eq!(select(&["ingest task:other,extract"]), ["ingest mine", "ingest other", "extract other"]);
    assert_eq!(select(&["extract", "report"]), ["extract mine", "extract other", "report s"]);
    assert!(!select(&["model:model"]).iter().any(|step| step.starts_with("ingest")));
    assert_eq!(select(&["model:model"]).len(), 2 + 12 + 1);
    assert_eq!(select(&["+report"]).len(), 2 + 2 + 12 + 1);
    assert_eq!(planned(&bench, &["--until", "extract"], None).len(), 4);
    assert_eq!(planned(&bench, &["--select", "task:mine", "--until", "extract"], None).len(), 2);
}

#[test]
fn what_selects_nothing_is_refused_with_the_names_there_are() {
    let bench = filled();
    for command in ["plan", "run"] {
        let refused = |expression: &str, parts: &[&str]| {
            bench.run(&[command, "study.toml", "--select", expression]).refuses(parts);
        };
        refused("rsa,extract", &["could not select `rsa,extract`", "matches no step", "probes", "task:mine"]);
        refused("probe", &["no step is called so", "did you mean `probes`?"]);
        refused("mine", &["it is a task", "`task:mine`"]);
        refused("task:min", &["no such task", "did you mean `mine`?"]);
        refused("model:gpt2", &["not the study's model", "`model`"]);
        refused("state:new", &["state:modified"]);
        refused("tag:x", &["there is no method `tag`", "task:NAME"]);
        refused("+", &["no step is called so"]);
        let late = ["--select", "report", "--until", "extract"];
        bench.run(&[&[command, "study.toml"], &late[..]].concat()).refuses(&["matches no step"]);
        bench.run(&[command, "--select", "rsa", "study.toml"]).refuses(&["study.toml"]);
    }
}

#[test]
fn a_selected_step_runs_alone_and_what_is_left_is_said() {
    let bench = filled();
    set(&bench, "a.class = b.class", "a.class <> b.class");
    let (before, options) = (n_commits(&bench), ["--select", "rsa"]);
    assert_eq!(planned(&bench, &options, Some("run")), ["analyze mine: rsa"]);
    let left = "not selected, and to be made again: analyze mine: associations, report s";
    let plan = bench.run(&[&["plan", "study.toml", "--check"], &options[..]].concat());
    assert!(plan.code == Some(4) && plan.stderr.contains(left), "{}", plan.stderr);
    let ran = run(&bench, &options).succeeds();
    assert!(ran.stderr.contains("analyze: 1 of 2 steps run") && ran.stderr.contains(left), "{}", ran.stderr);
    assert_eq!(n_commits(&bench), before + 1);
    assert_eq!(planned(&bench, &options, Some("run")), Vec::<String>::new());
    assert_eq!(
        planned(&bench, &["--select", "state:modified"], None),
        ["analyze mine: associations", "report s"]
    );
    run(&bench, &["--select", "state:modified"]).succeeds();
    let nothing = run(&bench, &["--select", "state:modified"]).succeeds();
    assert!(nothing.stderr.contains("nothing is selected"), "{}", nothing.stderr);
    bench.run(&["plan", "study.toml", "--check"]).succeeds();
}

#[test]
fn what_depends_on_a_stale_step_is_refused_and_nothing_is_written() {
    let bench = filled();
    bench.write("mine.jsonl", prompts("Other", 0));
    let before = contents(&bench.path("lake"));
    for command in ["plan", "run"] {
        for options in [&["--select", "rsa"][..], &["--select", "rsa", "--force"]] {
            bench.run(&[&[command, "study.toml"], options].concat()).refuses(&[
                "could not select `analyze mine: rsa`",
                "it depends on `ingest mine`, which is not selected and would run: the file changed; so would extract mine",
                "hint: a `+`",
            ]);
        }
    }
    assert_eq!(contents(&bench.path("lake")), before);
    // Of another task nothing is stale.
    run(&bench, &["--select", "rsa,task:other"]).succeeds();
    run(&bench, &["--select", "+rsa,task:mine"]).succeeds();
    assert_eq!(planned(&bench, &["--select", "+rsa,task:mine"], Some("run")), Vec::<String>::new());
    assert_eq!(
        planned(&bench, &[], Some("run")),
        ["analyze mine: behavior", "analyze mine: associations", "report s"]
    );
}

#[test]
fn stages_one_after_the_other_give_what_one_run_gives() {
    let bench = filled();
    let tables = |lake: &str| {
        let sql = "SELECT * FROM rsa ORDER BY ALL";
        bench.run(&["sql", sql, "--format", "csv", "--lake", lake]).succeeds().text()
    };
    for stage in ["ingest", "extract", "analyze", "report"] {
        run(&bench, &["--until", stage, "--lake", "second"]).succeeds();
        let report = bench.path("second/reports/s.html").exists();
        assert_eq!(report, stage == "report");
    }
    assert_eq!(tables("second"), tables("lake"));
}

#[test]
fn forced_steps_are_computed_again_to_the_same_tables_and_no_others_are() {
    let bench = filled();
    let files = |bench: &Bench| {
        let all = contents(&bench.path("lake")).into_keys();
        all.filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect::<Vec<_>>()
    };
    let (before, commits) = (files(&bench), n_commits(&bench));
    let options = ["--select", "extract", "rsa,task:mine", "--force"];
    let plan = bench.run(&[&["plan", "study.toml", "--json"], &options[..]].concat()).succeeds().json();
    let steps = plan["steps"].as_array().expect("steps");
    assert!(steps.len() == 3 && steps.iter().all(|s| s["action"] == "run"), "{steps:?}");
    assert!(
        steps[0]["reason"].as_str().expect("a reason").contains("asked for again; 6 prompts"),
        "{steps:?}"
    );
    let ran = run(&bench, &options).succeeds();
    assert!(!ran.stderr.contains("is replaced"), "{}", ran.stderr);
    assert_eq!(n_commits(&bench), commits + 3);
    assert_eq!(files(&bench), before);
    bench.run(&["verify"]).succeeds();
    assert_eq!(planned(&bench, &["--until", "analyze"], Some("run")), Vec::<String>::new());
    run(&bench, &["--force"]).succeeds();
    assert_eq!(n_commits(&bench), commits + 3 + 2 + 2 + 12);
    bench.run(&["plan", "study.toml", "--check"]).succeeds();
}

/// A bench whose task `mine` is too long for the model.
fn with_failing_task() -> Bench {
    let bench = filled();
    fs::remove_dir_all(bench.path("lake")).expect("removed");
    bench.write("mine.jsonl", prompts(&"Line and line".repeat(12), 0));
    bench
}

#[test]
fn a_run_that_keeps_going_does_what_does_not_depend_on_the_failure() {
    let bench = with_failing_task();
    run(&bench, &[]).fails(2, &["could not extract `mine`"]);
    let n_results = |study: &str| {
        let sql = format!("SELECT count(*) AS n FROM behavior WHERE task = '{study}'");
        bench.run(&["sql", &sql, "--format", "json"]).succeeds().json()[0]["n"].as_u64()
    };
    assert_eq!(n_results("other"), Some(0));
    let ran = run(&bench, &["--keep-going"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    for part in [
        "error: could not extract `mine`",
        "warning: failed: extract mine",
        "warning: skipped: analyze mine: behavior, which needs extract mine",
        "warning: skipped: report s, which needs analyze mine: behavior",
    ] {
        assert!(ran.stderr.contains(part), "`{part}` is not in:\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("failed: analyze other") && !ran.stderr.contains("skipped: analyze other"));
    assert!(n_results("other") > Some(0) && n_results("mine") == Some(0));
    assert!(!bench.path("lake/reports/s.html").exists());
}

#[test]
fn a_failing_analysis_leaves_the_others_when_the_run_keeps_going() {
    let bench = filled();
    let table = contents(&bench.path("lake/hidden_states")).into_keys();
    let file =
        table.filter(|path| path.is_file()).find(|path| path.display().to_string().contains("task=mine"));
    let file = file.expect("a file");
    let mut bytes = fs::read(&file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("written");
    let ran = run(&bench, &["--keep-going", "--force", "--select", "analyze"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    for part in [
        "could not analyze `mine: rsa`",
        "warning: failed: analyze mine: rsa",
        "warning: skipped: analyze mine: associations, which needs analyze mine: rsa",
    ] {
        assert!(ran.stderr.contains(part), "`{part}` is not in:\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("analyze: 10 of 10 steps run"), "{}", ran.stderr);
}

#[test]
fn a_stamp_changes_when_a_table_does_and_is_left_alone_otherwise() {
    let bench = filled();
    let stamp = |options: &[&str]| {
        run(&bench, &[&["--stamp", "done.stamp"], options].concat()).succeeds();
        let path = bench.path("done.stamp");
        let modified = fs::metadata(&path).expect("a file").modified().expect("a time");
        (fs::read_to_string(path).expect("text"), modified)
    };
    let first = stamp(&[]);
    assert_eq!(first.0.lines().count(), 2 + 2 + 12);
    assert!(first.0.starts_with("ingest mine\t"), "{}", first.0);
    set(&bench, "[extract]", "# a comment\n[extract]");
    assert_eq!(stamp(&[]), first);
    assert_eq!(stamp(&["--force"]), first);
    set(&bench, "hypothesis = \"same class\"", "hypothesis = \"one class\"");
    let other = stamp(&[]);
    let changed: Vec<&str> =
        first.0.lines().zip(other.0.lines()).filter(|(a, b)| a != b).map(|(a, _)| a).collect();
    assert!(changed.iter().any(|line| line.starts_with("analyze mine: rsa\t")), "{changed:?}");
    assert!(changed.iter().all(|line| line.starts_with("analyze mine: ")), "{changed:?}");
    bench.write("mine.jsonl", "no JSON");
    run(&bench, &["--stamp", "none.stamp"]).refuses(&["mine.jsonl"]);
    assert!(!bench.path("none.stamp").exists());
}
