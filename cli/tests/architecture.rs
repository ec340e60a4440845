//! The walls of the house: who may depend on whom, read from `cargo metadata`.

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

const STAGES: [&str; 3] = ["hypercolumn-ingest", "hypercolumn-extract", "hypercolumn-analyze"];
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
        ("candle-core", "hypercolumn-extract"),
        ("tokenizers", "hypercolumn-extract"),
        ("duckdb", "hypercolumn-analyze"),
        ("plotly", "hypercolumn-analyze"),
        ("faer", "hypercolumn-analyze"),
        ("clap", "hypercolumn"),
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
