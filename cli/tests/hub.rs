//! Models of the Hugging Face Hub through the binary, from a hub on this machine.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use support::hub::{FakeHub, Manner, Revision, commit};
use support::{Bench, PROMPTS, Ran, contents, default_model};

const SMALL: [(&str, &[u8]); 5] = [
    ("README.md", b"not needed"),
    ("config.json", b"{}"),
    ("tokenizer.json", b"{\"model\": 1}"),
    ("tokenizer_config.json", b"{\"bos\": 1}"),
    ("pytorch_model.bin", b"the same weights again"),
];
const WEIGHTS: &[u8] = &[7; 300_000];
const INDEX: &[u8] = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;

/// A hub whose repository has one file of weights at `main` and two shards at `sharded`.
fn hub(manner: Manner) -> FakeHub {
    let whole = [&SMALL[..], &[("model.safetensors", WEIGHTS)]].concat();
    let shards = [
        &SMALL[..],
        &[
            ("model.safetensors.index.json", INDEX),
            ("model-1.safetensors", b"first"),
            ("model-2.safetensors", b"second"),
        ],
    ]
    .concat();
    let pths = [("config.json", &b"{}"[..]), ("consolidated.00.pth", b"x")];
    let ggufs = [("a.gguf", &b"GGUF a"[..]), ("b.gguf", b"GGUF b")];
    let revisions: [Revision; 4] = [
        ("main", commit('a'), &whole),
        ("refs/pr/7", commit('b'), &shards),
        ("pths", commit('c'), &pths),
        ("ggufs", commit('d'), &ggufs),
    ];
    FakeHub::start(&revisions, manner)
}

fn command(bench: &Bench, hub: &FakeHub, args: &[&str]) -> Command {
    let mut command = bench.command(args);
    command.env("HF_ENDPOINT", &hub.endpoint);
    command
}

fn fetch(bench: &Bench, hub: &FakeHub, model: &str) -> Ran {
    Ran::of(command(bench, hub, &["models", "fetch", model]))
}

fn fetch_with(bench: &Bench, hub: &FakeHub, variable: &str, value: &str) -> Ran {
    let mut command = command(bench, hub, &["models", "fetch", "hf:org/name"]);
    command.env(variable, value);
    Ran::of(command)
}

