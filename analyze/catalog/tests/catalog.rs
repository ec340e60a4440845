//! The catalog shows exactly what a lake lists, typed, and answers questions only.

use arrow::array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use hypercolumn_catalog::{Catalog, CatalogError, ParamType, query};
use hypercolumn_schemas::{CommitInfo, IngestRecord, Lake, Partition, Record, Slot, tables};
use std::sync::Arc;

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A lake with three prompts of a task whose name needs encoding.
fn lake(home: &std::path::Path) -> Lake {
    let lake = Lake::create(home.join("la'ke")).unwrap();
    let mut transaction = lake.begin(Slot::Ingest { task: "a b".into() }).unwrap();
    let mut writer = transaction.writer(&tables::PROMPTS, Partition::of_task("a b/c"), None).unwrap();
    let params = [
        r#"{"slope": 1, "name": "Kevin", "easy": true, "text": "x", "mixed": 1, "a/b": 2}"#,
        r#"{"slope": 2.5, "name": "O'Neil", "easy": false, "text": "y", "mixed": "one", "a/b": 3}"#,
        r#"{}"#,
    ];
    let rows = vec![
        text(&["p1", "p2", "p3"]),
        text(&["i1", "i2", "i3"]),
        text(&["icl_0", "icl_0", "icl_1"]),
        Arc::new(Int32Array::from(vec![0, 0, 1])),
        text(&["one", "two", "three"]),
        Arc::new(StringArray::from(vec![Some("1"), None, Some("3")])),
        text(&params),
    ];
    writer.write(&tables::PROMPTS.batch(rows).unwrap()).unwrap();
    transaction.stage(writer).unwrap();
    transaction
        .commit(CommitInfo {
            key: String::new(),
            details: Record::Ingest(IngestRecord::default()),
            removes: Vec::new(),
        })
        .unwrap();
    lake
}

fn message(catalog: &Catalog, sql: &str) -> String {
    query(catalog, sql).unwrap_err().to_string()
}

#[test]
fn params_are_columns_of_the_narrowest_type() {
    let home = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&lake(home.path())).unwrap();
    let kinds: Vec<_> = catalog.params().iter().map(|c| (c.name.as_str(), c.kind)).collect();
    let expected = [
        ("a/b", ParamType::Integer),
        ("easy", ParamType::Boolean),
        ("mixed", ParamType::Text),
        ("name", ParamType::Text),
        ("slope", ParamType::Number),
        ("param_text", ParamType::Text),
    ];
    assert_eq!(kinds, expected);
    let sql = "SELECT slope, name, \"a/b\", task FROM prompt_params WHERE NOT easy AND text = 'two'";
    let answer = query(&catalog, sql).unwrap();
    let row = &answer.batches[0];
    assert_eq!(row.column(0).as_any().downcast_ref::<Float64Array>().unwrap().value(0), 2.5);
    assert_eq!(row.column(1).as_any().downcast_ref::<StringArray>().unwrap().value(0), "O'Neil");
    assert_eq!(row.column(2).as_any().downcast_ref::<Int64Array>().unwrap().value(0), 3);
    assert_eq!(row.column(3).as_any().downcast_ref::<StringArray>().unwrap().value(0), "a b/c");
}

#[test]
fn tables_without_files_are_empty_and_typed() {
    let home = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&lake(home.path())).unwrap();
    for table in tables::ALL {
        let answer = query(&catalog, &format!("FROM {}", table.name)).unwrap();
        let n = table.partitions.len() + table.columns.len();
        assert_eq!(answer.schema.fields().len(), n, "{}", table.name);
    }
    let answer = query(&catalog, "SELECT layer, mass, \"end\" FROM attention, segments").unwrap();
    assert_eq!(answer.n_rows(), 0);
    assert_eq!(answer.schema.field(0).data_type(), &DataType::Int32);
    assert_eq!(answer.schema.field(1).data_type(), &DataType::Float32);
}

#[test]
fn questions_of_every_kind_are_answered() {
    let home = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&lake(home.path())).unwrap();
    for sql in [
        "-- a comment\nSELECT count(*) FROM prompts;",
        "WITH p AS (FROM prompts) SELECT * FROM p",
        "FROM prompts SELECT item_id",
        "DESCRIBE prompts",
        "SUMMARIZE prompts",
        "SHOW TABLES",
        "VALUES (1, 2)",
        "EXPLAIN SELECT * FROM prompts",
        "explain analyze select * from prompts",
        "EXPLAIN (FORMAT json) SELECT 1",
        "PIVOT prompts ON condition IN ('icl_0') USING count(*) GROUP BY task",
    ] {
        assert!(query(&catalog, sql).unwrap().n_rows() > 0, "{sql}");
    }
}

#[test]
fn anything_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&lake(home.path())).unwrap();
    for sql in [
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'x.db'",
        "CREATE TABLE t AS SELECT 1",
        "INSTALL httpfs",
        "SET threads = 1",
        "DROP VIEW prompts",
        "WITH a AS (SELECT 1) INSERT INTO prompts FROM a",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW prompts",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "PIVOT prompts ON condition USING count(*) GROUP BY task",
        "PRAGMA database_list",
        " ",
    ] {
        let error = query(&catalog, sql).unwrap_err();
        assert!(matches!(error, CatalogError::NotAQuestion { .. }), "{sql}: {error}");
    }
    assert!(message(&catalog, "FROM read_text('/etc/hostname')").contains("`read_text` is not accepted"));
    assert!(message(&catalog, "FROM '/etc/hostname.csv'").contains("not files"));
    assert_eq!(query(&catalog, "SHOW TABLES").unwrap().n_rows(), tables::ALL.len() + 1);
}

#[test]
fn a_wrong_question_gets_the_engines_reason_and_place() {
    let home = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&lake(home.path())).unwrap();
    let found = message(&catalog, "SELECT prompt_ix FROM prompts");
    assert!(
        found.contains("prompt_ix") && found.contains("prompt_id") && found.contains("LINE 1"),
        "{found}"
    );
    let found = message(&catalog, "SELECT FROM WHERE");
    assert!(found.contains("syntax error") && found.contains("LINE 1"), "{found}");
}
