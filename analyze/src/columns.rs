//! Answers of DuckDB as plain vectors, by position of the column.

use crate::error::AnalyzeError;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use duckdb::{Connection, ToSql};

/// The answer to one of the project's own questions.
pub(crate) struct Answer {
    batches: Vec<RecordBatch>,
}

/// Asks `sql` with bound `parameters`; `action` is what to say when DuckDB refuses.
pub(crate) fn ask(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    action: &str,
) -> Result<Answer, AnalyzeError> {
    let failed = || AnalyzeError::engine(action);
    let mut statement = connection.prepare(sql).map_err(failed())?;
    let batches = statement.query_arrow(parameters).map_err(failed())?.collect();
    Ok(Answer { batches })
}

impl Answer {
    /// The batches as they came.
    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Column `c` as text.
    pub(crate) fn texts(&self, c: usize) -> Vec<Option<String>> {
        self.collect(c, &DataType::Utf8, |a| {
            let a = a.as_string::<i32>();
            (0..a.len()).map(|i| a.is_valid(i).then(|| a.value(i).to_owned())).collect()
        })
    }

    /// Column `c` as text, where none is null.
    pub(crate) fn names(&self, c: usize) -> Vec<String> {
        self.texts(c).into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Column `c` as numbers.
    pub(crate) fn numbers(&self, c: usize) -> Vec<Option<f64>> {
        self.collect(c, &DataType::Float64, |a| a.as_primitive::<Float64Type>().iter().collect())
    }

    /// Column `c` as whole numbers; null becomes 0.
    pub(crate) fn integers(&self, c: usize) -> Vec<i64> {
        self.collect(c, &DataType::Int64, |a| {
            a.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect()
        })
    }

    fn collect<T>(&self, c: usize, kind: &DataType, read: impl Fn(&ArrayRef) -> Vec<T>) -> Vec<T> {
        let column = |batch: &RecordBatch| {
            let cast = cast(batch.column(c), kind).expect("the question's SQL fixes the column's type");
            read(&cast)
        };
        self.batches.iter().flat_map(column).collect()
    }
}
