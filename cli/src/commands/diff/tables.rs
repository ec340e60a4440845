//! The rows of one table on two sides, joined over the table's key.

use super::side::{Filter, Side};
use crate::failure::{Failure, could_not};
use crate::output::json_rows;
use hypercolumn_analyze::{Catalog, Parameter, query_named};
use hypercolumn_schemas::{Column, ColumnType, Table, tables};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What differs in one table.
#[derive(Serialize)]
pub(super) struct TableDiff {
    pub(super) table: &'static str,
    pub(super) n_both: u64,
    pub(super) n_only_a: u64,
    pub(super) n_only_b: u64,
    /// Rows of both with a value that differs.
    pub(super) n_differing: u64,
    pub(super) columns: Vec<ColumnDiff>,
    /// Values that differ, the largest differences first.
    pub(super) cells: Vec<Cell>,
}

/// How many values of a column differ, and by how much at most, where it has numbers.
#[derive(Deserialize, Serialize)]
pub(super) struct ColumnDiff {
    pub(super) column: String,
    pub(super) n: u64,
    pub(super) largest_difference: Option<f64>,
}

/// A value that differs.
#[derive(Deserialize, Serialize)]
pub(super) struct Cell {
    /// The row's key.
    pub(super) row: String,
    pub(super) column: String,
    pub(super) a: Option<String>,
    pub(super) b: Option<String>,
    pub(super) difference: Option<f64>,
}

#[derive(Deserialize)]
struct Counts {
    n_both: u64,
    n_only_a: u64,
    n_only_b: u64,
    n_differing: u64,
}

/// Compares a table's rows; none where neither side has any.
pub(super) fn compare(
    catalog: &Catalog,
    name: &str,
    [a, b]: [&Side; 2],
    n_cells: usize,
) -> Result<Option<TableDiff>, Failure> {
    let Some(table) = tables::by_name(name) else { return Ok(None) };
    let question = Question::of(table, &a.filters);
    let mut parameters: Vec<(String, &str)> = Vec::new();
    for (side, filters) in [("a", &a.filters), ("b", &b.filters)] {
        parameters.extend(filters.iter().map(|f| (format!("{side}_{}", f.column), f.value.as_str())));
    }
    let parameters: Vec<(&str, Parameter<'_>)> =
        parameters.iter().map(|(name, value)| (name.as_str(), Parameter::Text(value))).collect();
    let asked = Asked { catalog, name, parameters: &parameters };
    let counts: Vec<Counts> = asked.rows(&question.counts())?;
    let Some(Counts { n_both, n_only_a, n_only_b, n_differing }) = counts.into_iter().next() else {
        return Ok(None);
    };
    if n_both + n_only_a + n_only_b == 0 {
        return Ok(None);
    }
    let (columns, cells) = match n_differing {
        0 => (Vec::new(), Vec::new()),
        _ => (asked.rows(&question.columns())?, asked.rows(&question.cells(n_cells))?),
    };
    Ok(Some(TableDiff { table: table.name, n_both, n_only_a, n_only_b, n_differing, columns, cells }))
}

/// A table to ask about, with the values of both sides' partitions.
struct Asked<'a> {
    catalog: &'a Catalog,
    name: &'a str,
    parameters: &'a [(&'a str, Parameter<'a>)],
}

impl Asked<'_> {
    fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, Failure> {
        let answer = query_named(self.catalog, sql, self.parameters);
        json_rows(&answer.map_err(could_not("compare table", self.name))?)
    }
}

/// The SQL about one table: every question begins with the rows of each side.
struct Question {
    table: &'static Table,
    /// Columns that every side has one value of.
    filtered: Vec<&'static str>,
}

impl Question {
    fn of(table: &'static Table, filters: &[Filter]) -> Self {
        let filtered = filters.iter().map(|filter| filter.column);
        Self { table, filtered: filtered.filter(|column| table.key.contains(column)).collect() }
    }

    /// Columns that identify a row within a side.
    fn key(&self) -> impl Iterator<Item = &'static str> {
        self.table.key.iter().copied().filter(|column| !self.filtered.contains(column))
    }

    fn values(&self) -> impl Iterator<Item = &'static Column> {
        let is_value =
            |column: &&Column| column.kind != ColumnType::Vector && !self.table.key.contains(&column.name);
        self.table.columns.iter().filter(is_value)
    }

    fn sides(&self) -> String {
        let side = |side: &str| {
            let wanted = self.filtered.iter().map(|column| format!("\"{column}\" = ${side}_{column}"));
            let wanted = wanted.collect::<Vec<_>>().join(" AND ");
            format!("{side} AS (SELECT *, true AS is_there FROM {} WHERE {wanted})", self.table.name)
        };
        format!("WITH {}, {}", side("a"), side("b"))
    }

    fn join(&self) -> String {
        let equal = self.key().map(|column| format!("a.\"{column}\" IS NOT DISTINCT FROM b.\"{column}\""));
        let equal = equal.collect::<Vec<_>>().join(" AND ");
        if equal.is_empty() { "true".to_owned() } else { equal }
    }

    fn differs(column: &Column) -> String {
        format!("a.\"{0}\" IS DISTINCT FROM b.\"{0}\"", column.name)
    }

    fn counts(&self) -> String {
        let differs = self.values().map(Self::differs).collect::<Vec<_>>().join(" OR ");
        let differs = if differs.is_empty() { "false".to_owned() } else { differs };
        format!(
            "{} SELECT count(*) FILTER (a.is_there AND b.is_there) AS n_both,
                count(*) FILTER (b.is_there IS NULL) AS n_only_a,
                count(*) FILTER (a.is_there IS NULL) AS n_only_b,
                count(*) FILTER (a.is_there AND b.is_there AND ({differs})) AS n_differing
            FROM a FULL JOIN b ON {}",
            self.sides(),
            self.join()
        )
    }

    /// Every value that differs, as one row.
    fn differences(&self) -> String {
        let row =
            self.key().map(|column| format!("'{column}=' || coalesce(a.\"{column}\"::VARCHAR, 'null')"));
        let row = row.collect::<Vec<_>>().join(" || ' ' || ");
        let row = if row.is_empty() { "''".to_owned() } else { row };
        let one = |column: &'static Column| {
            let name = column.name;
            let difference = match column.kind {
                ColumnType::Text | ColumnType::Bool | ColumnType::Vector => "NULL::DOUBLE".to_owned(),
                _ => format!("b.\"{name}\"::DOUBLE - a.\"{name}\"::DOUBLE"),
            };
            format!(
                "SELECT {row} AS \"row\", '{name}' AS \"column\", a.\"{name}\"::VARCHAR AS a,
                    b.\"{name}\"::VARCHAR AS b, {difference} AS difference
                FROM a JOIN b ON {} WHERE {}",
                self.join(),
                Self::differs(column)
            )
        };
        self.values().map(one).collect::<Vec<_>>().join(" UNION ALL ")
    }

    fn columns(&self) -> String {
        format!(
            "{}, differences AS ({}) SELECT \"column\", count(*) AS n, max(abs(difference)) AS largest_difference
            FROM differences GROUP BY \"column\" ORDER BY largest_difference DESC NULLS LAST, \"column\"",
            self.sides(),
            self.differences()
        )
    }

    fn cells(&self, n: usize) -> String {
        format!(
            "{}, differences AS ({}) SELECT * FROM differences
            ORDER BY abs(difference) DESC NULLS LAST, \"row\", \"column\" LIMIT {n}",
            self.sides(),
            self.differences()
        )
    }
}
