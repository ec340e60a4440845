//! What the pages for users say, compared with the program.

mod figures;
mod samples;
#[path = "../support/mod.rs"]
mod support;

use samples::{block, commands, scripts};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Bench, PROMPTS, Ran, checkpoint};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A page of the project.
fn page(path: &str) -> String {
    let path = Path::new(ROOT).join(path);
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

/// README.md and the pages of docs/, by their path.
fn pages() -> BTreeMap<PathBuf, String> {
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).expect("docs");
    let docs = docs.map(|entry| PathBuf::from("docs").join(entry.expect("listed").file_name()));
    let pages = docs.filter(|path| path.extension().is_some_and(|e| e == "md")).chain(["README.md".into()]);
    pages.map(|path| (path.clone(), page(path.to_str().expect("UTF-8")))).collect()
}

#[test]
fn the_samples_of_the_readme_are_files() {
    let readme = page("README.md");
    assert_eq!(block(&readme, "name  = \"my-study\""), page("data/examples/my_study.toml"));
    let prompts = block(&readme, "{\"item_id\"");
    let file = page("data/examples/my_prompts.jsonl");
    assert!(prompts.lines().count() == 2 && file.starts_with(&prompts), "{prompts}");
}

#[test]
fn the_prompt_of_the_readme_is_one_of_the_built_in_study() {
    let bench = Bench::new();
    bench.run(&["-q", "ingest"]).succeeds();
    let readme = page("README.md");
    let (_, command) = readme.split_once("<!-- prompt: hypercolumn ").expect("the command");
    let (command, _) = command.split_once(" -->").expect("the end of a comment");
    let shown = bench.run(&command.split(' ').collect::<Vec<_>>()).succeeds().text();
    let (_, text) = shown.split_once("\n\n").expect("fields and text");
    assert_eq!(block(&readme, "⟦¹"), text);
}

/// A directory with the README's files, a model that computes nothing sensible, and programs that put it in place of the default
/// model; `make` looks its target up.
fn bench_of_readme() -> Bench {
    let bench = Bench::new();
    for file in ["my_study.toml", "my_prompts.jsonl"] {
        bench.write(file, page(&format!("data/examples/{file}")));
    }
    checkpoint::write(&bench, "tiny", 1);
    let config = fs::read_to_string(bench.path("tiny/config.json")).expect("a configuration");
    bench.write(
        "tiny/config.json",
        config.replace("\"max_position_embeddings\":64", "\"max_position_embeddings\":2048"),
    );
    let program = env!("CARGO_BIN_EXE_hypercolumn");
    let hypercolumn = format!(
        "for word in \"$@\"; do [ \"$word\" = MODEL ] && word=./tiny; words+=(\"$word\"); done\n\
         case \"$1\" in run|plan|extract|analyze) words+=(--model ./tiny);; esac\nexec '{program}' \"${{words[@]}}\"\n"
    );
    let make = format!("grep -q \"^$1:\" '{ROOT}/Makefile' || {{ echo \"no target $1\" >&2; exit 2; }}\n");
    for (name, script) in [("hypercolumn", hypercolumn), ("make", make)] {
        let path = bench.write(&format!("bin/{name}"), format!("#!/bin/bash\n{script}"));
        let mut executable = Command::new("chmod");
        executable.arg("+x").arg(path);
        Ran::of(executable).succeeds();
    }
    bench
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_readme_run_as_they_stand() {
    let bench = bench_of_readme();
    bench.run(&["-q", "ingest"]).succeeds();
    let scripts = scripts(&page("README.md"));
    assert!(scripts.len() >= 8, "{scripts:?}");
    for script in scripts {
        let path = format!("{}:{}", bench.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &script]).current_dir(bench.path("."));
        bash.env("PATH", path).env("HYPERCOLUMN_CACHE", bench.path("cache")).env("HF_HUB_OFFLINE", "1");
        let ran = Ran::of(bash);
        assert_eq!(ran.code, Some(0), "{script}\n{}", ran.stderr);
    }
    for file in
        ["slope.csv", "hypercolumn.bash", "share/man/man1/hypercolumn.1", "lake/reports/my-study.html"]
    {
        assert!(bench.path(file).metadata().expect(file).len() > 100, "{file} is empty");
    }
}

#[test]
fn pages_name_commands_and_options_that_there_are() {
    let bench = Bench::new();
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut n_commands = 0;
    for (path, text) in pages() {
        for words in commands(&text) {
            let is_name = |word: &&String| word.chars().all(|c| c.is_ascii_lowercase());
            let n_names = if ["models", "prompts"].contains(&words[0].as_str()) { 2 } else { 1 };
            let names: Vec<&str> =
                words.iter().take(n_names).take_while(is_name).map(String::as_str).collect();
            let help = helps
                .entry(names.join(" "))
                .or_insert_with(|| bench.run(&[&names[..], &["--help"]].concat()).succeeds().text());
            for option in words.iter().filter_map(|word| word.trim_start_matches('[').strip_prefix("--")) {
                let option = option.split(['=', ']', '|', '…']).next().expect("a name");
                let is_known = option.is_empty() || help.contains(&format!("--{option}"));
                assert!(is_known, "{}: `{}` has no option --{option}", path.display(), words.join(" "));
            }
            n_commands += 1;
        }
    }
    assert!(n_commands > 35, "{n_commands}");
}

#[test]
fn pages_link_to_files_that_there_are() {
    let mut n_links = 0;
    for (path, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if link.is_empty() || link.starts_with("http") {
                continue;
            }
            let target = Path::new(ROOT).join(path.parent().expect("a directory")).join(link);
            assert!(target.exists(), "{} links to {link}", path.display());
            n_links += 1;
        }
    }
    assert!(n_links > 20, "{n_links}");
}
