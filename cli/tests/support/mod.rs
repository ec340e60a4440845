//! What the tests share: running the binary, directories that clean up, and the default model.

#![allow(dead_code)]

pub mod checkpoint;
pub mod hub;
pub mod two_tasks;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A working directory of a test's own, with paths below it.
pub struct Bench {
    directory: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the directory.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        fs::write(&path, content).expect("written");
        path
    }

    /// The program in this directory, with model caches that are empty and no say of the user's about the hub.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hypercolumn"));
        command.args(args).current_dir(self.directory.path());
        for variable in ["HF_HUB_CACHE", "HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
        {
            command.env_remove(variable);
        }
        command.env("HF_HOME", self.path("hf")).env("NO_PROXY", "127.0.0.1");
        command.env("HYPERCOLUMN_CACHE", self.path("cache"));
        command
    }

    /// Runs the program with an empty model cache.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args))
    }

    /// Runs the program with the user's own model cache.
    pub fn run_with_models(&self, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        command.env_remove("HYPERCOLUMN_CACHE");
        if let Some(cache) = std::env::var_os("HYPERCOLUMN_CACHE") {
            command.env("HYPERCOLUMN_CACHE", cache);
        }
        Ran::of(command)
    }
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn of(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the program starts");
        Self { code: status.code(), stdout, stderr: String::from_utf8(stderr).expect("UTF-8 messages") }
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("UTF-8 output")
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).expect("JSON output")
    }

    /// Asserts success.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts a refusal (exit code 2) of the user's input whose message has all of `parts`, and no data.
    #[track_caller]
    pub fn refuses(self, parts: &[&str]) -> Self {
        self.fails(2, parts)
    }

    /// Asserts an exit code and the parts of the message.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in:\n{}", self.stderr);
        }
        assert!(self.stdout.is_empty(), "data was written: {:?}", self.text());
        self
    }
}

/// Every file below `directory` with its content: what must not change when a command is refused.
pub fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(directory) else { return found };
    for entry in entries {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            found.extend(contents(&path));
            found.insert(path, Vec::new());
        } else {
            let content = fs::read(&path).expect("readable");
            found.insert(path, content);
        }
    }
    found
}

/// Makes the absence of the default model a failure of the tests that need it, as `make test` does.
const REQUIRE_MODEL: &str = "HYPERCOLUMN_REQUIRE_MODEL";

/// The default model's file in the user's cache. Without it a test has nothing to run: `None` after a message, or a
/// panic where the environment requires the model.
pub fn default_model() -> Option<PathBuf> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypercolumn"));
    command.args(["models", "list", "--json"]);
    let listed = Ran::of(command).succeeds().json();
    if let Some(path) = listed[0]["path"].as_str() {
        return Some(PathBuf::from(path));
    }
    let message = "the default model is not in the cache; `make setup` fetches it";
    assert!(std::env::var_os(REQUIRE_MODEL).is_none(), "{message}");
    // The test harness captures what `eprintln` writes, but not this.
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr(), "skipped {test}: {message}").expect("written");
    None
}

/// A small prompts file of a task with two conditions.
pub const PROMPTS: &str = concat!(
    r#"{"prompt_id":"p1","item_id":"i1","condition":"icl_0","n_examples":0,"text":"Anna sings. Who?","#,
    r#""expected":"Anna","params":{"name":"Anna","n":1},"segments":[{"role":"informative","start":0,"end":11}]}"#,
    "\n",
    r#"{"prompt_id":"p2","item_id":"i1","condition":"icl_1","n_examples":1,"text":"Bob. Anna sings. Who?","#,
    r#""expected":"Anna","params":{"name":"Anna","n":2},"segments":[{"role":"informative","start":5,"end":16}]}"#,
    "\n",
);
