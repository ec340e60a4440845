//! The only Parquet reader for stages that take whole tables (SQL reads through DuckDB).

use crate::commit::FileEntry;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::row::Row;
use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;

/// All batches of one listed file.
///
/// # Errors
/// When the file is missing, differs from what its commit recorded (size, BLAKE3) or holds another number of rows.
pub fn read_batches(lake: &Lake, entry: &FileEntry) -> Result<Vec<RecordBatch>, LakeError> {
    let path = lake.check(entry)?;
    let file = File::open(&path).map_err(LakeError::io("open", &path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|b| b.build())
        .map_err(LakeError::parquet("read", &path))?;
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| {
        LakeError::parquet("read", &path)(parquet::errors::ParquetError::ArrowError(e.to_string()))
    })?;
    let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if n_rows as u64 != entry.n_rows {
        let problem = format!("holds {n_rows} rows, its commit says {}", entry.n_rows);
        return Err(LakeError::Damaged { path, problem });
    }
    Ok(batches)
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
