//! Drawn responses: beside the greedy one, the same whatever is computed with them, and scored apart from it.

mod support;

use serde_json::{Value, json};
use support::{Bench, checkpoint};

const STUDY: &str = r#"name = "s"
model = "model"
[extract]
max_new_tokens = 4
n_samples = 5
temperature = 2.0
[[task]]
name = "mine"
prompts = "mine.jsonl"
scorer = "contains"
[[score]]
task = "mine"
metric = "length"
sql = "length(response)"
"#;

/// A lake's workplace, with a random model, prompts and the study.
fn bench() -> Bench {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    let prompt =
        |n: usize| json!({"prompt_id": format!("p{n}"), "text": format!("Number {n} is"), "expected": "a"});
    let prompts: Vec<String> = (0..6).map(|n| prompt(n).to_string()).collect();
    bench.write("mine.jsonl", prompts.join("\n"));
    bench.write("one.jsonl", prompt(3).to_string());
    bench.write("study.toml", STUDY);
    bench
}

fn rows(bench: &Bench, sql: &str, lake: &str) -> Value {
    bench.run(&["sql", sql, "--format", "json", "--lake", lake]).succeeds().json()
}

#[test]
fn a_drawn_response_depends_on_its_prompt_number_and_seed_alone() {
    let bench = bench();
    bench.run(&["run", "study.toml", "--lake", "all"]).succeeds();
    let drawn = "SELECT sample, response, n_tokens FROM responses WHERE prompt_id = 'p3' ORDER BY sample";
    let all = rows(&bench, drawn, "all");
    assert_eq!(all.as_array().expect("rows").len(), 6);
    let n_texts = "SELECT count(DISTINCT response) AS n FROM responses WHERE sample > 0 AND prompt_id = 'p3'";
    assert!(rows(&bench, n_texts, "all")[0]["n"].as_i64() > Some(1), "at this temperature texts differ");

    bench.write("alone.toml", STUDY.replace("mine.jsonl", "one.jsonl"));
    bench.run(&["run", "alone.toml", "--lake", "alone"]).succeeds();
    assert_eq!(rows(&bench, drawn, "alone"), all, "a prompt alone is answered as among others");

    bench.write("other.toml", STUDY.replace("temperature = 2.0", "temperature = 2.0\nseed = 8"));
    bench.run(&["run", "other.toml", "--lake", "other"]).succeeds();
    assert_ne!(rows(&bench, drawn, "other"), all, "another seed draws others");
    let greedy = "SELECT prompt_id, response, expected_logprob FROM responses WHERE sample = 0 ORDER BY ALL";
    assert_eq!(rows(&bench, greedy, "other"), rows(&bench, greedy, "all"));

    bench.write("cold.toml", STUDY.replace("temperature = 2.0", "temperature = 0.0001"));
    bench.run(&["run", "cold.toml", "--lake", "cold"]).succeeds();
    let differs = "SELECT count(*) AS n FROM responses AS a JOIN responses AS b USING (prompt_id)
        WHERE a.sample = 0 AND a.response <> b.response";
    assert_eq!(rows(&bench, differs, "cold")[0]["n"], 0, "at a temperature near 0 draws are greedy");
    bench.write("narrow.toml", STUDY.replace("temperature = 2.0", "top_p = 0.000001"));
    bench.run(&["run", "narrow.toml", "--lake", "narrow"]).succeeds();
    assert_eq!(rows(&bench, differs, "narrow")[0]["n"], 0, "and in a nucleus of one token");
}

#[test]
fn nothing_else_changes_where_responses_are_drawn() {
    let bench = bench();
    bench.run(&["run", "study.toml", "--lake", "drawn"]).succeeds();
    bench.write("greedy.toml", STUDY.replace("n_samples = 5\ntemperature = 2.0\n", ""));
    bench.run(&["run", "greedy.toml", "--lake", "greedy"]).succeeds();
    for sql in [
        "SELECT * FROM hidden_states ORDER BY ALL",
        "SELECT * FROM attention ORDER BY ALL",
        "SELECT * FROM tokens ORDER BY ALL",
        "SELECT * FROM responses WHERE sample = 0 ORDER BY ALL",
        "SELECT * FROM behavior WHERE sample = 0 ORDER BY ALL",
    ] {
        let ask = |lake| bench.run(&["sql", sql, "--format", "parquet", "--lake", lake]).succeeds().stdout;
        assert!(ask("drawn") == ask("greedy"), "`{sql}` differs");
    }
    assert_eq!(rows(&bench, "SELECT count(*) AS n FROM responses", "greedy")[0]["n"], 6);
}

#[test]
fn each_drawn_response_has_a_score_of_its_own() {
    let bench = bench();
    bench.run(&["run", "study.toml"]).succeeds();
    let counts = "SELECT metric, count(*) AS n, min(sample) AS first, max(sample) AS last
        FROM behavior GROUP BY metric ORDER BY metric";
    let expected = json!([
        {"metric": "contains", "n": 6, "first": 0, "last": 0},
        {"metric": "expected_logprob", "n": 6, "first": 0, "last": 0},
        {"metric": "length", "n": 6, "first": 0, "last": 0},
        {"metric": "sampled_contains", "n": 30, "first": 1, "last": 5},
        {"metric": "sampled_length", "n": 30, "first": 1, "last": 5},
    ]);
    assert_eq!(rows(&bench, counts, "lake"), expected);
    let wrong = "SELECT count(*) AS n FROM behavior AS b JOIN responses AS r USING (prompt_id, sample)
        WHERE metric LIKE '%length' AND score <> length(response)";
    assert_eq!(rows(&bench, wrong, "lake")[0]["n"], 0);
    let report = std::fs::read_to_string(bench.path("lake/reports/s.html"));
    assert!(report.expect("a report").contains("drawn responses"));
}

#[test]
fn settings_without_sense_are_refused_at_their_line() {
    let bench = bench();
    for (from, to, parts) in [
        (
            "temperature = 2.0",
            "temperature = 0.0",
            &["line 6", "`temperature`: it is not a number above 0"][..],
        ),
        ("temperature = 2.0", "top_p = 1.2", &["line 6", "`top_p`: it is not a number above 0 and up to 1"]),
        ("n_samples = 5\n", "", &["line 5", "`temperature`: it changes nothing without `n_samples`"]),
        ("max_new_tokens = 4", "max_new_tokens = 0", &["line 5", "`n_samples`: no responses are generated"]),
        ("metric = \"length\"", "metric = \"sampled_length\"", &["`sampled_` are those of drawn responses"]),
    ] {
        bench.write("study.toml", STUDY.replace(from, to));
        bench.run(&["plan", "study.toml"]).refuses(parts);
    }
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    let extract = ["extract", "--task", "mine", "--model", "model"];
    bench.run(&[&extract[..], &["--top-p", "0.5"]].concat()).refuses(&["--top-p", "without `n_samples`"]);
    let drawn = ["--n-samples", "2", "--top-p", "0.5", "--max-new-tokens", "2"];
    bench.run(&[&extract[..], &drawn].concat()).succeeds();
    assert_eq!(rows(&bench, "SELECT max(sample) AS n FROM responses", "lake")[0]["n"], 2);
}
