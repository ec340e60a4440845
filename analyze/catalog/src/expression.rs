//! SQL expressions of a study, checked against the data before anything is written.

use crate::answer::{Answer, ask};
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::expression_hints::hint;
use crate::statement::{Origin, Parsed, parse, syntax_error};
use duckdb::Connection;
use hypercolumn_schemas::Table;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A study's SQL with where it stands, for messages.
#[derive(Clone, Copy)]
pub struct Expression<'a> {
    /// The entry, e.g. `[[rsa]] 2 "same line"`.
    pub entry: &'a str,
    /// The entry's key.
    pub key: &'static str,
    /// The SQL.
    pub sql: &'a str,
}

/// What kind of value an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// true or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Number,
    /// Text and everything else that can be written as text.
    Other,
}

impl Expression<'_> {
    /// The expression in parentheses, on a line of its own, so that DuckDB marks the place in it.
    pub fn parenthesized(&self) -> String {
        format!("(\n{}\n)", self.sql)
    }

    /// The refusal of this expression.
    pub fn refuse(&self, reason: impl Into<String>) -> CatalogError {
        let sql = self.sql.trim().to_owned();
        CatalogError::Expression { entry: self.entry.to_owned(), key: self.key, sql, reason: reason.into() }
    }

    /// Checks that the expression is one, and that it has a value over `from`; gives the value's kind.
    /// `key_column` is a column of `from`, so that an aggregate is refused.
    pub fn check(&self, catalog: &Catalog, key_column: &str, from: &str) -> Result<ValueKind, CatalogError> {
        let sql = format!("DESCRIBE SELECT {} AS value, {key_column} FROM {from}", self.parenthesized());
        let answer = self.check_is_one(catalog).and_then(|()| self.ask(catalog, &sql));
        let answer = answer.or_else(|error| Err(self.hinted(error, catalog, from)?))?;
        Ok(match answer.column::<String>("column_type")?.first().map_or("", String::as_str) {
            "BOOLEAN" => ValueKind::Boolean,
            "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" | "HUGEINT" | "UTINYINT" | "USMALLINT"
            | "UINTEGER" | "UBIGINT" | "UHUGEINT" => ValueKind::Integer,
            "FLOAT" | "DOUBLE" => ValueKind::Number,
            kind if kind.starts_with("DECIMAL") => ValueKind::Number,
            _ => ValueKind::Other,
        })
    }

    /// The refusal with a hint on what to write, where there is one.
    fn hinted(
        &self,
        error: CatalogError,
        catalog: &Catalog,
        from: &str,
    ) -> Result<CatalogError, CatalogError> {
        let CatalogError::Expression { reason, .. } = &error else { return Ok(error) };
        Ok(match hint(catalog.connection(), self.sql, reason, from)? {
            Some(hint) => self.refuse(format!("{reason}\n{hint}")),
            None => error,
        })
    }

    /// As [`Expression::check`], for an expression that says yes or no.
    pub fn check_condition(
        &self,
        catalog: &Catalog,
        key_column: &str,
        from: &str,
    ) -> Result<(), CatalogError> {
        match self.check(catalog, key_column, from)? {
            ValueKind::Boolean => Ok(()),
            _ => Err(self.refuse("it must be true or false (a comparison), but gives another type")),
        }
    }

    /// Asks a question that this expression is part of: what DuckDB refuses is the expression's fault.
    pub fn ask(&self, catalog: &Catalog, sql: &str) -> Result<Answer, CatalogError> {
        ask(catalog.connection(), sql, &[], "evaluate an expression").map_err(|error| match error {
            CatalogError::Engine { source, .. } => self.refuse(source.to_string()),
            other => other,
        })
    }

    /// Refuses SQL that is more than one expression, such as one that closes the parenthesis around it, and SQL that
    /// reaches anything but the tables of earlier stages.
    fn check_is_one(&self, catalog: &Catalog) -> Result<(), CatalogError> {
        let sql = format!("SELECT {} AS value", self.parenthesized());
        match parse(catalog.connection(), &sql)? {
            Parsed::Broken => return Err(self.refuse(syntax_error(&sql)?)),
            Parsed::Selects(selects) if selects.n_statements == 1 => {
                if let Some(reason) = selects.problem(Origin::Study) {
                    return Err(self.refuse(reason));
                }
            }
            _ => return Err(self.refuse("it is not one SQL expression")),
        }
        let failed = CatalogError::engine("parse an expression");
        let json: String = catalog
            .connection()
            .query_row("SELECT json_serialize_sql($1::VARCHAR)", [&sql], |row| row.get(0))
            .map_err(failed)?;
        let parsed: Value = serde_json::from_str(&json).unwrap_or(Value::Null);
        let node = &parsed["statements"][0]["node"];
        let is_one = node["select_list"].as_array().is_some_and(|list| list.len() == 1)
            && node["select_list"][0]["alias"].as_str() == Some("value")
            && node["from_table"]["type"].as_str() == Some("EMPTY");
        if !is_one {
            return Err(self.refuse("it is not one SQL expression"));
        }
        match volatile_part(node, &volatile_functions(catalog)?) {
            None => Ok(()),
            Some(part) => Err(self.refuse(format!(
                "`{part}` gives another value every time: what a study asks must be the same in every run"
            ))),
        }
    }
}

