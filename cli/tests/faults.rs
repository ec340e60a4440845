//! What goes wrong with processes and disks, many times over: kills at any moment, flipped bits, writers beside readers and
//! `gc`. Counts are small here; `make faults` runs them in full (`HYPERCOLUMN_FAULTS` multiplies them).

mod support;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Bench, checkpoint, contents};

/// How many rounds of a kind are run: `n` in the ordinary tests.
fn rounds(n: usize) -> usize {
    let times = std::env::var("HYPERCOLUMN_FAULTS").ok().map(|text| text.parse().expect("a number"));
    n * times.unwrap_or(1)
}

fn prompts(n: usize, word: &str) -> String {
    let line = |i: usize| json!({"text": format!("{word} number {i} says a"), "expected": "b", "params": {"i": i % 3}});
    (0..n).map(|i| format!("{}\n", line(i))).collect()
}

const STUDY: &str = r#"
name = "faults"
model = "model"

[[task]]
name = "mine"
prompts = "mine.jsonl"

[[rsa]]
task = "mine"
hypothesis = "same i"
sql = "a.i = b.i"
"#;

/// Everything that has to be the same after any interruption.
const EVERYTHING: [&str; 6] = [
    "SELECT * FROM prompts ORDER BY ALL",
    "SELECT * FROM tokens ORDER BY ALL",
    "SELECT * FROM hidden_states ORDER BY ALL",
    "SELECT * FROM attention ORDER BY ALL",
    "SELECT * FROM behavior ORDER BY ALL",
    "SELECT * FROM rsa ORDER BY ALL",
];

fn study() -> Bench {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    bench.write("mine.jsonl", prompts(24, "Line"));
    bench.write("study.toml", STUDY);
    bench
}

