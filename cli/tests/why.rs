//! Where numbers come from and what makes two of them differ: `status --why` and `diff`.

mod support;

use serde_json::{Value, json};
use std::fs;
use support::two_tasks::{STUDY, filled, prompts};
use support::{Bench, checkpoint};

/// The origins that `status --why` gives.
fn why(bench: &Bench, target: &str) -> Vec<Value> {
    let ran = bench.run(&["status", "--why", target, "--json"]).succeeds();
    ran.json().as_array().expect("origins").clone()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}"))
}

#[test]
fn a_tables_rows_are_explained_by_inputs_settings_version_and_key() {
    let bench = filled();
    let origins = why(&bench, "rsa");
    let slots: Vec<&str> = origins.iter().map(|origin| text(origin, "slot")).collect();
    assert_eq!(slots, ["analyze/s/model/mine/rsa", "analyze/s/model/other/rsa"]);
    let rsa = &origins[0];
    let n_rows = bench.run(&["sql", "SELECT count(*) AS n FROM rsa", "--format", "json"]).succeeds().json();
    assert_eq!(rsa["n_rows"], n_rows[0]["n"]);
    let history = bench.run(&["history", "--json"]).succeeds().json();
    let entry = history.as_array().expect("entries").iter().find(|entry| entry["slot"] == slots[0]);
    assert_eq!(rsa["keys"], json!([entry.expect("an entry")["key"]]));
    assert_eq!(rsa["code_version"], entry.expect("an entry")["details"]["code_version"]);
    assert_eq!(rsa["settings"]["entries"][0]["sql"], "a.class = b.class");
    let reads = rsa["reads"].as_array().expect("tables");
    for read in ["prompts of ingest/mine", "hidden_states of extract/model/mine"] {
        assert!(reads.contains(&json!(read)), "{reads:?}");
    }
    assert_eq!((text(rsa, "action"), &rsa["stale"]), ("reuse", &Value::Null));
    let shown = bench.run(&["status", "--why", slots[0]]).succeeds().text();
    for part in ["hidden_states of extract/model/mine", "a.class = b.class", "reused: inputs, settings"] {
        assert!(shown.contains(part), "`{part}` is not in:\n{shown}");
    }
}

#[test]
fn what_would_change_is_named_with_its_old_and_new_value() {
    let bench = filled();
    bench.write("study.toml", STUDY.replace("a.class = b.class", "a.class <> b.class"));
    let rsa = why(&bench, "analyze/s/model/mine/rsa").remove(0);
    assert_eq!(text(&rsa, "action"), "run");
    let reason = text(&rsa, "reason");
    assert!(reason.contains("was \"a.class = b.class\", is \"a.class <> b.class\""), "{reason}");
    bench.write("study.toml", STUDY.replace("max_new_tokens = 1", "max_new_tokens = 2"));
    let tokens = why(&bench, "tokens").remove(0);
    assert_eq!((text(&tokens, "slot"), text(&tokens, "action")), ("extract/model/mine", "run"));
    assert!(text(&tokens, "reason").contains("max_new_tokens was 1, is 2"), "{tokens}");
    bench.write("study.toml", STUDY);
    bench.write("mine.jsonl", prompts("Other", 0));
    bench.run(&["ingest", "study.toml"]).succeeds();
    let rsa = why(&bench, "analyze/s/model/mine/rsa").remove(0);
    assert!(text(&rsa, "stale").contains("replaced") && text(&rsa, "action") == "run", "{rsa}");
    assert!(rsa["reads"].to_string().contains("prompts, replaced since"), "{rsa}");
}

#[test]
fn another_study_and_one_that_has_gone() {
    let bench = filled();
    let moved = bench.write("moved.toml", STUDY.replace("seed = 1", "seed = 2"));
    let asked = ["status", "moved.toml", "--why", "analyze/s/model/mine/rsa", "--json"];
    let rsa = bench.run(&asked).succeeds().json()[0].clone();
    assert!(text(&rsa, "reason").contains("seed was 1, is 2"), "{rsa}");
    fs::remove_file(bench.path("study.toml")).expect("removed");
    let rsa = why(&bench, "rsa").remove(0);
    assert!(rsa["action"].is_null() && text(&rsa, "reason").contains("study.toml"), "{rsa}");
    fs::remove_file(moved).expect("removed");
    bench.run(&["status", "--why", "rsas"]).refuses(&["neither a table nor a slot", "did you mean `rsa`?"]);
    bench.run(&["status", "--why", "claims", "--json"]).succeeds();
    bench.run(&["status", "--why", "predictions"]).refuses(&["has no rows"]);
}

/// The study about states that differ from prompt to prompt.
fn of_last_tokens() -> String {
    let study = STUDY
        .replace("roles = [\"cue\"], pooling = [\"mean\"]", "roles = [\"prompt\"], pooling = [\"last\"]");
    study.replace("segment = \"cue\"\npooling = [\"mean\"]", "segment = \"prompt\"\npooling = [\"last\"]")
}

fn diff(bench: &Bench, args: &[&str]) -> Value {
    bench.run(&[&["diff", "--json"], args].concat()).succeeds().json()
}

