//! Values of every column type, for tests over all tables.

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int16Array, Int32Array,
    StringArray, UInt32Array,
};
use hypercolumn_schemas::{ColumnType, Table, vector_element};
use std::sync::Arc;

/// Rows of a batch.
pub const N: usize = 3;

/// Values of a type that differ by row; where nulls are allowed the second is null.
fn values(kind: ColumnType, nullable: bool) -> ArrayRef {
    let at = |i: usize| (!nullable || i != 1).then_some(i);
    match kind {
        ColumnType::Text => Arc::new((0..N).map(|i| at(i).map(|i| format!("t{i}"))).collect::<StringArray>()),
        ColumnType::Int16 => Arc::new((0..N).map(|i| at(i).map(|i| i as i16)).collect::<Int16Array>()),
        ColumnType::Int32 => Arc::new((0..N).map(|i| at(i).map(|i| i as i32)).collect::<Int32Array>()),
        ColumnType::UInt32 => Arc::new((0..N).map(|i| at(i).map(|i| i as u32)).collect::<UInt32Array>()),
        ColumnType::Bool => Arc::new((0..N).map(|i| at(i).map(|i| i % 2 == 0)).collect::<BooleanArray>()),
        ColumnType::Float32 => Arc::new((0..N).map(|i| at(i).map(|i| i as f32)).collect::<Float32Array>()),
        ColumnType::Float64 => Arc::new((0..N).map(|i| at(i).map(|i| i as f64)).collect::<Float64Array>()),
        ColumnType::Vector => vectors((0..2 * N).map(|i| i as f32).collect()),
    }
}

pub fn vectors(values: Vec<f32>) -> ArrayRef {
    Arc::new(FixedSizeListArray::new(vector_element(), 2, Arc::new(Float32Array::from(values)), None))
}

/// [`N`] rows of `table`; where nulls are allowed the second value is null.
pub fn batch(table: &'static Table) -> arrow::array::RecordBatch {
    table.batch(table.columns.iter().map(|c| values(c.kind, c.nullable)).collect()).expect("values that fit")
}
