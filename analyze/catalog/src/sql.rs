//! Questions of users: one statement, reading only, answered as Arrow batches.
//!
//! DuckDB's own parser says what a statement is and what it reaches ([`crate::statement`]): a statement passes if
//! DuckDB can write it down as one SELECT over the tables of the lake, or is EXPLAIN of one that passes. An EXPLAIN is
//! asked in this program's words, so that only the SELECT in it is the user's text.

use crate::answer::Parameter;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::statement::{Origin, Parsed, parse, syntax_error};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use duckdb::ToSql;
use hypercolumn_schemas::Table;
use std::borrow::Cow;

/// An answer: rows in batches, and the columns even where there is no row.
#[derive(Clone, Debug)]
pub struct QueryResult {
    /// Names and types of the columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// The lake's tables that were asked.
    pub tables: Vec<&'static Table>,
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
/// [`CatalogError::NotAQuestion`] for anything but one reading statement over the lake's tables; [`CatalogError::NotWhole`]
/// for a table of which a file is not in place; [`CatalogError::Sql`] with DuckDB's message when the statement does not parse, names something that does not exist, or fails.
pub fn query(catalog: &Catalog, sql: &str) -> Result<QueryResult, CatalogError> {
    query_named(catalog, sql, &[])
}

/// As [`query`], with the values of the parameters `$name` in `sql`, which DuckDB binds.
///
/// # Errors
/// As [`query`]; [`CatalogError::Sql`] too for a parameter that is missing or that `sql` does not name.
pub fn query_named(
    catalog: &Catalog,
    sql: &str,
    parameters: &[(&str, Parameter<'_>)],
) -> Result<QueryResult, CatalogError> {
    let (checked, tables) = checked_question(catalog, sql)?;
    let bound: Vec<(&str, &dyn ToSql)> =
        parameters.iter().map(|(name, p)| (*name, p as &dyn ToSql)).collect();
    let refused =
        |source: duckdb::Error| CatalogError::Sql { sql: sql.to_owned(), message: source.to_string() };
    let mut statement = catalog.connection().prepare(&checked).map_err(refused)?;
    let arrow = statement.query_arrow(bound.as_slice()).map_err(refused)?;
    let schema = arrow.get_schema();
    Ok(QueryResult { schema, batches: arrow.collect(), tables })
}

/// The statement to ask for `sql`, once it is known to be one question, and the tables that it reads.
fn checked_question<'a>(
    catalog: &Catalog,
    sql: &'a str,
) -> Result<(Cow<'a, str>, Vec<&'static Table>), CatalogError> {
    let refuse = |reason: &str| {
        Err(CatalogError::NotAQuestion { sql: sql.trim().to_owned(), reason: reason.to_owned() })
    };
    let (parsed, statement) = match (parse(catalog.connection(), sql)?, after_explain(sql)) {
        (Parsed::Other, Some(Explained { prefix, rest })) => {
            (parse(catalog.connection(), rest)?, Cow::Owned(format!("{prefix}\n{rest}")))
        }
        (parsed, _) => (parsed, Cow::Borrowed(sql)),
    };
    match parsed {
        Parsed::Selects(selects) => match (selects.n_statements, selects.problem(Origin::Query)) {
            (0, _) => refuse("there is no statement"),
            (1, None) => {
                let tables: Vec<_> = selects.tables().collect();
                catalog.refuse_misplaced(tables.iter().copied()).map(|()| (statement, tables))
            }
            (1, Some(reason)) => refuse(&reason),
            _ => refuse("there is more than one statement; ask one question at a time"),
        },
        Parsed::Broken => {
            Err(CatalogError::Sql { sql: sql.trim().to_owned(), message: syntax_error(&statement)? })
        }
        Parsed::Other if sql.to_uppercase().contains("PIVOT") => refuse(
            "a PIVOT is answered where its values are given, PIVOT … ON column IN ('a', 'b') …: without them DuckDB \
             would make a type first",
        ),
        Parsed::Other => refuse(
            "this is not a question: the lake is read-only here, so only SELECT, WITH, FROM, VALUES, \
             DESCRIBE, SUMMARIZE, SHOW and EXPLAIN are answered",
        ),
    }
}

/// An EXPLAIN.
struct Explained<'a> {
    /// The words before the explained statement, as this program writes them.
    prefix: &'static str,
    /// The explained statement.
    rest: &'a str,
}

/// The forms of EXPLAIN that are answered: their words, and how this program writes them.
const EXPLAIN_FORMS: [(&[&str], &str); 7] = [
    (&["EXPLAIN", "(", "ANALYZE", ",", "FORMAT", "JSON", ")"], "EXPLAIN (ANALYZE, FORMAT json)"),
    (&["EXPLAIN", "(", "FORMAT", "JSON", ",", "ANALYZE", ")"], "EXPLAIN (ANALYZE, FORMAT json)"),
    (&["EXPLAIN", "(", "FORMAT", "JSON", ")"], "EXPLAIN (FORMAT json)"),
    (&["EXPLAIN", "(", "FORMAT", "TEXT", ")"], "EXPLAIN"),
    (&["EXPLAIN", "(", "ANALYZE", ")"], "EXPLAIN ANALYZE"),
    (&["EXPLAIN", "ANALYZE"], "EXPLAIN ANALYZE"),
    (&["EXPLAIN"], "EXPLAIN"),
];

fn after_explain(sql: &str) -> Option<Explained<'_>> {
    EXPLAIN_FORMS.iter().find_map(|(words, prefix)| {
        let rest = words.iter().try_fold(sql, |text, word| strip_word(text, word))?;
        Some(Explained { prefix, rest })
    })
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let is_name = word.chars().all(char::is_alphanumeric);
    let ends = !is_name || rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}
