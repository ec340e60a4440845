//! A column of a table: its name, its Arrow type, whether it may be null, and its documentation.

use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

/// Name of the values inside a vector column, as Parquet's LIST layout spells it.
pub const VECTOR_ELEMENT: &str = "element";

/// The types a lake uses. Kept few so that every reader (DuckDB, polars, pandas, R, Spark) has each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// 16-bit signed integer.
    Int16,
    /// 32-bit signed integer.
    Int32,
    /// 32-bit unsigned integer.
    UInt32,
    /// true or false.
    Bool,
    /// 32-bit float.
    Float32,
    /// 64-bit float.
    Float64,
    /// `FixedSizeList<f32>`; the length is the model's `d_model`.
    Vector,
}

impl ColumnType {
    /// The Arrow type; `vector_length` is used by [`ColumnType::Vector`] alone.
    pub fn arrow(self, vector_length: i32) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::UInt32 => DataType::UInt32,
            Self::Bool => DataType::Boolean,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Vector => DataType::FixedSizeList(vector_element(), vector_length),
        }
    }

    /// The type's name on the schema page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::UInt32 => "uint32",
            Self::Bool => "bool",
            Self::Float32 => "f32",
            Self::Float64 => "f64",
            Self::Vector => "fixed_size_list<f32>[d_model]",
        }
    }

    /// The type's name in DuckDB, for empty views of tables that no file holds yet.
    pub fn duckdb(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Int16 => "SMALLINT",
            Self::Int32 => "INTEGER",
            Self::UInt32 => "UINTEGER",
            Self::Bool => "BOOLEAN",
            Self::Float32 => "FLOAT",
            Self::Float64 => "DOUBLE",
            Self::Vector => "FLOAT[]",
        }
    }
}

/// The field of the values inside a vector column.
pub fn vector_element() -> Arc<Field> {
    Arc::new(Field::new(VECTOR_ELEMENT, DataType::Float32, false))
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in the file and in SQL.
    pub name: &'static str,
    /// Type in the file.
    pub kind: ColumnType,
    /// Whether a row may lack a value.
    pub nullable: bool,
    /// The meaning of the value, with its unit.
    pub doc: &'static str,
}
