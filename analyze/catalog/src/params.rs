//! `params` as columns: one column a key, of the narrowest type that fits all its values.
//!
//! Whole numbers become BIGINT, numbers DOUBLE, booleans BOOLEAN, and everything else VARCHAR. A key
//! that is also a column of `prompts` (in any case of letters) becomes `param_KEY`, so that no
//! question silently reads another column than it names.

use crate::error::CatalogError;
use crate::quote::{literal, quoted};
use duckdb::Connection;
use hypercolumn_schemas::tables;
use std::collections::BTreeSet;

/// A column made of one key of `params`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamColumn {
    /// Name in SQL.
    pub name: String,
    /// The key in `params`.
    pub key: String,
    /// Type in SQL.
    pub kind: ParamType,
}

/// The types that params have in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// BIGINT.
    Integer,
    /// DOUBLE.
    Number,
    /// BOOLEAN.
    Boolean,
    /// VARCHAR.
    Text,
}

impl ParamType {
    /// The type's name in DuckDB.
    pub const fn duckdb(self) -> &'static str {
        match self {
            Self::Integer => "BIGINT",
            Self::Number => "DOUBLE",
            Self::Boolean => "BOOLEAN",
            Self::Text => "VARCHAR",
        }
    }

    /// The narrowest type that holds values of all these JSON types, as DuckDB's `json_type` names them.
    fn of_json(types: &str) -> Self {
        let found: BTreeSet<&str> = types.split(',').filter(|t| *t != "NULL" && !t.is_empty()).collect();
        let only = |allowed: &[&str]| !found.is_empty() && found.iter().all(|t| allowed.contains(t));
        if only(&["BOOLEAN"]) {
            Self::Boolean
        } else if only(&["BIGINT", "UBIGINT"]) {
            Self::Integer
        } else if only(&["BIGINT", "UBIGINT", "DOUBLE"]) {
            Self::Number
        } else {
            Self::Text
        }
    }
}

/// The param columns of one task's prompts, or of all prompts, in the order of their keys.
pub fn param_columns(connection: &Connection, task: Option<&str>) -> Result<Vec<ParamColumn>, CatalogError> {
    let failed = || CatalogError::engine("read the params of the prompts");
    let mut statement = connection.prepare(include_str!("../queries/param_types.sql")).map_err(failed())?;
    let rows = statement
        .query_map([task], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .map_err(failed())?;
    let mut taken: BTreeSet<String> = reserved_names();
    let mut columns = Vec::new();
    for row in rows {
        let (key, types) = row.map_err(failed())?;
        let mut name = key.clone();
        while !taken.insert(name.to_lowercase()) {
            name = format!("param_{name}");
        }
        columns.push(ParamColumn { name, key, kind: ParamType::of_json(&types) });
    }
    Ok(columns)
}

/// The SELECT of prompts with `params` as columns; add conditions with WHERE.
pub fn prompt_params_query(columns: &[ParamColumn]) -> String {
    let own = reserved_columns().filter(|name| *name != "params").map(quoted);
    let unpacked = columns.iter().map(|c| {
        let pointer = format!("/{}", c.key.replace('~', "~0").replace('/', "~1"));
        format!("(params->>{})::{} AS {}", literal(&pointer), c.kind.duckdb(), quoted(&c.name))
    });
    format!("SELECT {} FROM prompts", own.chain(unpacked).collect::<Vec<_>>().join(", "))
}

fn reserved_columns() -> impl Iterator<Item = &'static str> {
    let table = &tables::PROMPTS;
    table.partitions.iter().map(|p| p.name()).chain(table.columns.iter().map(|c| c.name))
}

fn reserved_names() -> BTreeSet<String> {
    reserved_columns().map(str::to_lowercase).collect()
}