/// What `diff` says of one table.
fn of_table<'a>(diff: &'a Value, name: &str) -> &'a Value {
    let tables = diff["tables"].as_array().expect("tables");
    tables.iter().find(|table| table["table"] == name).unwrap_or_else(|| panic!("{name} of {diff}"))
}

#[test]
fn two_studies_differ_in_the_settings_and_rows_that_sql_finds() {
    let bench = filled();
    bench.write("study.toml", of_last_tokens());
    bench.run(&["run", "study.toml"]).succeeds();
    let same = of_last_tokens().replace("name = \"s\"", "name = \"same\"");
    bench.write("same.toml", &same);
    bench.write(
        "other.toml",
        same.replace("same\"", "t\"").replace("a.class = b.class", "a.class <> b.class"),
    );
    for study in ["same.toml", "other.toml"] {
        bench.run(&["run", study]).succeeds();
    }
    let none = diff(&bench, &["study:s", "study:same"]);
    assert_eq!(none["settings"], json!([]));
    let tables = none["tables"].as_array().expect("tables");
    assert!(
        tables.iter().all(|t| t["n_differing"] == 0 && t["n_only_a"] == 0 && t["n_only_b"] == 0),
        "{none}"
    );
    assert!(of_table(&none, "rsa")["n_both"].as_u64() > Some(0));
    let some = diff(&bench, &["study:s", "study:t", "--rows", "1000"]);
    let settings = some["settings"].to_string();
    assert!(settings.contains("a.class = b.class") && settings.contains("a.class <> b.class"), "{settings}");
    let rsa = of_table(&some, "rsa");
    let sql = "SELECT count(*) AS n, max(abs(b.estimate - a.estimate)) AS largest FROM rsa a
        JOIN rsa b USING (model, task, condition, layer, site, role, pooling, normalization, similarity, hypothesis, comparison)
        WHERE a.study = 's' AND b.study = 't' AND a.estimate IS DISTINCT FROM b.estimate";
    let expected = bench.run(&["sql", sql, "--format", "json"]).succeeds().json()[0].clone();
    let columns = rsa["columns"].as_array().expect("columns");
    let estimate = columns.iter().find(|column| column["column"] == "estimate").expect("estimates differ");
    assert!(expected["n"].as_u64() > Some(0), "{expected}");
    assert_eq!((&estimate["n"], &estimate["largest_difference"]), (&expected["n"], &expected["largest"]));
    let cells = rsa["cells"].as_array().expect("cells");
    let of_estimate = cells.iter().filter(|cell| cell["column"] == "estimate").count();
    assert_eq!(Some(of_estimate as u64), expected["n"].as_u64());
    let shown = bench.run(&["diff", "study:s", "study:t", "--table", "rsa"]).succeeds().text();
    assert!(
        shown.contains("rsa: ") && shown.contains("largest difference") && !shown.contains("behavior: "),
        "{shown}"
    );
}

#[test]
fn two_models_and_two_entries() {
    let bench = filled();
    bench.write("study.toml", of_last_tokens());
    bench.run(&["run", "study.toml"]).succeeds();
    checkpoint::write(&bench, "second", 2);
    bench.run(&["run", "study.toml", "--model", "second"]).succeeds();
    let models = diff(&bench, &["model:model", "model:second"]);
    assert!(models["settings"].to_string().contains("content_hash"), "{models}");
    assert!(of_table(&models, "rsa")["n_differing"].as_u64() > Some(0));
    assert_eq!(of_table(&models, "responses")["n_both"], 12);
    let history = bench.run(&["history", "--json"]).succeeds().json();
    let number = |slot: &str| {
        let entry = history.as_array().expect("entries").iter().rfind(|entry| entry["slot"] == slot);
        entry.expect("an entry")["sequence"].to_string()
    };
    let (a, b) = (number("analyze/s/model/mine/rsa"), number("analyze/s/second/mine/rsa"));
    let entries = diff(&bench, &[&a, &b]);
    assert_eq!(of_table(&entries, "rsa")["n_differing"], of_table(&models, "rsa")["n_differing"]);
    assert!(entries["settings"].to_string().contains("inputs_key"), "{entries}");
    bench.write("study.toml", of_last_tokens().replace("seed = 1", "seed = 2"));
    bench.run(&["run", "study.toml"]).succeeds();
    let newer = bench.run(&["history", "--json"]).succeeds().json();
    let newer =
        newer.as_array().expect("entries").iter().rfind(|e| e["slot"] == "analyze/s/model/mine/rsa").cloned();
    let newer = newer.expect("an entry")["sequence"].to_string();
    let replaced = diff(&bench, &[&a, &newer]);
    assert!(replaced["settings"].to_string().contains("seed"), "{replaced}");
    assert!(replaced["remarks"][0].as_str().expect("a remark").contains("replaced"), "{replaced}");
    bench.run(&["diff", &a, "study:s"]).refuses(&["of different kinds"]);
    bench.run(&["diff", "9999", &a]).refuses(&["could not compare entry 9999"]);
    bench.run(&["diff", "study:x", "study:s"]).refuses(&["no such study", "`s`"]);
    bench.run(&["diff", "study:s", "study:s", "--table", "rsas"]).refuses(&["did you mean `rsa`?"]);
    bench.run(&["diff", "yesterday", &a]).refuses(&["study:NAME"]);
}
