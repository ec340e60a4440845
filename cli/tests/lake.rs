//! Asking a lake: SQL in every format, status, verify, history, repair, gc.

mod support;

use hypercolumn_schemas::{Lake, Slot};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use support::{Bench, PROMPTS, contents};

/// A lake with a user's prompts and a built-in task.
fn filled() -> Bench {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    bench.run(&["ingest", "--task", "linear_regression"]).succeeds();
    bench
}

fn a_data_file(bench: &Bench) -> PathBuf {
    let files = contents(&bench.path("lake/prompts")).into_keys();
    files.into_iter().find(|p| p.is_file()).expect("a file")
}

const QUESTION: &str =
    "SELECT task, count(*) AS n, [1.5::FLOAT, 2] AS vector FROM prompts GROUP BY task ORDER BY task";

#[test]
fn sql_answers_in_every_format() {
    let bench = filled();
    let ask = |format| bench.run(&["sql", QUESTION, "--format", format]).succeeds();
    let table = ask("table").text();
    assert!(table.contains("linear_regression") && table.contains("1024"), "{table}");
    let csv = ask("csv").text();
    assert_eq!(csv, "task,n,vector\r\nlinear_regression,1024,\"[1.5,2.0]\"\r\nmine,2,\"[1.5,2.0]\"\r\n");
    let json = ask("json").json();
    assert_eq!(json[1], serde_json::json!({"task": "mine", "n": 2, "vector": [1.5, 2.0]}));
    let parquet = ask("parquet").stdout;
    assert_eq!((&parquet[..4], &parquet[parquet.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let arrow = ask("arrow").stdout;
    assert_eq!(&arrow[..4], [0xff; 4]);
}

#[test]
fn a_query_may_begin_with_a_comment_and_equal_names_are_told_apart() {
    let bench = filled();
    let sql = "-- grain: one pair\nSELECT a.prompt_id, b.prompt_id, 1 AS prompt_id_1 FROM prompts a, prompts b LIMIT 1";
    for format in ["json", "csv"] {
        let text = bench.run(&["sql", sql, "--format", format]).succeeds().text();
        for name in ["prompt_id", "prompt_id_2", "prompt_id_1"] {
            assert!(text.contains(name), "{format}: {text}");
        }
    }
    bench.run(&["sql", "--fromat", "json"]).refuses(&["--fromat"]);
}

#[test]
fn sql_that_is_wrong_refuses() {
    let bench = filled();
    let before = contents(&bench.path("lake"));
    bench.run(&["sql", "SELEC 1"]).refuses(&["could not answer `SELEC 1`", "syntax error"]);
    bench.run(&["sql", "SELECT txt FROM prompts"]).refuses(&["txt", "hint:"]);
    bench.run(&["sql", "SELECT * FROM promts"]).refuses(&["promts"]);
    bench.run(&["sql", "DROP VIEW prompts"]).refuses(&["read-only"]);
    bench.run(&["sql", "COPY prompts TO 'out.csv'"]).refuses(&["read-only"]);
    assert_eq!(contents(&bench.path("lake")), before);
}

#[test]
fn moments_are_written_in_utc() {
    let bench = filled();
    let sql = "SELECT TIMESTAMPTZ '2026-01-02 03:04:05+02' AS moment, DATE '2026-01-02' AS day";
    let csv = bench.run(&["sql", sql, "--format", "csv"]).succeeds().text();
    assert_eq!(csv, "moment,day\r\n2026-01-02T01:04:05Z,2026-01-02\r\n");
    let json = bench.run(&["sql", sql, "--format", "json"]).succeeds().json();
    assert_eq!(json[0]["moment"], "2026-01-02T01:04:05Z");
}

#[test]
fn an_empty_answer_has_its_columns() {
    let bench = filled();
    let ask = |format| bench.run(&["sql", "SELECT task FROM rsa", "--format", format]).succeeds().text();
    assert_eq!((ask("csv").as_str(), ask("json").as_str()), ("task\r\n", "[]\n"));
}

#[test]
fn a_missing_lake_refuses() {
    let bench = Bench::new();
    let commands = ["status", "verify", "history", "repair", "gc", "analyze", "report"];
    for args in commands.iter().map(std::slice::from_ref).chain([&["sql", "SELECT 1"][..]]) {
        let parts =
            ["could not open lake `lake`", "directory `lake` does not exist", "hint: `hypercolumn run`"];
        bench.run(args).refuses(&parts);
    }
    assert!(!bench.path("lake").exists());
}

#[test]
fn status_counts_rows_and_shows_damage() {
    let bench = filled();
    let status = bench.run(&["status", "--json"]).succeeds().json();
    let tables = status["tables"].as_array().expect("tables");
    let prompts = tables.iter().find(|t| t["table"] == "prompts").expect("prompts");
    assert_eq!((&prompts["n_rows"], &prompts["n_files"]), (&Value::from(1026), &Value::from(2)));
    assert_eq!(status["tasks"][1], serde_json::json!({"task": "mine", "n_prompts": 2}));
    assert!(bench.run(&["status"]).succeeds().text().contains("task mine: 2 prompts"));
    fs::remove_file(a_data_file(&bench)).expect("removed");
    let damaged = bench.run(&["status", "--json"]);
    assert_eq!(damaged.code, Some(3));
    assert_eq!(damaged.json()["damaged"].as_array().map(Vec::len), Some(1));
}

#[test]
fn verify_finds_a_changed_byte() {
    let bench = filled();
    let whole = bench.run(&["verify", "--json"]).succeeds().json();
    assert_eq!((&whole["n_files"], &whole["findings"]), (&Value::from(4), &serde_json::json!([])));
    let path = a_data_file(&bench);
    let mut bytes = fs::read(&path).expect("read");
    bytes[20] ^= 1;
    fs::write(&path, bytes).expect("written");
    let ran = bench.run(&["verify"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.text().contains("differs from the BLAKE3"), "{}", ran.text());
    assert!(ran.text().contains("3 of 4 files"), "{}", ran.text());
}

#[test]
fn gc_lists_first_and_removes_when_told() {
    let bench = filled();
    let before = contents(&bench.path("lake/prompts"));
    let stray = bench.write("lake/prompts/task=mine/part-stray.parquet", "left behind");
    let staged =
        bench.write("lake/_staging/0123456789abcdef0123456789abcdef/prompts-1.parquet", "of a dead writer");
    let listed = bench.run(&["gc"]).succeeds();
    assert!(listed.text().contains("part-stray.parquet") && listed.stderr.contains("`hypercolumn gc --yes`"));
    assert!(stray.exists() && staged.exists());
    bench.run(&["gc", "--yes"]).succeeds();
    assert!(!stray.exists() && !bench.path("lake/_staging").exists());
    assert_eq!(contents(&bench.path("lake/prompts")), before);
    bench.run(&["verify"]).succeeds();
}

#[test]
fn gc_keeps_what_a_living_writer_holds() {
    let bench = filled();
    let lake = Lake::open(bench.path("lake")).expect("a lake");
    let transaction = lake.begin(Slot::Ingest { task: "other".into() }).expect("begun");
    let of_writer = || fs::read_dir(bench.path("lake/_staging")).expect("a directory").flatten().next();
    let held = of_writer().expect("a staging directory").path().join("prompts-1.parquet");
    fs::write(&held, "being written").expect("written");
    let said = bench.run(&["gc", "--yes"]).succeeds().stderr;
    assert!(said.contains("1 writers are at work") && held.exists(), "{said}");
    drop(transaction);
    assert!(!held.exists(), "a writer that gives up removes its files");
}

#[test]
fn what_is_dropped_is_listed_first_and_the_rest_stays() {
    let bench = filled();
    let n_prompts =
        || bench.run(&["sql", "SELECT count(*) FROM prompts", "--format", "csv"]).succeeds().text();
    bench.run(&["drop"]).refuses(&["--task"]);
    bench.run(&["drop", "--task", "mime"]).refuses(&["no task `mime`", "did you mean `mine`"]);
    bench.run(&["drop", "--study", "s"]).refuses(&["no study `s`"]);
    let listed = bench.run(&["drop", "--task", "mine"]).succeeds();
    assert!(listed.text() == "ingest/mine\n" && listed.stderr.contains("--yes"), "{}", listed.stderr);
    assert!(n_prompts().contains("1026"));
    bench.run(&["drop", "--task", "mine", "--yes"]).succeeds();
    assert!(n_prompts().contains("1024") && !bench.path("lake/prompts/task=mine").exists());
    let history = bench.run(&["history"]).succeeds().text();
    assert!(history.contains("drop") && history.contains("removes ingest/mine"), "{history}");
    bench.run(&["verify"]).succeeds();
}

#[cfg(unix)]
#[test]
fn gc_follows_no_link() {
    let bench = filled();
    let thesis = bench.write("thesis/chapter.tex", "years of work");
    std::os::unix::fs::symlink(bench.path("thesis"), bench.path("lake/prompts/x")).expect("a link");
    let said = bench.run(&["gc", "--yes"]).succeeds().stderr;
    assert!(said.contains("`prompts/x` is a link") && thesis.exists(), "{said}");
}

#[test]
fn a_log_that_cannot_be_read_is_named_and_repaired() {
    let bench = filled();
    let entry = bench.path("lake/_log/00000000000000000001.json");
    let text = fs::read_to_string(&entry).expect("an entry");
    fs::write(&entry, text.replace("linear", "lineal")).expect("written");
    let parts =
        ["`_log/00000000000000000001.json` differs from its BLAKE3", "hint: `hypercolumn repair --plan"];
    bench.run(&["ingest", "--task", "linear_regression"]).fails(1, &parts);
    let status = bench.run(&["status"]);
    assert_eq!(status.code, Some(3), "{}", status.stderr);
    assert!(status.stderr.contains("the log is damaged"), "{}", status.stderr);
    let answered = bench.run(&["sql", "SELECT count(*) AS n FROM prompts", "--format", "csv"]);
    assert_eq!((answered.code, answered.text().as_str()), (Some(3), "n\r\n2\r\n"));
    let before = contents(&bench.path("lake/_log"));
    let planned = bench.run(&["repair", "--plan"]);
    assert_eq!((planned.code, contents(&bench.path("lake/_log"))), (Some(3), before));
    let repaired = bench.run(&["repair"]).succeeds().text();
    assert!(repaired.contains("differs from its BLAKE3"), "{repaired}");
    assert!(bench.run(&["repair"]).succeeds().stderr.contains("nothing to repair"));
    bench.run(&["ingest", "--task", "linear_regression"]).succeeds();
    bench.run(&["verify"]).succeeds();
    let history = bench.run(&["history", "--json"]).succeeds().json();
    let kinds: Vec<&str> =
        history.as_array().expect("entries").iter().map(|e| e["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["commit", "repair", "commit"]);
    assert!(bench.run(&["history"]).succeeds().text().contains("ingest/linear_regression"));
}

#[test]
fn a_partition_deleted_by_hand_is_named_and_put_right() {
    for remedy in [&["repair"][..], &["ingest", "--task", "mine", "--prompts", "mine.jsonl"]] {
        let bench = filled();
        for table in ["prompts", "segments"] {
            fs::remove_dir_all(bench.path(&format!("lake/{table}/task=mine"))).expect("removed");
        }
        let count = ["sql", "SELECT count(*) AS n FROM prompts", "--format", "csv"];
        let parts =
            ["table `prompts` is not whole", "prompts/task=mine/part-", "is missing", "`hypercolumn repair`"];
        bench.run(&count).fails(1, &parts);
        bench.run(&["sql", "SELECT count(*) FROM responses"]).succeeds();
        bench.run(remedy).succeeds();
        let n = if remedy == ["repair"] { 1024 } else { 1026 };
        assert_eq!(bench.run(&count).succeeds().text(), format!("n\r\n{n}\r\n"));
        assert_eq!(bench.run(&["status"]).succeeds().code, Some(0));
    }
}

#[test]
fn sql_compares_content_when_asked() {
    let bench = filled();
    let path = a_data_file(&bench);
    let mut bytes = fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("written");
    bench.run(&["sql", "SELECT 1", "--check"]).fails(1, &["differs from the BLAKE3", "hint:"]);
}
