//! What each change makes a study do again, and that it does nothing else.

mod support;

use serde_json::{Value, json};
use support::two_tasks::{STUDY, filled, prompts};
use support::{Bench, checkpoint};

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

/// Prompts of 40 characters that share nothing, but for those numbered in `left_out`; the one numbered `changed` has another text.
fn many(left_out: &[usize], changed: Option<usize>) -> String {
    let line = |n: usize| {
        let word = |seed: usize| {
            let letter =
                |i: usize| char::from(b'a' + (seed.wrapping_mul(2_654_435_761) >> (3 * i) & 15) as u8);
            (0..7).map(letter).collect::<String>()
        };
        let is_changed = usize::from(changed == Some(n)) * 7_777;
        let text: Vec<String> = (1..=5).map(|i| word(n * 31 + i * 7_919 + is_changed)).collect();
        json!({"prompt_id": format!("p{n:04}"), "text": text.join(" ")}).to_string()
    };
    (0..3_000).filter(|n| !left_out.contains(n)).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn changed_prompts_are_read_again_with_few_others() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    let keep = ["--pooling", "mean", "--max-new-tokens", "1"];
    let fill = |prompts: String, lake: &str| {
        bench.write("mine.jsonl", prompts);
        bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl", "--lake", lake]).succeeds();
        let extract = ["extract", "--task", "mine", "--model", "model", "--lake", lake];
        let text = bench.run(&[&extract[..], &keep].concat()).succeeds().stderr;
        let said = text
            .lines()
            .find(|line| line.starts_with("extract mine") && line.contains("shards"))
            .expect("a line")
            .to_owned();
        let words: Vec<&str> = said.split_whitespace().collect();
        let number = |i: usize| words[i].parse::<usize>().expect("a number");
        let at = words.iter().position(|word| *word == "of").map(|i| (number(i - 1), number(i + 1)));
        (at.unwrap_or((0, 0)), text)
    };
    let ((n_run, mut n_shards), _) = fill(many(&[7], None), "lake");
    assert!(n_run == n_shards && n_shards > 8, "{n_run} of {n_shards}");
    for (left_out, changed) in
        [(&[][..], None), (&[], Some(400)), (&[900][..], Some(400)), (&[900, 7], Some(400))]
    {
        let (counts, said) = fill(many(left_out, changed), "lake");
        let n_run = counts.0;
        n_shards = counts.1;
        assert!((1..=4).contains(&n_run) && n_shards > 8, "{n_run} of {n_shards} shards: {said}");
        assert!(said.contains("shards are kept"), "{said}");
        let fresh = format!("fresh-{}-{}", left_out.len(), changed.is_some());
        fill(many(left_out, changed), &fresh);
        for table in ["tokens", "responses", "hidden_states", "attention"] {
            let sql = format!("SELECT * FROM {table} ORDER BY ALL");
            let ask = |lake: &str| {
                bench.run(&["sql", &sql, "--format", "parquet", "--lake", lake]).succeeds().stdout
            };
            assert!(ask("lake") == ask(&fresh), "{table} differs where {left_out:?} are left out");
        }
    }
    let status = bench.run(&["status"]).succeeds().text();
    assert!(
        status.contains(&format!("{n_shards} of {n_shards} shards")) && !status.contains("stale"),
        "{status}"
    );
    bench.run(&["verify"]).succeeds();
    let (_, said) = fill(many(&[900, 7], Some(400)), "lake");
    assert!(said.contains("shards reused"), "{said}");
}
