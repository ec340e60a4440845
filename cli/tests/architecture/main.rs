//! The walls of the house: which crate may depend on which, which module may import which, and how long a file and a
//! repetition may be.

mod circles;
mod passages;
mod sources;

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

const STAGES: [&str; 3] = ["hypercolumn-ingest", "hypercolumn-extract", "hypercolumn-analyze"];
const CRATES: [&str; 5] = ["schemas", "ingest", "extract", "analyze", "cli"];
const SCHEMAS: &str = "hypercolumn-schemas";

/// Each crate's dependencies, those for tests left out.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |v: &Value| v.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let needs = package["dependencies"].as_array().expect("dependencies").iter();
            let needs = needs.filter(|d| d["kind"] != "dev").map(|d| text(&d["name"])).collect();
            (text(&package["name"]), needs)
        })
        .collect()
}

#[test]
fn a_stage_knows_the_tables_and_no_other_stage() {
    let dependencies = dependencies();
    for (name, needs) in &dependencies {
        let inside: Vec<&String> = needs.iter().filter(|n| dependencies.contains_key(*n)).collect();
        match name.as_str() {
            SCHEMAS => assert!(inside.is_empty(), "{name} needs {inside:?}"),
            "hypercolumn" => {}
            stage => {
                assert!(STAGES.contains(&stage), "{stage} is a new crate: say here what it may need");
                assert_eq!(inside, [SCHEMAS], "{stage} needs more than the tables");
            }
        }
    }
}

#[test]
fn heavy_libraries_stay_in_their_room() {
    let rooms = [
        ("percent-encoding", SCHEMAS),
        ("candle-core", "hypercolumn-extract"),
        ("tokenizers", "hypercolumn-extract"),
        ("hf-hub", "hypercolumn-extract"),
        ("duckdb", "hypercolumn-analyze"),
        ("polars", "hypercolumn-analyze"),
        ("faer", "hypercolumn-analyze"),
        ("statrs", "hypercolumn-analyze"),
        ("maud", "hypercolumn-analyze"),
        ("plotly", "hypercolumn-analyze"),
        ("clap", "hypercolumn"),
        ("clap_complete", "hypercolumn"),
        ("clap_mangen", "hypercolumn"),
        ("comfy-table", "hypercolumn"),
        ("toml", "hypercolumn"),
    ];
    let dependencies = dependencies();
    for (library, room) in rooms {
        let users: Vec<&String> = dependencies
            .iter()
            .filter(|(_, needs)| needs.iter().any(|n| n == library))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(users, [room], "{library} belongs to {room} alone");
    }
}

#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    let circles: Vec<String> = CRATES.iter().flat_map(|name| circles::circles(name)).collect();
    assert!(circles.is_empty(), "{} import circles:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn the_report_knows_neither_analyses_nor_the_stage() {
    for source in sources::rust_files(&["analyze/src/report"]) {
        let code = sources::code(&source.text);
        let knows = ["crate::analyses", "crate::stage"].into_iter().find(|room| code.contains(room));
        assert_eq!(knows, None, "{}", source.path);
    }
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let long = all_files().into_iter().filter(|source| source.text.lines().count() > 500);
    let long: Vec<String> = long.map(|source| source.path).collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_passage_of_six_lines_stands_twice() {
    let repeated = passages::repeated(&all_files());
    assert!(repeated.is_empty(), "{} passages:\n{}", repeated.len(), repeated.join("\n"));
}

/// All Rust files, tests and benches too.
fn all_files() -> Vec<sources::Source> {
    sources::rust_files(&[&CRATES[..], &["benches"]].concat())
}