/// Functions of DuckDB whose value depends on when or how often they are called.
fn volatile_functions(catalog: &Catalog) -> Result<BTreeSet<String>, CatalogError> {
    let sql = "SELECT DISTINCT function_name AS name FROM duckdb_functions()
               WHERE stability <> 'CONSISTENT' AND function_type = 'scalar'";
    let names = ask(catalog.connection(), sql, &[], "list functions")?.column::<String>("name")?;
    Ok(names.into_iter().collect())
}

/// Words of SQL that are functions without parentheses.
const VOLATILE_WORDS: [&str; 5] =
    ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// A part of a parsed statement that gives another value every time: a function, a word such as `current_date`, or a
/// sample of rows.
fn volatile_part(node: &Value, functions: &BTreeSet<String>) -> Option<String> {
    match node {
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            let function = text("function_name").filter(|name| functions.contains(&name.to_lowercase()));
            if let Some(name) = function {
                return Some(format!("{name}()"));
            }
            let word = fields.get("column_names").and_then(Value::as_array).filter(|names| names.len() == 1);
            let word = word.and_then(|names| names[0].as_str()).map(str::to_lowercase);
            if let Some(word) = word.filter(|word| VOLATILE_WORDS.contains(&word.as_str())) {
                return Some(word);
            }
            if fields.get("sample").is_some_and(|sample| !sample.is_null()) {
                return Some("SAMPLE".to_owned());
            }
            fields.values().find_map(|field| volatile_part(field, functions))
        }
        Value::Array(items) => items.iter().find_map(|item| volatile_part(item, functions)),
        _ => None,
    }
}

/// The tables of earlier stages that the texts in `settings` read as SQL, beside the prompts of their own task. Every
/// text counts, whether a setting is SQL or a name: a table too many only makes a key depend on more.
pub fn tables_in(
    connection: &Connection,
    settings: &Value,
) -> Result<BTreeMap<&'static str, &'static Table>, CatalogError> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![settings];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(values) => waiting.extend(values),
            Value::Object(values) => waiting.extend(values.values()),
            Value::String(text) => {
                let sql = format!("SELECT (\n{text}\n) AS value");
                if let Parsed::Selects(selects) = parse(connection, &sql)? {
                    found.extend(selects.tables().map(|table| (table.name, table)));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_run_to_run_is_refused() {
        let home = tempfile::tempdir().expect("a directory");
        let lake = hypercolumn_schemas::Lake::create(home.path().join("lake")).expect("a lake");
        let catalog = Catalog::open(&lake).expect("a catalog");
        let check =
            |sql: &str| Expression { entry: "[[probe]] 1", key: "target", sql }.check_is_one(&catalog);
        for sql in [
            "random() > 0.5",
            "1 + RANDOM()",
            "now()",
            "CURRENT_DATE",
            "today() - DATE '2026-01-01'",
            "uuid()",
            "(SELECT prompt_id FROM prompts USING SAMPLE 1)",
            "list_transform([1], x -> x + random())",
        ] {
            let refused = check(sql).expect_err(sql).to_string();
            assert!(refused.contains("every time"), "{sql}: {refused}");
        }
        for sql in [
            "slope > 0.5",
            "hash(prompt_id) % 2",
            "strftime(DATE '2026-01-01', '%Y')",
            "(SELECT 1)",
            "\"random\"",
        ] {
            check(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        }
    }
}
