//! Models through the binary: a file that is no whole model is refused by name before a table is touched.

mod support;

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use support::{Bench, PROMPTS, checkpoint, contents, default_model};

/// Far past the header of the default model, far before its end.
const N_BYTES_KEPT: u64 = 8 << 20;

/// The first bytes of a file.
fn beginning(path: &Path, n_bytes: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = File::open(path).expect("opened");
    file.take(n_bytes).read_to_end(&mut bytes).expect("read");
    bytes
}

#[test]
fn a_file_that_is_no_whole_gguf_leaves_the_lake_as_it_was() {
    let Some(model) = default_model() else { return };
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    let before = contents(&bench.path("lake"));
    let whole = beginning(&model, N_BYTES_KEPT);
    let cases: [(&str, &[u8], &[&str]); 6] = [
        ("cut-in-magic", &whole[..2], &["is truncated: its header goes on after byte 0"]),
        ("cut-in-header", &whole[..100_000], &["is truncated: its header goes on after byte 9"]),
        ("cut-in-tensors", &whole, &["is truncated: tensor `", "the file has 8388608"]),
        ("foreign", b"PK\x03\x04 a zip archive under another name", &["it does not begin with `GGUF`"]),
        ("text", b"version https://git-lfs.github.com/spec/v1\n", &["it does not begin with `GGUF`"]),
        ("empty", b"", &["is empty"]),
    ];
    for (name, content, parts) in cases {
        let file = format!("{name}.gguf");
        bench.write(&file, content);
        let subject = format!("model file `{file}`");
        let parts = [&["could not extract `mine`", &subject, "hint: fetch the file again"], parts].concat();
        bench.run(&["extract", "--task", "mine", "--model", &file]).refuses(&parts);
        assert_eq!(contents(&bench.path("lake")), before, "{name} changed the lake");
    }
}

#[test]
fn a_path_that_is_no_model_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    bench.write("empty/notes.txt", "");
    bench.write("pths/config.json", "{}");
    bench.write("pths/consolidated.00.pth", "x");
    bench.write("half/config.json", "{}");
    bench.write(
        "half/model.safetensors.index.json",
        r#"{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}"#,
    );
    bench.write("half/a.safetensors", "x");
    bench.write("quantised/a.Q4_0.gguf", "x");
    let cases: [(&str, &[&str]); 9] = [
        ("./nowhere", &["there is no model at `./nowhere`", "hint: check the path"]),
        ("/nowhere/at-all", &["there is no model at `/nowhere/at-all`"]),
        ("org/name", &["there is no model at `org/name`", "for a model of the hub write hf:org/name"]),
        ("nowhere.gguf", &["there is no model at `nowhere.gguf`"]),
        ("empty/", &["`empty/` is no model: it has no `config.json`", "hint: a model's directory has"]),
        ("./pths", &["it has no `model.safetensors`", "`consolidated.00.pth` is not read; convert it once"]),
        ("half", &["it has no `b.safetensors`"]),
        ("quantised", &["hint: for its GGUF file give quantised/a.Q4_0.gguf"]),
        ("half/a.safetensors", &["it is a file, and no `.gguf`", "hint: give the directory"]),
    ];
    let before = contents(&bench.path("lake"));
    for (model, parts) in cases {
        let subject = format!("could not use model `{model}`");
        let parts = [&[subject.as_str()], parts].concat();
        bench.run(&["extract", "--task", "mine", "--model", model]).refuses(&parts);
    }
    assert_eq!(contents(&bench.path("lake")), before);
}

/// Memory that the default model's blocks do not fit into, but one after another.
const TOO_LITTLE: &str = "800MB";

/// What says of each row of a lake what it holds, to the last bit.
const EVERYTHING: [&str; 4] = [
    "SELECT * FROM hidden_states ORDER BY ALL",
    "SELECT * FROM attention ORDER BY ALL",
    "SELECT * FROM tokens ORDER BY ALL",
    "SELECT * FROM responses ORDER BY ALL",
];

/// The extractions in a lake's log.
fn extractions(lake: &Path) -> Vec<Value> {
    let files = fs::read_dir(lake.join("_log")).expect("a log").map(|f| f.expect("listed").path());
    let read = |path| serde_json::from_slice::<Value>(&fs::read(path).expect("read")).expect("JSON");
    let commits = files.map(|path| read(path)["commit"].clone());
    commits.filter(|c| !c["details"]["linear_flop"].is_null()).collect()
}

