//! Chat templates: the default model's own against transformers, where tokens and segments lie, and what is refused.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use support::{Bench, default_model};

/// What transformers gives for the default model's template.
fn reference() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/chat/smollm2.json");
    serde_json::from_slice(&fs::read(path).expect("the fixture")).expect("rows")
}

/// Ingests the reference's texts, each with a segment of its second word.
fn ingest(bench: &Bench) {
    let lines: Vec<String> = reference()
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let text = row["text"].as_str().expect("a text");
            let words: Vec<&str> = text.split(' ').collect();
            let start = words[0].chars().count() + 1;
            let end = start + words[1].chars().count();
            let segment = json!({"role": "word", "start": start, "end": end});
            json!({"prompt_id": format!("p{i}"), "item_id": "i", "condition": "c", "n_examples": 0, "text": text,
                   "expected": "reading", "segments": [segment]})
            .to_string()
        })
        .collect();
    bench.write("chats.jsonl", lines.join("\n"));
    bench.run(&["ingest", "--task", "t", "--prompts", "chats.jsonl"]).succeeds();
}

fn rows(bench: &Bench, sql: &str) -> Vec<Value> {
    let ran = bench.run(&["sql", sql, "--format", "json"]).succeeds();
    ran.json().as_array().expect("rows").clone()
}

const EXTRACT: [&str; 5] = ["extract", "--task", "t", "--max-new-tokens", "2"];

#[test]
fn the_models_own_template_gives_the_ids_of_transformers() {
    let Some(_) = default_model() else { return };
    let bench = Bench::new();
    ingest(&bench);
    bench.run_with_models(&[&EXTRACT[..], &["--chat-template"]].concat()).succeeds();
    for (i, row) in reference().iter().enumerate() {
        let sql = "SELECT token_id, start, \"end\" FROM tokens WHERE NOT is_response AND prompt_id = 'p";
        let tokens = rows(&bench, &format!("{sql}{i}' ORDER BY position"));
        let ids: Vec<&Value> = tokens.iter().map(|t| &t["token_id"]).collect();
        assert_eq!(ids, row["ids"].as_array().expect("ids").iter().collect::<Vec<_>>());
        let spans: Vec<(u64, u64)> =
            tokens.iter().filter_map(|t| Some((t["start"].as_u64()?, t["end"].as_u64()?))).collect();
        let n = row["text"].as_str().expect("a text").chars().count() as u64;
        assert_eq!((spans[0].0, spans[spans.len() - 1].1), (0, n), "the text's tokens cover it");
        assert!(spans.len() < tokens.len() && spans.windows(2).all(|w| w[0].1 >= w[1].0));
        let sql =
            "SELECT role, any_value(n_tokens) AS n FROM hidden_states WHERE layer = 1 AND prompt_id = 'p";
        let found = rows(&bench, &format!("{sql}{i}' GROUP BY role ORDER BY role"));
        let n_of = |role: &str| found.iter().find(|r| r["role"] == role).map(|r| r["n"].as_u64().expect("n"));
        assert_eq!(n_of("prompt"), Some(spans.len() as u64), "the template's tokens are in no segment");
        assert!(n_of("final") == Some(1) && n_of("word").is_some_and(|n| n > 0));
    }
}

#[test]
fn another_template_is_another_extraction() {
    let Some(_) = default_model() else { return };
    let bench = Bench::new();
    ingest(&bench);
    let extract = |more: &[&str]| bench.run_with_models(&[&EXTRACT[..], more].concat());
    let ran = |more: &[&str]| extract(more).succeeds().stderr.contains("1 of 1 shards run");
    assert!(ran(&["--chat-template"]));
    assert!(!ran(&["--chat-template"]), "the same template is not run again");
    assert!(ran(&["--chat-template=vicuna"]));
    let first = "SELECT piece, start FROM tokens WHERE prompt_id = 'p0' AND position = 0";
    assert_eq!(rows(&bench, first), [json!({"piece": "A", "start": null})]);
    assert!(ran(&["--chat-template=none"]));
    assert!(!ran(&[]), "no template is the default");
    extract(&["--chat-template=nope"]).refuses(&["no template `nope`", "have default", "built in: vicuna"]);
}

#[test]
fn a_study_names_a_template_for_all_tasks_or_one() {
    let bench = Bench::new();
    let Some(_) = default_model() else { return };
    bench.write("chats.jsonl", support::PROMPTS);
    let study = |first: &str, second: &str| {
        let task = "[[task]]\nname = \"t\"\nprompts = \"chats.jsonl\"\n";
        let text = format!("name = \"s\"\n[extract]\n{first}\n{task}extract = {{ {second} }}\n");
        bench.write("study.toml", text);
        bench.run_with_models(&["plan", "study.toml", "--json"])
    };
    let n_tokens = |first: &str, second: &str| {
        let plan = study(first, second).succeeds().json();
        let steps = plan["steps"].as_array().expect("steps").clone();
        steps.iter().find_map(|s| s["n_tokens"].as_u64())
    };
    bench.run(&["ingest", "--task", "t", "--prompts", "chats.jsonl"]).succeeds();
    let bare = n_tokens("", "").expect("a count");
    assert_eq!(n_tokens("chat_template = true", "chat_template = false"), Some(bare));
    assert!(n_tokens("chat_template = true", "") > Some(bare));
    assert!(n_tokens("", "chat_template = \"vicuna\"") > Some(bare));
    study("chat_template = 3", "").refuses(&["`true`, `false` or the name of a template"]);
}
