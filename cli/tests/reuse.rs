//! What each change makes a study do again, and that it does nothing else.

mod support;

use serde_json::Value;
use support::Bench;
use support::two_tasks::{STUDY, filled, prompts};

/// The steps that `plan` would run, and how many steps of the analysis `run` then runs.
fn steps(bench: &Bench) -> Vec<String> {
    let plan = bench.run(&["plan", "study.toml", "--json"]).succeeds().json();
    let steps = plan["steps"].as_array().expect("steps").clone();
    let run = steps.iter().filter(|step| step["action"] == "run");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    run.map(|step| format!("{} {}", text(&step["stage"]), text(&step["subject"]))).collect()
}

fn set(bench: &Bench, from: &str, to: &str) {
    assert!(STUDY.contains(from), "{from}");
    bench.write("study.toml", STUDY.replace(from, to));
}

#[test]
fn each_change_runs_what_depends_on_it_and_nothing_else() {
    let lines = |steps: &[&str]| steps.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let analyses = ["analyze mine: behavior", "analyze mine: rsa", "analyze mine: associations"];
    let everything_of_mine =
        lines(&[&["ingest mine", "extract mine"], &analyses[..], &["report s"]].concat());
    let of_other = ["analyze other: behavior", "analyze other: associations", "report s"];
    let both_extractions =
        lines(&[&["extract mine", "extract other"], &analyses[..], &of_other[..]].concat());
    type Change = fn(&Bench);
    let changes: [(&str, Change, Vec<String>); 10] = [
        ("nothing", |_| {}, Vec::new()),
        ("a prompt", |b| drop(b.write("mine.jsonl", prompts("Other", 0))), everything_of_mine.clone()),
        (
            "a param",
            |b| drop(b.write("mine.jsonl", prompts("Line", 1))),
            lines(&[&["ingest mine"], &analyses[..], &["report s"]].concat()),
        ),
        (
            "a hypothesis",
            |b| set(b, "a.class = b.class", "a.class <> b.class"),
            lines(&[&analyses[1..], &["report s"]].concat()),
        ),
        ("a seed", |b| set(b, "seed = 1", "seed = 2"), lines(&[&analyses[1..], &["report s"]].concat())),
        (
            "a pooling more",
            |b| set(b, "pooling = [\"mean\"] }]", "pooling = [\"mean\", \"last\"] }]"),
            both_extractions.clone(),
        ),
        ("longer answers", |b| set(b, "max_new_tokens = 1", "max_new_tokens = 2"), both_extractions.clone()),
        (
            "fewer roles of attention",
            |b| set(b, "max_new_tokens = 1", "max_new_tokens = 1\nattention = { query_roles = [\"final\"] }"),
            // The page shows the study's text.
            lines(&["report s"]),
        ),
        ("another study", |b| set(b, "name = \"s\"", "name = \"t\""), {
            let names = ["behavior", "rsa", "probes", "attention_ratios", "associations", "claims"];
            let of = |task: &'static str| names.iter().map(move |n| format!("analyze {task}: {n}"));
            of("mine").chain(of("other")).chain(["report t".to_owned()]).collect()
        }),
        ("a comment", |b| set(b, "[extract]", "# more to come\n[extract]"), lines(&["report s"])),
    ];
    for (name, change, expected) in changes {
        let bench = filled();
        change(&bench);
        let planned = steps(&bench);
        assert_eq!(
            without_tables_of_predictions(&planned),
            without_tables_of_predictions(&expected),
            "{name}"
        );
        bench.run(&["run", "study.toml"]).succeeds();
        assert!(steps(&bench).is_empty(), "{name}: a second run would do it again");
    }
}

/// Steps that are there only where a study asks probes are no matter of this test.
fn without_tables_of_predictions(steps: &[String]) -> Vec<String> {
    steps.iter().filter(|step| !step.ends_with("predictions")).cloned().collect()
}

#[test]
fn two_studies_of_one_task_take_nothing_from_each_other() {
    let bench = filled();
    let n_rows = |sql: &str| bench.run(&["sql", sql, "--format", "csv"]).succeeds().text();
    let results = "SELECT * FROM rsa WHERE study = 's' ORDER BY ALL";
    let before = n_rows(results);
    let other = STUDY
        .replace("name = \"s\"", "name = \"t\"")
        .replace("roles = [\"cue\"], pooling = [\"mean\"]", "roles = [\"prompt\"], pooling = [\"last\"]")
        .replace("segment = \"cue\"\npooling = [\"mean\"]", "segment = \"prompt\"\npooling = [\"last\"]");
    bench.write("other.toml", other);
    bench.run(&["run", "other.toml"]).succeeds();
    assert_eq!(n_rows(results), before);
    assert!(n_rows("SELECT count(*) > 0 FROM rsa WHERE study = 't'").contains("true"));
    let kept = "SELECT DISTINCT role, pooling FROM hidden_states ORDER BY ALL";
    assert_eq!(n_rows(kept), "role,pooling\r\ncue,mean\r\nprompt,last\r\n");
    for study in ["study.toml", "other.toml", "study.toml"] {
        let said = bench.run(&["run", study]).succeeds().stderr;
        assert!(!said.contains("is replaced"), "{said}");
    }
    assert_eq!(steps(&bench), Vec::<String>::new(), "neither extraction is made again");
    assert!(bench.path("lake/reports/s.html").exists() && bench.path("lake/reports/t.html").exists());
}
