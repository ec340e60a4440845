//! SQL as DuckDB's own parser reads it: the kind of statement, and the tables and functions that it names.
//!
//! Nothing here guesses from keywords. DuckDB writes a SELECT down as a tree (and DESCRIBE, SUMMARIZE, SHOW, VALUES,
//! FROM and WITH … SELECT, which are SELECTs to it); the names in the tree are what the statement can reach.

use crate::answer::ask;
use crate::catalog::PROMPT_PARAMS_VIEW;
use crate::error::CatalogError;
use duckdb::Connection;
use hypercolumn_schemas::{Table, tables};
use std::collections::BTreeSet;

/// What DuckDB's parser makes of a text.
pub enum Parsed {
    /// SELECT statements.
    Selects(Selects),
    /// At least one statement of another kind.
    Other,
    /// No SQL.
    Broken,
}

/// One or more SELECT statements.
#[derive(Debug, Default)]
pub struct Selects {
    /// Number of statements.
    pub n_statements: usize,
    /// Tables, views and common table expressions, in lower case.
    tables: BTreeSet<String>,
    table_functions: BTreeSet<String>,
    functions: BTreeSet<String>,
}

/// Where a statement comes from, which decides the functions that it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Typed by a user, over a whole lake.
    Query,
    /// Part of a study, whose results must follow from the tables that it names.
    Study,
}

/// Table functions that make rows from their arguments alone.
const PURE_TABLE_FUNCTIONS: [&str; 8] =
    ["generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "summary", "unnest"];

/// Table functions that describe the engine and its tables.
const CATALOG_TABLE_FUNCTIONS: [&str; 14] = [
    "duckdb_columns",
    "duckdb_functions",
    "duckdb_keywords",
    "duckdb_schemas",
    "duckdb_settings",
    "duckdb_tables",
    "duckdb_types",
    "duckdb_views",
    "histogram",
    "histogram_values",
    "pragma_show",
    "pragma_table_info",
    "pragma_version",
    "pg_timezone_names",
];

/// Functions that write, wait, or tell of more than their arguments.
const REFUSED_FUNCTIONS: [&str; 7] = [
    "current_setting",
    "getvariable",
    "json_execute_serialized_sql",
    "nextval",
    "pg_sleep",
    "sleep_ms",
    "write_log",
];

/// The tables that a study's SQL may read: those of the stages before the analysis.
const STUDY_TABLES: [&Table; 7] = [
    &tables::PROMPTS,
    &tables::SEGMENTS,
    &tables::TOKENS,
    &tables::RESPONSES,
    &tables::CHOICES,
    &tables::HIDDEN_STATES,
    &tables::ATTENTION,
];

/// Reads `sql`; nothing is executed.
pub fn parse(connection: &Connection, sql: &str) -> Result<Parsed, CatalogError> {
    let query = include_str!("../queries/statement.sql");
    let answer = ask(connection, query, &[&sql], "parse a statement")?;
    let mut selects = Selects::default();
    for (kind, name) in answer.column::<String>("kind")?.into_iter().zip(answer.column::<String>("name")?) {
        let name = name.to_lowercase();
        match kind.as_str() {
            "statement" => selects.n_statements += 1,
            "table" => drop(selects.tables.insert(name)),
            "table_function" => drop(selects.table_functions.insert(name)),
            "function" => drop(selects.functions.insert(name)),
            _ if name == "parser" => return Ok(Parsed::Broken),
            _ => return Ok(Parsed::Other),
        }
    }
    Ok(Parsed::Selects(selects))
}

/// DuckDB's message about a text that it cannot parse, with the marked position. The text meets an empty database that
/// reaches no file, so that whatever it is can do nothing.
pub fn syntax_error(sql: &str) -> Result<String, CatalogError> {
    let connection = isolated()?;
    let outcome = connection.prepare(sql).map(drop);
    Ok(outcome.err().map_or_else(|| "this is no SQL".to_owned(), |error| error.to_string()))
}

/// An empty database that reaches no file and cannot be set otherwise.
pub fn isolated() -> Result<Connection, CatalogError> {
    let connection = Connection::open_in_memory().map_err(CatalogError::engine("open a database"))?;
    let sql = "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;
        SET temp_directory = ''; SET enable_external_access = false; SET lock_configuration = true;";
    connection.execute_batch(sql).map_err(CatalogError::engine("shut its configuration"))?;
    Ok(connection)
}

impl Selects {
    /// The reason to refuse the statements, if there is one.
    pub fn problem(&self, origin: Origin) -> Option<String> {
        let is_accepted = |name: &&String| {
            PURE_TABLE_FUNCTIONS.contains(&name.as_str())
                || (origin == Origin::Query && CATALOG_TABLE_FUNCTIONS.contains(&name.as_str()))
        };
        if let Some(name) = self.table_functions.iter().find(|name| !is_accepted(name)) {
            return Some(format!(
                "the table function `{name}` is not accepted here: SQL reads the tables of the lake and nothing \
                 else; accepted are {}",
                PURE_TABLE_FUNCTIONS.join(", ")
            ));
        }
        if let Some(name) = self.functions.iter().find(|name| REFUSED_FUNCTIONS.contains(&name.as_str())) {
            return Some(format!("the function `{name}` is not accepted here"));
        }
        if let Some(name) = self.tables.iter().find(|name| is_file_like(name)) {
            return Some(format!("`{name}` is not a table: SQL reads the tables of the lake, not files"));
        }
        let is_result = |name: &&String| {
            tables::by_name(name).is_some_and(|table| STUDY_TABLES.iter().all(|read| read.name != table.name))
        };
        match self.tables.iter().find(is_result) {
            Some(name) if origin == Origin::Study => Some(format!(
                "it reads `{name}`, which analyses write; a study's SQL may read {}",
                STUDY_TABLES.map(|table| table.name).join(", ")
            )),
            _ => None,
        }
    }

    /// The tables of the lake that the statements read.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> {
        let is_named = |name: &str| self.tables.contains(name);
        let params = is_named(PROMPT_PARAMS_VIEW);
        tables::ALL
            .iter()
            .copied()
            .filter(move |table| is_named(table.name) || (params && table.name == tables::PROMPTS.name))
    }
}

/// Whether a table of this name would be looked for among files.
fn is_file_like(name: &str) -> bool {
    name.contains(['/', '\\', '.', ':', '*', '?', '~'])
}