#[test]
fn a_dry_run_says_what_is_missing_and_computes_nothing() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    let Some(model) = default_model() else { return };
    let model = ["--model", model.to_str().expect("UTF-8"), "--max-new-tokens", "0", "--task", "mine"];
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    let dry = [&["extract", "--dry-run"], &model[..]].concat();
    let before = bench.run(&dry).succeeds();
    for said in ["1 of 1", "in memory", "MB", "unique"] {
        assert!(before.text().contains(said), "{}", before.text());
    }
    assert!(extractions(&bench.path("lake")).is_empty(), "a dry run committed something");
    bench.run(&[&["extract"], &model[..]].concat()).succeeds();
    assert!(bench.run(&dry).succeeds().text().contains("0 of 1"));
    bench.run(&[&dry[..], &["--profile"]].concat()).refuses(&["cannot be used with"]);
}

/// The first token is a key like a segment that covers it and nothing else.
#[test]
fn attention_to_the_first_token_is_that_to_a_segment_of_it() {
    let Some(model) = default_model() else { return };
    let bench = Bench::new();
    let line = json!({"prompt_id": "p", "text": "Kevin is watering the plants.", "expected": "yes",
        "segments": [{"role": "name", "start": 0, "end": 1}, {"role": "rest", "start": 8, "end": 29}]});
    bench.write("mine.jsonl", line.to_string());
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    let model = ["--model", model.to_str().expect("UTF-8"), "--max-new-tokens", "2", "--task", "mine"];
    bench.run(&[&["extract"], &model[..]].concat()).succeeds();
    let sql = "SELECT count(*)::INT AS n, max(abs(f.mass - s.mass)) AS worst, max(f.mass) > 0.2 AS is_sink,
            max(f.key_segment) AS number
        FROM attention AS f JOIN attention AS s USING (layer, prompt_id, head, query_segment)
        WHERE f.key_role = 'first_token' AND s.key_role = 'name'";
    let found = bench.run(&["sql", sql, "--format", "json"]).succeeds().json();
    // Thirty layers of nine heads; queries are the prompt, its two segments, the last token and the response.
    assert_eq!(found, json!([{ "n": 30 * 9 * 5, "worst": 0.0, "is_sink": true, "number": 5 }]));
    let others = "SELECT (SELECT count(*)::INT FROM hidden_states WHERE role = 'first_token') AS n_states,
        (SELECT count(*)::INT FROM attention WHERE query_role = 'first_token') AS n_queries";
    let others = bench.run(&["sql", others, "--format", "json"]).succeeds().json();
    assert_eq!(others, json!([{ "n_states": 0, "n_queries": 0 }]));
}

#[test]
fn a_response_of_which_nothing_is_kept_is_the_same_and_costs_a_token_less() {
    let Some(_) = default_model() else { return };
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    let task = "[[task]]\nname = \"mine\"\nprompts = \"mine.jsonl\"\n";
    let roles = r#"["prompt", "final", "informative"]"#;
    let rules = format!(
        "[extract]\nhidden_states = [{{ roles = {roles}, pooling = [\"mean\", \"max\", \"last\"] }}]\n\
         attention = {{ query_roles = {roles} }}\n"
    );
    bench.write("everything.toml", format!("name = \"a\"\nmodel = \"smollm2-135m-instruct\"\n{task}"));
    bench.write("text.toml", format!("name = \"a\"\nmodel = \"smollm2-135m-instruct\"\n{rules}{task}"));
    for (study, lake) in [("everything.toml", "everything"), ("text.toml", "text")] {
        bench.run(&["ingest", study, "--lake", lake]).succeeds();
        bench.run_with_models(&["extract", study, "--max-new-tokens", "3", "--lake", lake]).succeeds();
    }
    for question in [
        "SELECT * FROM responses ORDER BY ALL",
        "SELECT * FROM tokens ORDER BY ALL",
        "SELECT * FROM hidden_states WHERE role <> 'response' ORDER BY ALL",
        "SELECT * FROM attention WHERE query_role <> 'response' ORDER BY ALL",
    ] {
        let ask =
            |lake| bench.run(&["sql", question, "--format", "parquet", "--lake", lake]).succeeds().stdout;
        assert!(ask("everything") == ask("text"), "`{question}` differs");
    }
    let counts = "SELECT (SELECT count(*) FROM hidden_states WHERE role = 'response') AS n_states,
        (SELECT count(*) FROM attention WHERE query_role = 'response') AS n_queries,
        EXISTS (FROM attention WHERE key_role = 'response') AS is_key";
    let counts = bench.run(&["sql", counts, "--format", "json", "--lake", "text"]).succeeds();
    assert_eq!(counts.json(), json!([{ "n_states": 0, "n_queries": 0, "is_key": true }]));
    let flop = |lake| extractions(&bench.path(lake))[0]["details"]["linear_flop"].as_f64().expect("a number");
    assert!(flop("text") < flop("everything"), "a token that nothing is read from was computed");
}

