//! Nothing is replaced because two things share a name, or because one name begins like another.

mod support;

use support::{Bench, PROMPTS, checkpoint, contents};

fn ingest(bench: &Bench, task: &str) {
    bench.write("p.jsonl", PROMPTS);
    bench.run(&["ingest", "--task", task, "--prompts", "p.jsonl"]).succeeds();
}

fn models(bench: &Bench, task: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT model FROM hidden_states WHERE task = '{task}' ORDER BY 1");
    bench
        .run(&["sql", &sql, "--format", "csv"])
        .succeeds()
        .text()
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect()
}

#[test]
fn two_checkpoints_of_one_name_are_told_apart() {
    let bench = Bench::new();
    checkpoint::write(&bench, "run_a/checkpoint-500", 1);
    checkpoint::write(&bench, "run_b/checkpoint-500", 2);
    ingest(&bench, "t");
    let extract = |model: &str, more: &[&str]| {
        bench.run(&[&["extract", "--task", "t", "--max-new-tokens", "0", "--model", model], more].concat())
    };
    extract("run_a/checkpoint-500", &[]).succeeds();
    let before =
        bench.run(&["sql", "SELECT * FROM hidden_states ORDER BY ALL", "--format", "csv"]).succeeds().text();
    extract("run_b/checkpoint-500", &[]).refuses(&[
        "already holds another model as `checkpoint-500`",
        "run_a/checkpoint-500",
        "run_b/checkpoint-500",
        "--model-name",
    ]);
    let after =
        bench.run(&["sql", "SELECT * FROM hidden_states ORDER BY ALL", "--format", "csv"]).succeeds().text();
    assert_eq!(before, after, "the refused model changed the first one's rows");
    extract("run_b/checkpoint-500", &["--model-name", "b"]).succeeds();
    assert_eq!(models(&bench, "t"), ["b", "checkpoint-500"]);
    extract("run_b/checkpoint-500", &["--model-name", "null"]).refuses(&["`null` cannot be a model's name"]);
}

#[test]
fn an_analysis_by_another_model_of_the_name_is_refused() {
    let bench = Bench::new();
    checkpoint::write(&bench, "run_a/checkpoint-500", 1);
    checkpoint::write(&bench, "run_b/checkpoint-500", 2);
    ingest(&bench, "t");
    let extract = ["extract", "--task", "t", "--max-new-tokens", "0", "--model", "run_a/checkpoint-500"];
    bench.run(&extract).succeeds();
    bench.write("s.toml", "name = \"s\"\n[[task]]\nname = \"t\"\nprompts = \"p.jsonl\"\n");
    let analyze = |model: &str| bench.run(&["analyze", "s.toml", "--model", model]);
    let before = contents(&bench.path("lake"));
    analyze("run_b/checkpoint-500").refuses(&[
        "already holds another model as `checkpoint-500`",
        "run_a/checkpoint-500",
        "run_b/checkpoint-500",
    ]);
    assert_eq!(contents(&bench.path("lake")), before, "a refused analysis changed the lake");
    analyze("run_a/checkpoint-500").succeeds();
}

#[test]
fn names_of_a_study_are_refused_with_line_and_key() {
    let bench = Bench::new();
    bench.write("p.jsonl", PROMPTS);
    let task = "[[task]]\nname = \"t\"\nprompts = \"p.jsonl\"\n";
    let rsa = |name: &str| format!("[[rsa]]\ntask = \"t\"\nsql = \"a.n = b.n\"\nhypothesis = {name:?}\n");
    let probe = |name: &str| format!("[[probe]]\ntask = \"t\"\ntarget = \"n\"\nname = {name:?}\n");
    for name in ["", "null", "__HIVE_DEFAULT_PARTITION__", &"语".repeat(33)] {
        let cases = [
            (format!("name = {name:?}\n{task}"), "line 1", "name"),
            (format!("name = \"s\"\nmodel_name = {name:?}\n{task}"), "line 2", "model_name"),
            (format!("name = \"s\"\n{task}{}", rsa(name)), "line 8", "hypothesis"),
            (format!("name = \"s\"\n{task}{}", probe(name)), "line 8", "name"),
        ];
        for (study, line, key) in cases {
            bench.write("s.toml", study);
            let problem = format!("`{name}` cannot be a `{key}`");
            bench.run(&["run", "s.toml"]).refuses(&["could not use study `s.toml`", line, &problem]);
        }
    }
    assert!(!bench.path("lake").exists());
}

#[test]
fn what_ends_a_response_is_part_of_the_model() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    ingest(&bench, "t");
    let extract = || bench.run(&["extract", "--task", "t", "--max-new-tokens", "2", "--model", "model"]);
    extract().succeeds();
    bench.write("model/generation_config.json", r#"{"eos_token_id": [0, 1, 2, 3]}"#);
    extract().refuses(&["`model` has changed since"]);
    bench.write("model/chat_template.jinja", "{{ messages[0].content }}");
    extract().refuses(&["`model` has changed since"]);
}

#[test]
fn a_task_leaves_one_whose_name_begins_like_it_alone() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    for task in ["a/b", "a"] {
        ingest(&bench, task);
        bench.run(&["extract", "--task", task, "--max-new-tokens", "0", "--model", "model"]).succeeds();
    }
    assert_eq!(models(&bench, "a/b"), ["model"]);
    assert_eq!(models(&bench, "a"), ["model"]);
}

#[test]
fn names_that_readers_lose_are_refused_before_anything_is_written() {
    let bench = Bench::new();
    bench.write("p.jsonl", PROMPTS);
    for task in ["null", "NULL", "__HIVE_DEFAULT_PARTITION__", &"语".repeat(33), " "] {
        bench.run(&["ingest", "--task", task, "--prompts", "p.jsonl"]).refuses(&["cannot be a task's name"]);
        let study = format!("name = \"s\"\n[[task]]\nname = \"{task}\"\nprompts = \"p.jsonl\"\n");
        bench.write("s.toml", study);
        bench.run(&["run", "s.toml"]).refuses(&["line 3", "cannot be a task's name"]);
    }
    for role in ["prompt", "final", "response"] {
        bench.write("roles.jsonl", PROMPTS.replace("\"informative\"", &format!("{role:?}")));
        bench.run(&["ingest", "--task", "t", "--prompts", "roles.jsonl"]).refuses(&[
            "line 1",
            "segments[0].role",
            role,
        ]);
    }
    assert!(!bench.path("lake").exists());
}
