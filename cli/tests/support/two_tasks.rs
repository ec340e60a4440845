//! A study of two small tasks on a checkpoint of the tests' own.

use super::{Bench, checkpoint};
use serde_json::json;

/// Tasks `mine` and `other`, one RSA question about `mine`.
pub const STUDY: &str = r#"
name = "s"
model = "model"

[analysis]
seed = 1

[extract]
max_new_tokens = 1
hidden_states = [{ roles = ["cue"], pooling = ["mean"] }]

[[task]]
name = "mine"
prompts = "mine.jsonl"

[[task]]
name = "other"
prompts = "other.jsonl"

[[rsa]]
task = "mine"
hypothesis = "same class"
sql = "a.class = b.class"
segment = "cue"
pooling = ["mean"]
"#;

/// Prompts that begin with `word`; `class` swaps their classes.
pub fn prompts(word: &str, class: usize) -> String {
    let line = |n: usize| {
        let text = format!("{word} {n} says");
        let cue = json!([{"role": "cue", "start": 0, "end": word.len()}]);
        json!({"prompt_id": n, "text": text, "expected": "b", "segments": cue, "params": {"class": (n + class) % 2}})
    };
    (0..6).map(|n| format!("{}\n", line(n))).collect()
}

/// A lake in which the study has been run.
pub fn filled() -> Bench {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    bench.write("study.toml", STUDY);
    bench.write("mine.jsonl", prompts("Line", 0));
    bench.write("other.jsonl", prompts("Row", 0));
    bench.run(&["run", "study.toml"]).succeeds();
    bench
}