/// Names of the files at a printed path.
fn names(ran: &Ran) -> Vec<String> {
    let directory = PathBuf::from(ran.text().trim());
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|e| e.expect("listed").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_needed_is_fetched_once() {
    let (bench, hub) = (Bench::new(), hub(Manner::default()));
    let first = fetch(&bench, &hub, "hf:org/name").succeeds();
    assert_eq!(
        names(&first),
        ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    );
    assert!(first.text().contains(&format!("models--org--name/snapshots/{}", commit('a'))));
    assert!(first.stderr.contains("fetch model.safetensors: 300.00 kB"), "{}", first.stderr);
    assert_eq!(
        fs::read(PathBuf::from(first.text().trim()).join("model.safetensors")).expect("there"),
        WEIGHTS
    );
    assert!(!hub.asked().is_empty());
    let second = fetch(&bench, &hub, "hf:org/name").succeeds();
    assert_eq!((second.text(), second.stderr.as_str()), (first.text(), ""));
    assert!(hub.asked().is_empty(), "nothing is asked about what is there");
    let offline = fetch_with(&bench, &hub, "HF_HUB_OFFLINE", "1").succeeds();
    assert_eq!(offline.text(), first.text());
    let at_commit = fetch(&bench, &hub, &format!("hf:org/name@{}", commit('a'))).succeeds();
    assert_eq!(at_commit.text(), first.text());
    assert!(hub.asked().is_empty());
}

#[test]
fn a_revision_with_shards_is_fetched_by_its_index() {
    let (bench, hub) = (Bench::new(), hub(Manner::default()));
    let ran = fetch(&bench, &hub, "hf:org/name@refs/pr/7").succeeds();
    assert!(ran.text().contains(&commit('b')));
    let names = names(&ran);
    for name in ["model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert!(!names.contains(&"pytorch_model.bin".to_owned()), "{names:?}");
    let shard = PathBuf::from(ran.text().trim()).join("model-2.safetensors");
    fs::remove_file(&shard).expect("removed");
    fetch(&bench, &hub, "hf:org/name@refs/pr/7").succeeds();
    assert_eq!(fs::read(shard).expect("fetched again"), b"second");
}

#[test]
fn offline_takes_what_another_program_has_fetched_if_it_is_whole() {
    let (bench, hub) = (Bench::new(), hub(Manner::default()));
    let refused = fetch_with(&bench, &hub, "HF_HUB_OFFLINE", "1");
    refused.fails(1, &["`hf:org/name` is not in the cache", "there is no revision `main`", "hint: run once"]);
    fetch(&bench, &hub, "hf:org/name").succeeds();
    fs::remove_dir_all(bench.path("cache")).expect("the record is gone");
    hub.asked();
    fetch_with(&bench, &hub, "HF_HUB_OFFLINE", "1").succeeds();
    let snapshot = bench.path("hf/hub/models--org--name/snapshots").join(commit('a'));
    fs::remove_file(snapshot.join("tokenizer_config.json")).expect("removed");
    let refused = fetch_with(&bench, &hub, "HF_HUB_OFFLINE", "1");
    refused.fails(1, &["there is no `tokenizer_config.json`", "hint:"]);
    assert!(hub.asked().is_empty(), "nothing is asked offline");
    // Online, only what is missing is fetched.
    fetch(&bench, &hub, "hf:org/name").succeeds();
    assert!(hub.asked().iter().all(|t| t.starts_with("/api/") || t.contains("tokenizer_config.json")));
}

#[test]
fn caches_are_where_the_variables_say() {
    let (bench, hub) = (Bench::new(), hub(Manner::default()));
    let elsewhere = bench.path("elsewhere");
    let ran = fetch_with(&bench, &hub, "HF_HUB_CACHE", elsewhere.to_str().expect("UTF-8")).succeeds();
    assert!(ran.text().starts_with(elsewhere.to_str().expect("UTF-8")), "{}", ran.text());
    // A mirror is another endpoint: what came from one hub is there for the other.
    let silent = FakeHub::start(&[], Manner::default());
    fetch_with(&bench, &silent, "HF_HUB_CACHE", elsewhere.to_str().expect("UTF-8")).succeeds();
    assert!(silent.asked().is_empty());
}

#[test]
fn a_token_opens_what_is_gated() {
    let gated = || Manner { token: Some("hf_right"), ..Manner::default() };
    let (bench, hub) = (Bench::new(), hub(gated()));
    let parts = ["`hf:org/name` needs permission", "answered 401, no token was sent", "HF_TOKEN=hf_"];
    fetch(&bench, &hub, "hf:org/name").fails(1, &parts);
    let wrong = fetch_with(&bench, &hub, "HF_TOKEN", "hf_wrong")
        .fails(1, &["answered 403", "accept its conditions at"]);
    assert!(!wrong.stderr.contains("hf_wrong"), "{}", wrong.stderr);
    fetch_with(&bench, &hub, "HF_TOKEN", "hf_right").succeeds();
    let other = Bench::new();
    other.write("hf/token", "hf_right\n");
    fetch(&other, &hub, "hf:org/name").succeeds();
}

#[test]
fn a_transfer_that_breaks_is_gone_on_with() {
    let breaks =
        |n_times| Manner { breaks: Some(("model.safetensors", 100_000, n_times)), ..Manner::default() };
    let (bench, hub) = (Bench::new(), hub(breaks(1)));
    let ran = fetch(&bench, &hub, "hf:org/name").succeeds();
    assert_eq!(fs::read(PathBuf::from(ran.text().trim()).join("model.safetensors")).expect("there"), WEIGHTS);
}

#[test]
fn half_a_file_is_not_taken_for_whole() {
    let breaks = Manner { breaks: Some(("model.safetensors", 1_000, usize::MAX)), ..Manner::default() };
    let (bench, hub) = (Bench::new(), hub(breaks));
    let ran = fetch(&bench, &hub, "hf:org/name");
    ran.fails(
        1,
        &["the transfer of `model.safetensors` of `hf:org/name` was interrupted", "hint: run the same"],
    );
    let snapshot = bench.path("hf/hub/models--org--name/snapshots").join(commit('a'));
    assert!(!snapshot.join("model.safetensors").exists());
    fetch_with(&bench, &hub, "HF_HUB_OFFLINE", "1").fails(1, &["is not in the cache"]);
    let listed = Ran::of(command(&bench, &hub, &["models", "--json"])).succeeds().json();
    assert!(listed[1]["path"].is_string() && listed[1]["is_whole"] == false, "{listed}");
    hub.behave(Manner::default());
    let ran = fetch(&bench, &hub, "hf:org/name").succeeds();
    assert_eq!(fs::read(PathBuf::from(ran.text().trim()).join("model.safetensors")).expect("there"), WEIGHTS);
}

#[test]
fn a_file_that_was_altered_on_its_way_is_removed() {
    let (bench, hub) = (Bench::new(), hub(Manner { alters: Some("model.safetensors"), ..Manner::default() }));
    let ran = fetch(&bench, &hub, "hf:org/name");
    ran.fails(1, &["`model.safetensors` of `hf:org/name` arrived damaged", "its SHA-256 is", "hint:"]);
    let kept = contents(&bench.path("hf")).into_values().any(|content| content.len() == WEIGHTS.len());
    assert!(!kept, "the altered file is not kept");
}

#[test]
fn what_is_not_there_is_said() {
    let (bench, hub) = (Bench::new(), hub(Manner::default()));
    let refuse = |model: &str, parts: &[&str]| drop(fetch(&bench, &hub, model).refuses(parts));
    refuse("hf:org/other", &["shows no model `hf:org/other`", "for a private repository give a token"]);
    refuse("hf:org/name@v9", &["shows no model `hf:org/name@v9`", "check ORG/NAME and REV"]);
    refuse("hf:org/name@pths", &["has no safetensors", "`consolidated.00.pth` is not read", "@refs/pr/N"]);
    refuse(
        "hf:org/name@ggufs",
        &["has no safetensors", "it has GGUF files (a.gguf, b.gguf)", "hf:org/name@ggufs/a.gguf"],
    );
    refuse("hf:org/name@ggufs/c.gguf", &["has no file `c.gguf`", "it has: a.gguf, b.gguf"]);
    refuse("hf:name", &["is not hf:ORG/NAME[@REV]", "hint: for example hf:"]);
    assert!(!bench.path("hf/hub/models--org--name/snapshots").exists(), "nothing was fetched");
}

#[test]
fn no_hub_and_no_network_are_told() {
    let (bench, hub) = (Bench::new(), hub(Manner::default()));
    let parts = ["could not reach the hub at http://127.0.0.1:9", "refused", "HF_ENDPOINT to a mirror"];
    fetch_with(&bench, &hub, "HF_ENDPOINT", "http://127.0.0.1:9").fails(1, &parts);
    let parts = ["could not reach the hub at http://no-such-host.invalid", "hint:"];
    fetch_with(&bench, &hub, "HF_ENDPOINT", "http://no-such-host.invalid").fails(1, &parts);
}

#[test]
fn one_gguf_runs_and_its_commit_is_recorded() {
    let Some(model) = default_model() else { return };
    let content = fs::read(model).expect("read");
    let files: [(&str, &[u8]); 2] = [("q/tiny.Q4_1.gguf", &content), ("q/tiny.Q8_0.gguf", b"not this one")];
    let hub = FakeHub::start(&[("main", commit('e'), &files)], Manner::default());
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    let args =
        ["extract", "--task", "mine", "--model", "hf:org/name/q/tiny.Q4_1.gguf", "--max-new-tokens", "1"];
    Ran::of(command(&bench, &hub, &args)).succeeds();
    assert!(!hub.asked().iter().any(|target| target.contains("Q8_0")));
    let models = bench.run(&["sql", "SELECT DISTINCT model FROM tokens", "--format", "csv"]).succeeds();
    assert_eq!(models.text(), "model\r\ntiny.Q4_1\r\n");
    let history = Ran::of(command(&bench, &hub, &["history", "--json"])).succeeds().json();
    assert_eq!(
        history[1]["details"]["model"]["source"],
        format!("hf:org/name@{}/q/tiny.Q4_1.gguf", commit('e'))
    );
    let listed = Ran::of(command(&bench, &hub, &["models"])).succeeds().text();
    assert!(listed.contains("hf:org/name/q/tiny.Q4_1.gguf") && listed.contains("98.36 MB"), "{listed}");
}
