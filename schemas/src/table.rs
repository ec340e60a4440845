//! A table: its grain, key, columns and partitions, and the check of a batch against them.

use crate::column::{Column, ColumnType};
use crate::error::LakeError;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema, SchemaRef};
use std::sync::Arc;

/// A directory level of a table's files: `study=…`, `model=…`, `task=…` or `layer=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionColumn {
    /// The study's name.
    Study,
    /// The model's name.
    Model,
    /// The task's name.
    Task,
    /// The layer's number.
    Layer,
}

impl PartitionColumn {
    /// Name in the path and in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Study => "study",
            Self::Model => "model",
            Self::Task => "task",
            Self::Layer => "layer",
        }
    }

    /// Type that SQL views give the values read from the path.
    pub const fn duckdb(self) -> &'static str {
        match self {
            Self::Study | Self::Model | Self::Task => "VARCHAR",
            Self::Layer => "INTEGER",
        }
    }
}

/// The contract of one table.
#[derive(Debug)]
pub struct Table {
    /// Name of the table, of its directory and of its SQL view.
    pub name: &'static str,
    /// Raised when a column changes its name, type or meaning.
    pub version: u32,
    /// The unit that one row describes.
    pub grain: &'static str,
    /// The purpose of the table.
    pub doc: &'static str,
    /// Directory levels, outermost first.
    pub partitions: &'static [PartitionColumn],
    /// Columns in file order.
    pub columns: &'static [Column],
    /// Columns (partitions included) that identify a row.
    pub key: &'static [&'static str],
}

impl Table {
    /// Whether rows carry a vector, so that a file needs its length.
    pub fn has_vector(&self) -> bool {
        self.columns.iter().any(|c| c.kind == ColumnType::Vector)
    }

    /// The Arrow schema of a file; `vector_length` is `d_model`, ignored where there is no vector.
    pub fn arrow_schema(&self, vector_length: i32) -> SchemaRef {
        let field = |c: &Column| Field::new(c.name, c.kind.arrow(vector_length), c.nullable);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// Builds a batch from `columns` in file order and checks it against the schema; [`Row::to_batch`](crate::Row) and a
    /// table's struct of columns call this by name.
    ///
    /// # Errors
    /// [`LakeError::Batch`] when a column's type, length or nullness is not what the table promises;
    /// [`LakeError::NotFinite`] for a NaN or an infinity.
    pub fn batch(&'static self, columns: Vec<ArrayRef>) -> Result<RecordBatch, LakeError> {
        let length = columns.iter().find_map(|c| match c.data_type() {
            DataType::FixedSizeList(_, n) => Some(*n),
            _ => None,
        });
        for (column, array) in self.columns.iter().zip(&columns) {
            check_finite(self, column.name, array)?;
        }
        RecordBatch::try_new(self.arrow_schema(length.unwrap_or(0)), columns)
            .map_err(|source| LakeError::Batch { table: self.name, source })
    }
}

/// Refuses a NaN or an infinity in a column of floats.
///
/// # Errors
/// [`LakeError::NotFinite`] naming the first.
pub(crate) fn check_finite(table: &'static Table, name: &str, array: &ArrayRef) -> Result<(), LakeError> {
    let (found, width) = match array.data_type() {
        DataType::Float32 => (first_not_finite32(array), 1),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            (values.iter().position(|v| v.is_some_and(|v| !v.is_finite())), 1)
        }
        DataType::FixedSizeList(_, width) => {
            (first_not_finite32(array.as_fixed_size_list().values()), (*width).max(1) as usize)
        }
        _ => return Ok(()),
    };
    match found {
        None => Ok(()),
        Some(at) => Err(LakeError::NotFinite { table: table.name, column: name.to_owned(), row: at / width }),
    }
}

fn first_not_finite32(array: &ArrayRef) -> Option<usize> {
    let array = array.as_primitive::<Float32Type>();
    if array.null_count() == 0 {
        return array.values().iter().position(|v| !v.is_finite());
    }
    array.iter().position(|v| v.is_some_and(|v| !v.is_finite()))
}
