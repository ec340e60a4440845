//! The walls of the house: which crate may depend on which, which module may import which, and how long a file and a
//! repetition may be.

mod circles;
mod passages;
mod sources;

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// Directories of the crates. A crate inside a stage is a part of that stage which compiles alone.
const CRATES: [&str; 8] =
    ["schemas", "ingest", "extract", "analyze/stats", "analyze/catalog", "analyze/report", "analyze", "cli"];
const SCHEMAS: &str = "hypercolumn-schemas";
const STATS: &str = "hypercolumn-stats";
const CATALOG: &str = "hypercolumn-catalog";
const REPORT: &str = "hypercolumn-report";
const ANALYZE: &str = "hypercolumn-analyze";

/// The crates of this workspace that each crate may need; the command line may need all of them.
const NEEDS: [(&str, &[&str]); 7] = [
    (SCHEMAS, &[]),
    ("hypercolumn-ingest", &[SCHEMAS]),
    ("hypercolumn-extract", &[SCHEMAS]),
    (STATS, &[SCHEMAS]),
    (CATALOG, &[SCHEMAS]),
    (REPORT, &[CATALOG, SCHEMAS, STATS]),
    (ANALYZE, &[CATALOG, REPORT, SCHEMAS, STATS]),
];

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
        let mut inside: Vec<&String> = needs.iter().filter(|n| dependencies.contains_key(*n)).collect();
        inside.sort();
        if name == "hypercolumn" {
            continue;
        }
        let known = NEEDS.iter().find(|(known, _)| known == name);
        let (_, accepted) =
            known.unwrap_or_else(|| panic!("{name} is a new crate: say here what it may need"));
        assert_eq!(inside, *accepted, "{name}");
    }
}

#[test]
fn heavy_libraries_stay_in_their_room() {
    let rooms: [(&str, &[&str]); 15] = [
        ("percent-encoding", &[SCHEMAS]),
        ("candle-core", &["hypercolumn-extract"]),
        ("tokenizers", &["hypercolumn-extract"]),
        ("hf-hub", &["hypercolumn-extract"]),
        ("duckdb", &[ANALYZE, CATALOG]),
        ("polars", &[ANALYZE, CATALOG]),
        ("faer", &[STATS]),
        ("statrs", &[STATS]),
        ("maud", &[REPORT]),
        ("plotly", &[REPORT]),
        ("clap", &["hypercolumn"]),
        ("clap_complete", &["hypercolumn"]),
        ("clap_mangen", &["hypercolumn"]),
        ("comfy-table", &["hypercolumn"]),
        ("toml", &["hypercolumn"]),
    ];
    let dependencies = dependencies();
    for (library, room) in rooms {
        let users: Vec<&String> = dependencies
            .iter()
            .filter(|(_, needs)| needs.iter().any(|n| n == library))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(users, *room, "{library} belongs to {room:?} alone");
    }
}

#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    let circles: Vec<String> = CRATES.iter().flat_map(|name| circles::circles(name)).collect();
    assert!(circles.is_empty(), "{} import circles:\n{}", circles.len(), circles.join("\n"));
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
    let directories = CRATES.into_iter().filter(|directory| !directory.contains('/'));
    sources::rust_files(&directories.chain(["benches"]).collect::<Vec<_>>())
}
