//! Result rows on their way into a table, and the corrections that need many rows at once.

use crate::error::AnalyzeError;
use crate::numerics::multiple_testing::benjamini_hochberg;
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

/// Benjamini-Hochberg q-values within each family of rows.
pub(crate) fn correct_families<K: Ord>(families: &[K], p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut members: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
    for (row, family) in families.iter().enumerate() {
        members.entry(family).or_default().push(row);
    }
    let mut q_values = vec![None; p_values.len()];
    for rows in members.values() {
        let family: Vec<Option<f64>> = rows.iter().map(|&row| p_values[row]).collect();
        for (&row, q) in rows.iter().zip(benjamini_hochberg(&family)) {
            q_values[row] = q;
        }
    }
    q_values
}