#[test]
fn a_streamed_run_that_is_killed_resumes_after_its_last_layer_and_gives_the_same_bits() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    let arguments = |lake: &'static str, memory: &'static str| {
        let settings = ["--task", "mine", "--max-new-tokens", "2", "--memory", memory, "--lake", lake];
        [&["extract"], &settings[..]].concat()
    };
    for lake in ["whole", "killed"] {
        bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl", "--lake", lake]).succeeds();
    }
    let Some(model) = default_model() else { return };
    let model = ["--model", model.to_str().expect("UTF-8")];
    bench.run(&[&arguments("whole", "8GB")[..], &model].concat()).succeeds();

    let streamed = [&arguments("killed", TOO_LITTLE)[..], &model].concat();
    let mut child = bench.command(&streamed).stderr(Stdio::null()).spawn().expect("started");
    let is_under_way = || {
        let checkpoints = fs::read_dir(bench.path("killed/_staging")).into_iter().flatten().flatten();
        let mut checkpoints = checkpoints.filter(|s| s.file_name().to_string_lossy().starts_with("resume-"));
        checkpoints.any(|s| (5..30).any(|layer| s.path().join(format!("state-{layer:04}")).exists()))
    };
    while !is_under_way() {
        assert!(child.try_wait().expect("asked").is_none(), "the run ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(extractions(&bench.path("killed")).is_empty(), "a killed run committed something");

    bench.run(&streamed).succeeds();
    let flop = |lake| extractions(&bench.path(lake))[0]["details"]["linear_flop"].as_f64().expect("a number");
    assert!(flop("killed") < 0.95 * flop("whole"), "layers that were through were computed again");
    for question in EVERYTHING {
        let ask =
            |lake| bench.run(&["sql", question, "--format", "parquet", "--lake", lake]).succeeds().stdout;
        assert!(ask("whole") == ask("killed"), "`{question}` differs");
    }
    let left = bench.run(&["gc", "--lake", "killed"]).succeeds();
    assert!(!left.text().contains("resume-"), "{}", left.text());
}

#[test]
fn the_prefix_of_answers_is_a_column_and_a_setting() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    let prompts = [
        json!({"text": "The capital of France is", "expected": "Paris"}),
        json!({"text": "Prefix: un", "expected": "happy", "answer_prefix": ""}),
        json!({"text": "法国的首都是", "expected": "巴黎", "choices": ["巴黎", "London"]}),
    ];
    bench.write("mine.jsonl", prompts.map(|p| p.to_string()).join("\n"));
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    let extract = ["extract", "--task", "mine", "--model", "model", "--max-new-tokens", "1"];
    let scored = |sql: &str| {
        let rows = bench.run(&["sql", sql, "--format", "json"]).succeeds().json();
        let texts = rows
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["scored"].as_str().expect("a text").to_owned());
        texts.collect::<Vec<_>>()
    };
    bench.run(&extract).succeeds();
    assert_eq!(scored("SELECT scored FROM responses ORDER BY prompt_id"), [" Paris", "happy", "巴黎"]);
    assert_eq!(scored("SELECT scored FROM choices ORDER BY choice"), ["巴黎", "London"]);
    bench.run(&[&extract[..], &["--answer-prefix", "\n"]].concat()).succeeds();
    assert_eq!(scored("SELECT scored FROM responses ORDER BY prompt_id"), ["\nParis", "happy", "\n巴黎"]);
}

#[test]
fn every_prompt_that_is_too_long_is_named_or_counted() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    let prompt = |n: usize| json!({"prompt_id": format!("p{n}"), "text": "one two ".repeat(if n < 12 { 60 } else { 1 })});
    let extract = ["extract", "--task", "mine", "--model", "model"];
    for (n, parts) in [
        (3, &["3 prompts", "context has 64", "`p0`", "`p2`"][..]),
        (20, &["12 prompts", "`p9`", "and 2 more"]),
    ] {
        let lines: Vec<String> = (0..n).map(|n| prompt(n).to_string()).collect();
        bench.write("mine.jsonl", lines.join("\n"));
        bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
        bench.run(&extract).refuses(parts);
    }
}

