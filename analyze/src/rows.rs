//! Result rows on their way into a table, and the corrections that need many rows at once.

use crate::error::AnalyzeError;
use crate::stats::multiple_testing::benjamini_hochberg;
use arrow::array::{ArrayRef, Float64Array, Int16Array, Int32Array, RecordBatch, StringArray};
use hypercolumn_schemas::{ColumnType, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One value of a result row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Text, or null.
    Text(Option<Arc<str>>),
    /// A whole number (16 or 32 bits in the table), or null.
    Integer(Option<i32>),
    /// A number, or null.
    Number(Option<f64>),
}

impl Cell {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => *value,
            _ => None,
        }
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<&Arc<str>> for Cell {
    fn from(value: &Arc<str>) -> Self {
        Self::Text(Some(Arc::clone(value)))
    }
}

impl From<Option<String>> for Cell {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Into::into))
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        Self::Number(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i32>> for Cell {
    fn from(value: Option<i32>) -> Self {
        Self::Integer(value)
    }
}

/// Rows of an analysis that also measures single prompts.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Rows of its own table.
    pub rows: Vec<Vec<Cell>>,
    /// Rows of `measures`.
    pub measures: Vec<Vec<Cell>>,
}

/// A batch of `table` from rows whose cells are in the order of its columns.
pub(crate) fn build_batch(table: &'static Table, rows: &[Vec<Cell>]) -> Result<RecordBatch, AnalyzeError> {
    let columns = table.columns.iter().enumerate().map(|(c, column)| build_column(column.kind, c, rows));
    Ok(table.batch(columns.collect())?)
}

fn build_column(kind: ColumnType, c: usize, rows: &[Vec<Cell>]) -> ArrayRef {
    let integer = |row: &Vec<Cell>| match &row[c] {
        Cell::Integer(value) => *value,
        other => panic!("column {c} takes a whole number, not {other:?}"),
    };
    match kind {
        ColumnType::Text => Arc::new(StringArray::from_iter(rows.iter().map(|row| match &row[c] {
            Cell::Text(value) => value.as_deref(),
            other => panic!("column {c} takes text, not {other:?}"),
        }))),
        ColumnType::Int16 => {
            let narrow = |value: i32| i16::try_from(value).expect("layers and heads are below 32768");
            Arc::new(Int16Array::from_iter(rows.iter().map(|row| integer(row).map(narrow))))
        }
        ColumnType::Int32 => Arc::new(Int32Array::from_iter(rows.iter().map(integer))),
        ColumnType::Float64 => Arc::new(Float64Array::from_iter(rows.iter().map(|row| match &row[c] {
            Cell::Number(value) => value.filter(|v| v.is_finite()),
            other => panic!("column {c} takes a number, not {other:?}"),
        }))),
        other => panic!("result tables have no column of type {}", other.label()),
    }
}

/// Fills in Benjamini-Hochberg q-values; rows that agree in the columns `family` are corrected together.
pub(crate) fn correct(table: &Table, rows: &mut [Vec<Cell>], family: &[&str]) {
    let place = |name: &str| {
        let named = table.columns.iter().position(|column| column.name == name);
        named.unwrap_or_else(|| panic!("`{}` has no column `{name}`", table.name))
    };
    let (p_value, q_value) = (place("p_value"), place("q_value"));
    let columns: Vec<usize> = family.iter().map(|name| place(name)).collect();
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        let shared: Vec<&Cell> = columns.iter().map(|&column| &row[column]).collect();
        members.entry(format!("{shared:?}")).or_default().push(number);
    }
    for members in members.values() {
        let p_values: Vec<Option<f64>> =
            members.iter().map(|&number| rows[number][p_value].number()).collect();
        for (&number, q) in members.iter().zip(benjamini_hochberg(&p_values)) {
            rows[number][q_value] = q.into();
        }
    }
}
