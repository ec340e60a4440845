//! Questions of users: one statement, reading only, answered as Arrow batches.
//!
//! DuckDB's own parser says what a statement is, so nothing here guesses from keywords: a statement
//! passes if DuckDB can write it down as a SELECT (which DESCRIBE, SUMMARIZE, SHOW, VALUES, FROM and
//! WITH … SELECT are), or is EXPLAIN of one that passes.

use crate::answer::Parameter;
use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use duckdb::ToSql;
use serde_json::Value;

/// An answer: rows in batches, and the columns even where there is no row.
#[derive(Clone, Debug)]
pub struct QueryResult {
    /// Names and types of the columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl QueryResult {
    /// Number of rows in all batches.
    pub fn n_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// Answers one question over the views of `catalog`.
///
/// # Errors
/// [`AnalyzeError::NotAQuestion`] for anything but one reading statement; [`AnalyzeError::Sql`] with
/// DuckDB's message when the statement does not parse, names something that does not exist, or fails.
pub fn query(catalog: &Catalog, sql: &str) -> Result<QueryResult, AnalyzeError> {
    query_named(catalog, sql, &[])
}

/// As [`query`], with the values of the parameters `$name` in `sql`, which DuckDB binds.
///
/// # Errors
/// As [`query`]; [`AnalyzeError::Sql`] too for a parameter that is missing or that `sql` does not name.
pub fn query_named(
    catalog: &Catalog,
    sql: &str,
    parameters: &[(&str, Parameter<'_>)],
) -> Result<QueryResult, AnalyzeError> {
    check_is_question(catalog, sql)?;
    let bound: Vec<(&str, &dyn ToSql)> =
        parameters.iter().map(|(name, p)| (*name, p as &dyn ToSql)).collect();
    let refused =
        |source: duckdb::Error| AnalyzeError::Sql { sql: sql.to_owned(), message: source.to_string() };
    let mut statement = catalog.connection().prepare(sql).map_err(refused)?;
    let arrow = statement.query_arrow(bound.as_slice()).map_err(refused)?;
    let schema = arrow.get_schema();
    Ok(QueryResult { schema, batches: arrow.collect() })
}

/// What DuckDB's parser makes of a text.
enum Parsed {
    /// This many SELECT statements.
    Questions(usize),
    /// At least one statement of another kind.
    Other,
    /// No SQL.
    Broken,
}

fn check_is_question(catalog: &Catalog, sql: &str) -> Result<(), AnalyzeError> {
    let refuse = |reason: &str| {
        Err(AnalyzeError::NotAQuestion { sql: sql.trim().to_owned(), reason: reason.to_owned() })
    };
    let parsed = match parse(catalog, sql)? {
        Parsed::Other => match after_explain(sql) {
            Some(rest) => parse(catalog, rest)?,
            None => Parsed::Other,
        },
        parsed => parsed,
    };
    match parsed {
        // A broken text goes on: preparing it gives DuckDB's message with the position, and runs nothing.
        Parsed::Questions(1) | Parsed::Broken => Ok(()),
        Parsed::Questions(0) => refuse("there is no statement"),
        Parsed::Questions(_) => refuse("there is more than one statement; ask one question at a time"),
        Parsed::Other => refuse(
            "this is not a question: the lake is read-only here, so only SELECT, WITH, FROM, VALUES, \
             DESCRIBE, SUMMARIZE, SHOW and EXPLAIN are answered",
        ),
    }
}

fn parse(catalog: &Catalog, sql: &str) -> Result<Parsed, AnalyzeError> {
    let json: String = catalog
        .connection()
        .query_row("SELECT json_serialize_sql($1::VARCHAR)", [sql], |row| row.get(0))
        .map_err(AnalyzeError::engine("parse a statement"))?;
    let parsed: Value = serde_json::from_str(&json).unwrap_or(Value::Null);
    Ok(match (parsed["statements"].as_array(), parsed["error_type"].as_str()) {
        (Some(statements), _) => Parsed::Questions(statements.len()),
        (None, Some("parser")) => Parsed::Broken,
        (None, _) => Parsed::Other,
    })
}

/// What follows EXPLAIN, EXPLAIN ANALYZE or EXPLAIN (options).
fn after_explain(sql: &str) -> Option<&str> {
    let rest = strip_word(sql, "EXPLAIN")?;
    let rest = strip_word(rest, "ANALYZE").unwrap_or(rest);
    match rest.trim_start().strip_prefix('(').and_then(|r| r.split_once(')')) {
        Some((options, rest)) if strip_word(options, "FORMAT").is_some() => Some(rest),
        _ => Some(rest),
    }
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let ends = rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}
