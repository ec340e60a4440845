//! What the pages for users say, compared with the program.

mod support;

use std::fs;
use std::path::Path;
use support::{Bench, PROMPTS};

/// A page of the project.
fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

#[test]
fn the_citation_is_of_this_version() {
    let citation = page("CITATION.cff");
    let value = |key: &str| {
        let line = citation.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    assert_eq!(value("cff-version"), "1.2.0");
    assert_eq!(value("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(value("license"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(value("repository-code"), env!("CARGO_PKG_REPOSITORY"));
    assert_eq!(value("title"), env!("CARGO_PKG_NAME"));
    let citing = page("docs/citing.md");
    for key in ["title", "version", "license"] {
        assert!(citing.contains(&format!("= {{{}}}", value(key))), "docs/citing.md has another {key}");
    }
}

#[test]
fn the_log_has_what_the_page_on_citing_says() {
    let bench = Bench::new();
    bench.write("p.jsonl", PROMPTS);
    bench.run(&["ingest", "--task", "mine", "--prompts", "p.jsonl"]).succeeds();
    let entry = &bench.run(&["history", "--json"]).succeeds().json()[0];
    assert!(entry["program"].as_str().is_some_and(|program| program.contains(env!("CARGO_PKG_VERSION"))));
    assert!(entry["details"]["prompts_digest"].as_str().is_some_and(|digest| digest.len() == 32));
    assert!(entry["details"]["source"].to_string().contains("blake3"), "{}", entry["details"]["source"]);
    assert!(entry["files"][0]["blake3"].is_string());
}
