//! Rows: a table's columns as the fields of a struct, and the only way from values to a batch and back.
//!
//! The [`table!`](crate::table!) macro makes of one definition the [`Table`], its row struct and the conversions between
//! rows and batches. Nothing is matched by position: a column has one name, in the file, in SQL and in code.

use crate::column::ColumnType;
use crate::error::LakeError;
use crate::table::Table;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int16Array,
    Int32Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::datatypes::{Float32Type, Float64Type, Int16Type, Int32Type, UInt32Type};
use std::sync::Arc;

/// A row of a table.
pub trait Row: Sized {
    /// The table.
    const TABLE: &'static Table;

    /// The rows as a batch.
    ///
    /// # Errors
    /// [`LakeError::NotFinite`] naming table, column and row of a NaN or an infinity.
    fn to_batch(rows: &[Self]) -> Result<RecordBatch, LakeError>;

    /// The rows of a batch, whose columns are found by name.
    ///
    /// # Errors
    /// [`LakeError::Column`] when a column is absent, has another type, or is null where the table allows none.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, LakeError>;
}

/// A Rust type that a column can have.
pub trait Value: Sized {
    /// The column's type.
    const KIND: ColumnType;
    /// Whether a row may lack the value.
    const NULLABLE: bool;

    /// The values of all rows as an array.
    fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef
    where
        Self: 'a;

    /// The value of one row; `None` where it is null and may not be. `array` has the column's type.
    fn read(array: &ArrayRef, row: usize) -> Option<Self>;
}

macro_rules! impl_value {
    ($rust:ty, $kind:ident, $array:ty, $get:expr) => {
        impl Value for $rust {
            const KIND: ColumnType = ColumnType::$kind;
            const NULLABLE: bool = false;

            fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                Arc::new(values.cloned().map(Some).collect::<$array>())
            }

            fn read(array: &ArrayRef, row: usize) -> Option<Self> {
                let get: fn(&ArrayRef, usize) -> Self = $get;
                array.is_valid(row).then(|| get(array, row))
            }
        }

        impl Value for Option<$rust> {
            const KIND: ColumnType = ColumnType::$kind;
            const NULLABLE: bool = true;

            fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
                Arc::new(values.cloned().collect::<$array>())
            }

            fn read(array: &ArrayRef, row: usize) -> Option<Self> {
                Some(<$rust>::read(array, row))
            }
        }
    };
}

impl_value!(String, Text, StringArray, |array, row| array.as_string::<i32>().value(row).to_owned());
impl_value!(bool, Bool, BooleanArray, |array, row| array.as_boolean().value(row));
impl_value!(i16, Int16, Int16Array, |array, row| array.as_primitive::<Int16Type>().value(row));
impl_value!(i32, Int32, Int32Array, |array, row| array.as_primitive::<Int32Type>().value(row));
impl_value!(u32, UInt32, UInt32Array, |array, row| array.as_primitive::<UInt32Type>().value(row));
impl_value!(f32, Float32, Float32Array, |array, row| array.as_primitive::<Float32Type>().value(row));
impl_value!(f64, Float64, Float64Array, |array, row| array.as_primitive::<Float64Type>().value(row));

impl Value for Vec<f32> {
    const KIND: ColumnType = ColumnType::Vector;
    const NULLABLE: bool = false;

    fn array<'a>(values: impl Iterator<Item = &'a Self>) -> ArrayRef {
        let vectors: Vec<&Self> = values.collect();
        let width = vectors.first().map_or(0, |v| v.len());
        let values = Float32Array::from_iter_values(vectors.into_iter().flatten().copied());
        Arc::new(FixedSizeListArray::new(crate::vector_element(), width as i32, Arc::new(values), None))
    }

    fn read(array: &ArrayRef, row: usize) -> Option<Self> {
        let values = array.as_fixed_size_list().value(row);
        array.is_valid(row).then(|| values.as_primitive::<Float32Type>().values().to_vec())
    }
}

/// The column `name` of `batch`, if its type is the table's; a vector may have any length.
///
/// # Errors
/// [`LakeError::Column`].
pub fn find_column<'a>(
    table: &'static Table,
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a ArrayRef, LakeError> {
    let refuse = |problem: String| LakeError::Column { table: table.name, column: name.to_owned(), problem };
    let column = table.columns.iter().find(|c| c.name == name).expect("a column of the table's own row type");
    let found = batch.column_by_name(name).ok_or_else(|| refuse("is not there".into()))?;
    let length = match found.data_type() {
        arrow::datatypes::DataType::FixedSizeList(_, length) => *length,
        _ => 0,
    };
    if found.data_type() != &column.kind.arrow(length) {
        return Err(refuse(format!("has type {}, not {}", found.data_type(), column.kind.label())));
    }
    Ok(found)
}