#[test]
fn a_task_is_scored_as_its_study_says() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    bench.write("mine.jsonl", json!({"text": "One and one is", "expected": "2"}).to_string());
    let study = |scorer: &str| {
        format!(
            "name = \"s\"\nmodel = \"model\"\n[extract]\nmax_new_tokens = 1\n[[task]]\nname = \"mine\"\nprompts = \"mine.jsonl\"\n{scorer}\n"
        )
    };
    let metrics = "SELECT string_agg(metric, ' ' ORDER BY metric) AS metrics FROM behavior";
    for (scorer, expected) in [
        ("", "absolute_error expected_logprob"),
        ("scorer = \"exact_match\"", "exact_match expected_logprob"),
        ("scorer = \"numeric\"\ntolerance = 0.5", "absolute_error expected_logprob numeric"),
    ] {
        bench.write("study.toml", study(scorer));
        bench.run(&["run", "study.toml"]).succeeds();
        let rows = bench.run(&["sql", metrics, "--format", "json"]).succeeds().json();
        assert_eq!(rows[0]["metrics"], *expected, "{scorer}");
    }
    bench.write("study.toml", study("scorer = \"fuzzy\""));
    bench.run(&["plan", "study.toml"]).refuses(&["study.toml", "fuzzy", "exact_match"]);
    bench.write("study.toml", study("tolerance = 0.5"));
    bench.run(&["plan", "study.toml"]).refuses(&["`tolerance` is for `scorer = \"numeric\"`"]);
}

#[test]
fn new_prompts_are_not_analysed_with_the_states_of_the_old() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    let prompts = |words: &str, level: usize| {
        let line = |n: usize| {
            json!({"prompt_id": n, "text": format!("{words} {n} is"), "expected": "b", "level": level + n})
                .to_string()
        };
        (0..4).map(line).collect::<Vec<_>>().join("\n")
    };
    bench.write("mine.jsonl", prompts("Number", 0));
    bench.write(
        "study.toml",
        "name = \"s\"\nmodel = \"model\"\n[extract]\nmax_new_tokens = 0\n[[task]]\nname = \"mine\"\nprompts = \"mine.jsonl\"\n",
    );
    bench.run(&["run", "study.toml"]).succeeds();
    // Other params are read by no model.
    bench.write("mine.jsonl", prompts("Number", 7));
    for stage in ["ingest", "analyze"] {
        bench.run(&[stage, "study.toml"]).succeeds();
    }
    bench.write("mine.jsonl", prompts("Quite another", 7));
    bench.run(&["ingest", "study.toml"]).succeeds();
    let parts = ["prompts of task `mine` have changed since model `model` read them", "hypercolumn extract"];
    bench.run(&["analyze", "study.toml"]).refuses(&parts);
    let stale = bench.run(&["status", "--json"]).succeeds().json()["stale"].clone();
    let slots: Vec<&str> = stale.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(slots[0].starts_with("extract/model/mine/0000: the prompts have changed"), "{slots:?}");
    assert!(slots[1].starts_with("analyze/s/model/mine/"), "{slots:?}");
    assert!(
        bench
            .run(&["sql", "FROM tokens"])
            .succeeds()
            .stderr
            .contains("rows of extract/model/mine/0000 are stale")
    );
    assert!(
        bench
            .run(&["sql", "FROM behavior"])
            .succeeds()
            .stderr
            .contains("rows of analyze/s/model/mine/behavior")
    );
    assert!(!bench.run(&["sql", "FROM prompts"]).succeeds().stderr.contains("stale"));
    assert_eq!(bench.run(&["plan", "study.toml", "--check"]).code, Some(4));
    for stage in ["extract", "analyze"] {
        bench.run(&[stage, "study.toml"]).succeeds();
    }
    assert_eq!(bench.run(&["status", "--json"]).succeeds().json()["stale"], json!([]));
    assert!(!bench.run(&["sql", "FROM tokens"]).succeeds().stderr.contains("stale"));
    bench.run(&["plan", "study.toml", "--check"]).succeeds();
}

#[test]
fn a_lake_is_analysed_where_its_model_is_not() {
    let bench = Bench::new();
    checkpoint::write(&bench, "model", 1);
    bench.write("mine.jsonl", PROMPTS);
    bench.write(
        "study.toml",
        "name = \"s\"\nmodel = \"model\"\n[extract]\nmax_new_tokens = 0\n[[task]]\nname = \"mine\"\nprompts = \"mine.jsonl\"\n",
    );
    for stage in ["ingest", "extract"] {
        bench.run(&[stage, "study.toml"]).succeeds();
    }
    fs::remove_dir_all(bench.path("model")).expect("removed");
    for stage in ["analyze", "report"] {
        bench.run(&[stage, "study.toml"]).succeeds();
        bench.run(&[stage, "study.toml", "--model", "model"]).succeeds();
    }
    bench
        .run(&["analyze", "study.toml", "--model", "other"])
        .refuses(&["model `other` has not read task `mine`"]);
    bench.run(&["run", "study.toml"]).refuses(&["study.toml", "model"]);
}
