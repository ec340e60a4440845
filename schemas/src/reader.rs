//! The only Parquet reader for stages that take whole tables (SQL reads through DuckDB).

use crate::commit::FileEntry;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::row::Row;
use arrow::array::{RecordBatch, StringArray};
use arrow::compute::kernels::cmp::eq;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter,
};
use std::fs::File;

/// All batches of one listed file.
///
/// # Errors
/// When the file is missing, differs from what its commit recorded (size, BLAKE3) or holds another number of rows.
pub fn read_batches(lake: &Lake, entry: &FileEntry) -> Result<Vec<RecordBatch>, LakeError> {
    read_selected(lake, entry, Selection::default())
}

/// Which rows and columns of a file are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// Columns of text, each with the value that a row must have there. Other columns are decoded in such rows alone.
    pub equal: &'a [(&'a str, &'a str)],
    /// The columns to read; all of them where none is named.
    pub columns: &'a [&'a str],
}

/// As [`read_batches`], of the selected rows and columns alone. They come in one batch, unless there are none.
///
/// # Errors
/// As [`read_batches`].
pub fn read_selected(
    lake: &Lake,
    entry: &FileEntry,
    selection: Selection<'_>,
) -> Result<Vec<RecordBatch>, LakeError> {
    let path = lake.check(entry)?;
    let file = File::open(&path).map_err(LakeError::io("open", &path))?;
    let mut builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(LakeError::parquet("read", &path))?;
    let n_rows = builder.metadata().file_metadata().num_rows();
    if n_rows as u64 != entry.n_rows {
        let problem = format!("holds {n_rows} rows, its commit says {}", entry.n_rows);
        return Err(LakeError::Damaged { path, problem });
    }
    let filters = selection.equal.iter().map(|(column, value)| {
        let mask = ProjectionMask::columns(builder.parquet_schema(), [*column]);
        let value = StringArray::new_scalar(*value);
        let is_equal = move |batch: RecordBatch| eq(batch.column(0), &value);
        Box::new(ArrowPredicateFn::new(mask, is_equal)) as Box<dyn ArrowPredicate>
    });
    let filters: Vec<_> = filters.collect();
    if !selection.columns.is_empty() {
        let mask = ProjectionMask::columns(builder.parquet_schema(), selection.columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    if !filters.is_empty() {
        builder = builder.with_row_filter(RowFilter::new(filters));
    }
    let reader = builder.with_batch_size(entry.n_rows.max(1) as usize).build();
    let reader = reader.map_err(LakeError::parquet("read", &path))?;
    reader.collect::<Result<Vec<_>, _>>().map_err(|e| {
        LakeError::parquet("read", &path)(parquet::errors::ParquetError::ArrowError(e.to_string()))
    })
}

/// Reads a committed file as rows.
///
/// # Errors
/// As [`read_batches`]; [`LakeError::Column`] when a column is not what the table says.
pub fn read_rows<R: Row>(lake: &Lake, file: &FileEntry) -> Result<Vec<R>, LakeError> {
    let mut rows = Vec::with_capacity(file.n_rows as usize);
    for batch in read_batches(lake, file)? {
        rows.extend(R::from_batch(&batch)?);
    }
    Ok(rows)
}