/// The values of one column of `batch`.
///
/// # Errors
/// [`LakeError::Column`], as [`Row::from_batch`].
pub fn read_column<T: Value>(
    table: &'static Table,
    batch: &RecordBatch,
    name: &str,
) -> Result<Vec<T>, LakeError> {
    let array = find_column(table, batch, name)?;
    (0..array.len())
        .map(|row| {
            T::read(array, row).ok_or_else(|| LakeError::Column {
                table: table.name,
                column: name.to_owned(),
                problem: format!("is null in row {row}"),
            })
        })
        .collect()
}

/// The name of a column whose field has this name: a Rust keyword (`r#true`) without its mark.
pub const fn column_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Defines a table: its [`Table`], and a row struct with the table's columns as fields.
///
/// A field of type `Option<…>` is a column that may be null; the text behind `=` is the column's sentence on the schema
/// page and the field's documentation. With `columns NAME` there is also a struct of whole columns, for writers of many
/// rows.
#[macro_export]
macro_rules! table {
    (
        $table:ident as $row:ident;
        name: $name:literal,
        version: $version:literal,
        grain: $grain:literal,
        doc: $doc:literal,
        partitions: [$($partition:ident),*],
        key: [$($key:literal),* $(,)?],
        $($field:ident: $type:ty = $text:literal,)+
    ) => {
        #[doc = $doc]
        pub static $table: $crate::Table = $crate::Table {
            name: $name,
            version: $version,
            grain: $grain,
            doc: $doc,
            partitions: &[$($crate::PartitionColumn::$partition),*],
            columns: &[$($crate::Column {
                name: $crate::column_name(stringify!($field)),
                kind: <$type as $crate::Value>::KIND,
                nullable: <$type as $crate::Value>::NULLABLE,
                doc: $text,
            }),+],
            key: &[$($key),*],
        };

        #[doc = concat!("A row of `", $name, "`: ", $grain, ".")]
        #[derive(Clone, Debug, PartialEq)]
        pub struct $row {
            $(#[doc = $text] pub $field: $type,)+
        }

        impl $crate::Row for $row {
            const TABLE: &'static $crate::Table = &$table;

            fn to_batch(rows: &[Self]) -> Result<arrow::array::RecordBatch, $crate::LakeError> {
                $table.batch(vec![
                    $(<$type as $crate::Value>::array(rows.iter().map(|row| &row.$field)),)+
                ])
            }

            fn from_batch(batch: &arrow::array::RecordBatch) -> Result<Vec<Self>, $crate::LakeError> {
                $(let mut $field = $crate::read_column::<$type>(&$table, batch, $crate::column_name(stringify!($field)))?.into_iter();)+
                Ok((0..batch.num_rows())
                    .map(|_| Self { $($field: $field.next().expect("columns of one batch have one length"),)+ })
                    .collect())
            }
        }
    };
    (
        $table:ident as $row:ident, columns $columns:ident;
        name: $name:literal,
        version: $version:literal,
        grain: $grain:literal,
        doc: $doc:literal,
        partitions: $partitions:tt,
        key: $key:tt,
        $($field:ident: $type:ty = $text:literal,)+
    ) => {
        $crate::table! {
            $table as $row;
            name: $name,
            version: $version,
            grain: $grain,
            doc: $doc,
            partitions: $partitions,
            key: $key,
            $($field: $type = $text,)+
        }

        #[doc = concat!("Columns of `", $name, "`.")]
        #[derive(Clone, Debug)]
        #[allow(missing_docs)] // The row's fields say what they are.
        pub struct $columns {
            $(pub $field: arrow::array::ArrayRef,)+
        }

        impl $columns {
            /// The columns as a batch.
            ///
            /// # Errors
            #[doc = "[`LakeError::Batch`](crate::LakeError::Batch) when a type, length or nullness is not the table's;"]
            #[doc = "[`LakeError::NotFinite`](crate::LakeError::NotFinite) for a NaN or an infinity."]
            pub fn into_batch(self) -> Result<arrow::array::RecordBatch, $crate::LakeError> {
                $table.batch(vec![$(self.$field),+])
            }
        }
    };
}
