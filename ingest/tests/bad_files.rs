//! Refused files, as files: drop `NAME.jsonl` or `NAME.csv` and the expected message
//! `NAME.EXTENSION.txt` into `tests/bad`. `UPDATE_EXPECTED=1` writes the messages as they are.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use hypercolumn_ingest::{IngestError, PromptsFile, Reading, write_jsonl};
use parquet::arrow::ArrowWriter;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn read_prompts(path: &Path) -> Result<Reading, IngestError> {
    PromptsFile::new(path).read()
}

/// The refusal of a file and what caused it, one a line, with the file's folder left out.
fn refusal(path: &Path) -> String {
    let error = match read_prompts(path) {
        Ok(read) => panic!("{} is read: {read:?}", path.display()),
        Err(error) => error,
    };
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        message.push_str(&format!("\n  caused by: {error}"));
        cause = error.source();
    }
    let folder = path.parent().expect("a folder").to_string_lossy().into_owned();
    message.replace(&format!("{folder}{}", std::path::MAIN_SEPARATOR), "") + "\n"
}

#[test]
fn bad_files_are_refused_with_the_expected_message() {
    let mut n_cases = 0;
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder()).expect("tests/bad").map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let extension = path.extension().expect("an extension").to_string_lossy().into_owned();
        if extension == "txt" {
            continue;
        }
        let expected_path = path.with_extension(format!("{extension}.txt"));
        let message = refusal(&path);
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected_path, &message).expect("the message is written");
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        assert_eq!(message, expected, "{}", path.display());
        n_cases += 1;
    }
    assert!(n_cases >= 30, "{n_cases} cases");
}

#[test]
fn files_that_are_no_prompts_files_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("prompts.json");
    fs::write(&path, "[]").expect("written");
    assert_eq!(refusal(&path), "prompts.json: the file holds no prompts\n");
    let path = folder.path().join("prompts.xlsx");
    fs::write(&path, "").expect("written");
    let accepted = refusal(&path);
    assert!(accepted.starts_with("prompts.xlsx: the extension is `.xlsx`; accepted: "), "{accepted}");
    let path = folder.path().join("prompts");
    assert!(refusal(&path).starts_with("prompts: the extension is missing; accepted: "));
    let path = folder.path().join("absent.jsonl");
    assert!(refusal(&path).starts_with("could not open absent.jsonl\n  caused by: "));
    let path = folder.path().join("folder.jsonl");
    fs::create_dir(&path).expect("made");
    let refused = refusal(&path);
    assert!(refused.starts_with("folder.jsonl is a directory: "), "{refused}");
    let path = folder.path().join("text.parquet");
    fs::write(&path, "not parquet at all").expect("written");
    assert!(refusal(&path).starts_with("could not read text.parquet as Parquet\n  caused by: "));
}

fn strings(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn parquet_refusal(columns: Vec<(&str, ArrayRef)>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.parquet");
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let file = File::create(&path).expect("created");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    refusal(&path)
}

fn columns_with(n_examples: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("prompt_id", strings(&["a", "b"])),
        ("item_id", strings(&["i", "i"])),
        ("condition", strings(&["c", "d"])),
        ("n_examples", n_examples),
        ("text", strings(&["x", "y"])),
    ]
}

#[test]
fn bad_parquet_names_the_row_and_the_column() {
    let mut columns = columns_with(Arc::new(Int64Array::from(vec![Some(-1), None])));
    columns.push(("segments", strings(&["", "[{]"])));
    columns.push(("params", strings(&["{\"x\": [1]}", ""])));
    assert_eq!(
        parquet_refusal(columns),
        "bad.parquet: 3 problems:\n  row 1: field `n_examples`: expected a whole number from 0 to 2147483647, found \
         -1\n  row 1: field `params.x`: expected a string, a number, true or false, found a list\n  row 2: field \
         `segments`: not valid JSON at column 3: key must be a string\n"
    );
    let fractions = columns_with(Arc::new(Float64Array::from(vec![1.5, f64::NAN])));
    assert_eq!(
        parquet_refusal(fractions),
        "bad.parquet: row 1: field `n_examples`: expected a whole number from 0 to 2147483647, found 1.5\n"
    );
    let infinite = columns_with(Arc::new(Float64Array::from(vec![1.0, f64::INFINITY])));
    assert!(parquet_refusal(infinite).contains("row 2: field `n_examples`: expected a finite number"));
}

#[test]
fn bad_parquet_columns_are_refused_before_any_row() {
    let mut misspelt = columns_with(Arc::new(Int32Array::from(vec![1, 2])));
    misspelt.push(("expcted", strings(&["x", "y"])));
    let refusal = parquet_refusal(misspelt);
    assert!(refusal.starts_with("bad.parquet: ") && refusal.contains("`expected`"), "{refusal}");
    let mut missing = columns_with(Arc::new(Int32Array::from(vec![1, 2])));
    missing.truncate(4);
    let refusal = parquet_refusal(missing);
    assert!(refusal.starts_with("bad.parquet: ") && refusal.contains("text"), "{refusal}");
}

/// Accepted files, as files: drop `NAME.EXTENSION` into `tests/good`, and the prompts as JSON Lines with the messages
/// behind them into `NAME.EXTENSION.txt`.
#[test]
fn good_files_are_read_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let entries = fs::read_dir(folder).expect("tests/good").map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e != "txt")).collect();
    paths.sort();
    for path in &paths {
        let reading = read_prompts(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut lines = Vec::new();
        write_jsonl(&reading.prompts, &mut lines).expect("written");
        let found = String::from_utf8(lines).expect("text") + &reading.messages.join("\n");
        let expected_path = PathBuf::from(format!("{}.txt", path.display()));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected_path, &found).expect("the prompts are written");
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        assert_eq!(found, expected, "{}", path.display());
    }
    assert!(paths.len() >= 14, "{} files", paths.len());
}

#[test]
fn every_problem_is_counted_and_the_first_five_are_kept() {
    let path = folder().join("many_problems.jsonl");
    match read_prompts(&path).expect_err("refused") {
        IngestError::Refused { n_problems, problems, .. } => {
            assert_eq!((n_problems, problems.len()), (9, 5));
        }
        other => panic!("{other}"),
    }
}