fn everything(bench: &Bench, lake: &str) -> Vec<Vec<u8>> {
    let ask = |sql: &&str| {
        let answer = bench.run(&["sql", sql, "--check", "--format", "parquet", "--lake", lake]);
        answer.succeeds().stdout
    };
    EVERYTHING.iter().map(ask).collect()
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_like_one_that_is_not() {
    let bench = study();
    let begun = Instant::now();
    bench.run(&["run", "study.toml", "--lake", "whole"]).succeeds();
    let whole_s = begun.elapsed().as_secs_f64();
    let expected = everything(&bench, "whole");
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for round in 0..rounds(6) {
        let lake = format!("killed-{round}");
        let arguments = ["run", "study.toml", "--lake", &lake];
        for _ in 0..3 {
            let mut child = bench
                .command(&arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("started");
            std::thread::sleep(Duration::from_secs_f64(whole_s * random.random_range(0.0..1.2)));
            child.kill().expect("killed or gone");
            child.wait().expect("gone");
            if bench.path(&lake).join("_log").exists() {
                bench.run(&["verify", "--lake", &lake]).succeeds();
            }
        }
        bench.run(&arguments).succeeds();
        assert!(everything(&bench, &lake) == expected, "round {round} ended with other tables");
        bench.run(&["gc", "--yes", "--lake", &lake]).succeeds();
        assert!(!bench.path(&lake).join("_staging").exists(), "round {round}");
        assert!(everything(&bench, &lake) == expected, "round {round}: gc removed what counts");
        fs::remove_dir_all(bench.path(&lake)).expect("removed");
    }
}

#[test]
fn every_flipped_bit_and_cut_file_is_found() {
    let bench = study();
    bench.run(&["run", "study.toml"]).succeeds();
    let is_recorded = |path: &PathBuf| path.is_file() && !is_below(path, &["_locks", "reports"]);
    let files: BTreeMap<PathBuf, Vec<u8>> =
        contents(&bench.path("lake")).into_iter().filter(|(path, _)| is_recorded(path)).collect();
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for round in 0..rounds(60) {
        let (path, whole) = files.iter().nth(random.random_range(0..files.len())).expect("a file");
        let at = random.random_range(0..whole.len());
        let mut damaged = whole.clone();
        match round % 4 {
            0 => damaged.truncate(at),
            _ => damaged[at] ^= 1 << random.random_range(0..8),
        }
        fs::write(path, &damaged).expect("written");
        let found = bench.run(&["verify"]);
        assert_eq!(found.code, Some(3), "{}: byte {at} of {}", path.display(), whole.len());
        let asked = bench.run(&["sql", "SELECT count(*) FROM prompts", "--check"]);
        assert_ne!(asked.code, Some(0), "{}: byte {at}", path.display());
        let analyzed = bench.run(&["report", "study.toml"]);
        assert_ne!(analyzed.code, Some(0), "{}: byte {at}: {}", path.display(), analyzed.stderr);
        fs::write(path, whole).expect("written");
    }
    bench.run(&["verify"]).succeeds();
}

fn is_below(path: &Path, directories: &[&str]) -> bool {
    path.components().any(|c| directories.iter().any(|d| c.as_os_str() == *d))
}

#[test]
fn writers_readers_and_gc_do_not_disturb_each_other() {
    const N_WRITERS: usize = 4;
    let bench = Bench::new();
    for writer in 0..N_WRITERS {
        bench.write(&format!("{writer}.jsonl"), prompts(10 + writer, "Writer"));
    }
    bench.write("first.jsonl", prompts(9, "First"));
    bench.run(&["ingest", "--task", "shared", "--prompts", "first.jsonl"]).succeeds();
    for _ in 0..rounds(4) {
        let start = |args: &[&str]| {
            bench.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
        };
        let mut running = Vec::new();
        for writer in 0..N_WRITERS {
            let file = format!("{writer}.jsonl");
            running.push(start(&["ingest", "--task", "shared", "--prompts", &file]));
            running.push(start(&["ingest", "--task", &format!("own-{writer}"), "--prompts", &file]));
            running
                .push(start(&["sql", "SELECT count(*) FROM prompts JOIN segments USING (task, prompt_id)"]));
            running.push(start(&["gc", "--yes"]));
        }
        for child in running {
            let ended = child.wait_with_output().expect("ended");
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        }
        bench.run(&["verify"]).succeeds();
        let counts = "SELECT task, count(*) AS n, count(DISTINCT text) AS texts FROM prompts GROUP BY task ORDER BY task";
        let counts = bench.run(&["sql", counts, "--check", "--format", "json"]).succeeds().json();
        let counts = counts.as_array().expect("rows");
        let of = |task: &str| counts.iter().find(|row| row["task"] == task).expect("the task").clone();
        for writer in 0..N_WRITERS {
            assert_eq!(of(&format!("own-{writer}"))["n"], 10 + writer);
        }
        let shared = of("shared");
        assert_eq!(shared["n"], shared["texts"], "one writer's prompts, not a mixture");
        assert!((10..10 + N_WRITERS as u64).contains(&shared["n"].as_u64().expect("a number")));
    }
    assert!(bench.run(&["gc"]).succeeds().text().is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupt_is_answered_at_once_and_leaves_nothing_staged() {
    let bench = study();
    bench.write("mine.jsonl", prompts(4000, "Line"));
    for signal in ["INT", "TERM"] {
        let lake = format!("lake of {signal}");
        let child = bench
            .command(&["run", "study.toml", "--lake", &lake])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        while !bench.path(&lake).join("_staging").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-s", signal, &pid]).status().expect("sent").success()
        );
        let ended = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{said}");
        let command = format!("run study.toml --lake 'lake of {signal}'");
        assert!(said.contains("interrupted") && said.contains(&command), "{said}");
        let staged = fs::read_dir(bench.path(&lake).join("_staging")).into_iter().flatten().flatten();
        let staged: Vec<_> = staged.map(|entry| entry.file_name()).collect();
        assert!(staged.iter().all(|name| name.to_string_lossy().starts_with("resume-")), "{staged:?}");
        bench.run(&["verify", "--lake", &lake]).succeeds();
    }
}
