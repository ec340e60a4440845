//! Provenance of a real run: what the log and the files record is what the program, the model and the study say.

mod support;

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};
use std::fs::File;
use support::{Bench, default_model};

const STUDY: &str = r#"
name = "provenance"
model = "smollm2-135m-instruct"

[extract]
hidden_states = [{ roles = ["final"], pooling = ["last"] }]
attention = { query_roles = ["final"], key_roles = ["example"] }

[[task]]
name = "linear_regression"
lines = 2
prompts_per_line = 2
examples = [1]
seed = 3

[task.extract]
max_new_tokens = 2
stop = [")"]
"#;

/// The commits of a stage in the lake's log.
fn commits(bench: &Bench, stage: &str) -> Vec<Value> {
    let history = bench.run(&["history", "--json"]).succeeds().json();
    let entries = history.as_array().expect("entries").clone();
    entries.into_iter().filter(|entry| entry["details"]["stage"] == stage).collect()
}

#[test]
fn a_run_records_what_program_model_and_study_say() {
    let Some(_) = default_model() else { return };
    let bench = Bench::new();
    bench.write("s.toml", STUDY);
    bench.run_with_models(&["run", "s.toml"]).succeeds();
    let version = bench.run(&["--version"]).succeeds().text();
    let version = version.trim();

    let [ingest] = &commits(&bench, "ingest")[..] else { panic!("one commit of the ingest stage") };
    let source = &ingest["details"]["source"]["generator"];
    assert_eq!(source["name"], "linear_regression");
    assert_eq!((&source["lines"], &source["seed"]), (&json!(2), &json!(3)));

    let inspected =
        bench.run_with_models(&["models", "inspect", "smollm2-135m-instruct", "--json"]).succeeds().json();
    let extractions = commits(&bench, "extract");
    assert!(!extractions.is_empty());
    for commit in &extractions {
        assert_eq!(format!("hypercolumn {}", commit["program"].as_str().expect("a version")), version);
        let details = &commit["details"];
        for (recorded, field) in [("name", "name"), ("source", "source"), ("content_hash", "blake3")] {
            assert_eq!(details["model"][recorded], inspected[field], "{recorded}");
        }
        for size in ["n_layers", "d_model", "n_heads", "n_vocabulary"] {
            assert_eq!(details["model"][size], inspected[size], "{size}");
        }
        let backend = &details["backend"];
        assert_eq!(
            (&backend["name"], &backend["device"], &backend["dtype"]),
            (&json!("cpu"), &json!("cpu"), &json!("f32"))
        );
        let settings = &details["settings"];
        assert_eq!((&settings["max_new_tokens"], &settings["stop"]), (&json!(2), &json!([")"])));
        assert_eq!(settings["hidden_states"], json!([{ "roles": ["final"], "pooling": ["last"] }]));
        assert_eq!(settings["attention"], json!({ "query_roles": ["final"], "key_roles": ["example"] }));
        assert_eq!(details["n_prompts"], 4);
    }

    let files = extractions.iter().flat_map(|c| c["files"].as_array().expect("files"));
    let mut n_files = 0;
    for file in files {
        let path = bench.path("lake").join(file["path"].as_str().expect("a path"));
        let reader = SerializedFileReader::new(File::open(&path).expect("opened")).expect("a Parquet file");
        assert_eq!(reader.metadata().file_metadata().created_by(), Some(version));
        n_files += 1;
    }
    assert!(n_files > 4, "{n_files} files");
    bench.run(&["verify"]).succeeds();
}
