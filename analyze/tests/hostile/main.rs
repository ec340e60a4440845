//! SQL that tries to write, or to read outside the lake, as a query and within a study: all of `statements.sql` is
//! refused, one statement a line. `{secret}` is a file beside the lake, `{listed}` one that a commit lists, `{outside}`
//! a path without a file.

use arrow::array::{ArrayRef, Int32Array, StringArray};
use hypercolumn_analyze::{AnalyzeError, Catalog, CatalogError, Entries, Questions, check, query};
use hypercolumn_schemas::tables::PromptRow;
use hypercolumn_schemas::{CommitInfo, IngestRecord, Lake, Partition, Record, Slot, TaskRows, tables};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const STATEMENTS: &str = include_str!("statements.sql");

/// A lake with one prompt, and a file beside it.
fn home() -> (tempfile::TempDir, Lake) {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("secret.csv"), "secret\n1\n").unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    let mut transaction = lake.begin(Slot::Ingest { task: "t".into() }).unwrap();
    let mut writer = transaction.writer(&tables::PROMPTS, Partition::of_task("t"), None).unwrap();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let columns = vec![
        text("p"),
        text("i"),
        text("c"),
        Arc::new(Int32Array::from(vec![0])) as ArrayRef,
        text("some text"),
        text("answer"),
        text("{}"),
    ];
    writer.write(&tables::PROMPTS.batch(columns).unwrap()).unwrap();
    transaction.stage(writer).unwrap();
    let details = Record::Ingest(IngestRecord::default());
    transaction.commit(CommitInfo { key: String::new(), details, removes: Vec::new() }).unwrap();
    (home, lake)
}

/// Every file below a directory with its content.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    found
}

/// The statements with the paths of `home` in them.
fn statements(home: &Path, lake: &Lake) -> Vec<String> {
    let listed = lake.snapshot().unwrap().files(&tables::PROMPTS).next().unwrap().path.clone();
    let path = |relative: PathBuf| home.join(relative).to_str().unwrap().to_owned();
    let (secret, outside) = (path("secret.csv".into()), path("outside.csv".into()));
    let listed = path(Path::new("lake").join(listed));
    let with_paths = |line: &str| {
        let line = line.replace("\\n", "\n");
        line.replace("{secret}", &secret).replace("{listed}", &listed).replace("{outside}", &outside)
    };
    STATEMENTS.lines().map(with_paths).collect()
}

#[test]
fn hostile_queries_are_refused_and_write_nothing() {
    let (home, lake) = home();
    let catalog = Catalog::open(&lake).unwrap();
    // The catalog's own lock is in it.
    let before = contents(home.path());
    let statements = statements(home.path(), &lake);
    assert!(statements.len() >= 300, "{} statements", statements.len());
    for sql in &statements {
        match query(&catalog, sql) {
            Err(CatalogError::NotAQuestion { .. } | CatalogError::Sql { .. }) => {}
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(contents(home.path()), before, "nothing is written");
    assert_eq!(query(&catalog, "SHOW TABLES").unwrap().n_rows(), tables::ALL.len() + 1);
}

#[test]
fn hostile_expressions_of_a_study_are_refused_and_write_nothing() {
    let (home, lake) = home();
    let before = contents(home.path());
    let prompt = PromptRow {
        prompt_id: "p".into(),
        item_id: "i".into(),
        condition: "c".into(),
        n_examples: 0,
        text: "some text".into(),
        expected: None,
        params: "{}".into(),
    };
    let rows = [TaskRows { task: "t".into(), prompts: vec![prompt], ..TaskRows::default() }];
    let of_results = tables::ALL.iter().skip(7).map(|table| format!("SELECT count(*) FROM {}", table.name));
    for sql in statements(home.path(), &lake).into_iter().chain(of_results) {
        // What closes the parenthesis around an expression is tried as it is.
        let target = if sql.starts_with("1)") { sql } else { format!("({sql}\n)") };
        let entries = Entries::from_json(&json!({"probe": [{"task": "t", "target": target}]})).unwrap();
        let questions = Questions { tasks: vec!["t".into()], entries, ..Questions::default() };
        let problems = check(&rows, &questions).unwrap().problems;
        assert!(
            matches!(problems[..], [AnalyzeError::Catalog(CatalogError::Expression { .. })]),
            "{target}: {problems:?}"
        );
    }
    assert_eq!(contents(home.path()), before, "nothing is written");
}
