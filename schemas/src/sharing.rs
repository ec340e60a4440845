//! Files that agree in all columns but their last, as those of a table's layers do: what they share is encoded once.

use crate::error::LakeError;
use crate::table::Table;
use crate::table::check_finite;
use crate::writer::{StagedFile, Target, properties};
use arrow::array::ArrayRef;
use arrow::datatypes::{Field, FieldRef, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use std::fs::File;
use std::sync::Arc;

/// Rows of all columns of a table but its last, as a row group holds them.
#[derive(Debug)]
pub struct SharedColumns {
    n_rows: usize,
    /// Each column's pages, with the column's metadata for the footer.
    columns: Vec<(Bytes, ColumnCloseResult)>,
}

impl SharedColumns {
    /// Encodes `columns`, each with its name: all of the table's but the last, which is not a vector.
    ///
    /// # Errors
    /// [`LakeError::Batch`] when a column's type or nullness is not what the table promises, or their lengths differ.
    pub fn encode(table: &'static Table, columns: &[(&str, ArrayRef)]) -> Result<Self, LakeError> {
        let refuse = |source| LakeError::Batch { table: table.name, source };
        let n_shared = table.columns.len() - 1;
        let expected: Vec<&str> = table.columns[..n_shared].iter().map(|c| c.name).collect();
        let given: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        if given != expected {
            let text = format!("expected the columns {}, found {}", expected.join(", "), given.join(", "));
            return Err(refuse(ArrowError::SchemaError(text)));
        }
        let fields: Vec<FieldRef> = table.arrow_schema(0).fields().iter().take(n_shared).cloned().collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays: Vec<ArrayRef> = columns.iter().map(|(_, array)| array.clone()).collect();
        // Made for its checks only.
        arrow::array::RecordBatch::try_new(schema.clone(), arrays.clone()).map_err(refuse)?;
        let encoded = encode(table, &schema, &arrays).map_err(|e| refuse(e.into()))?;
        Ok(Self { n_rows: arrays[0].len(), columns: encoded })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }
}

/// Encodes columns through a file in memory, out of which their pages are taken.
fn encode(
    table: &'static Table,
    schema: &Arc<Schema>,
    columns: &[ArrayRef],
) -> Result<Vec<(Bytes, ColumnCloseResult)>, ParquetError> {
    let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties(table)))?;
    let (mut file, factory) = writer.into_serialized_writer()?;
    let mut row_group = file.next_row_group()?;
    let mut closed = Vec::with_capacity(columns.len());
    let writers = factory.create_column_writers(0)?;
    for ((writer, field), column) in writers.into_iter().zip(schema.fields()).zip(columns) {
        let chunk = encode_column(writer, field, column)?;
        closed.push(chunk.close().clone());
        chunk.append_to_row_group(&mut row_group)?;
    }
    let metadata = row_group.close()?;
    let bytes = Bytes::from(file.into_inner()?);
    let pages = |(column, close): (usize, ColumnCloseResult)| {
        let (start, length) = metadata.column(column).byte_range();
        (bytes.slice(start as usize..(start + length) as usize), close)
    };
    Ok(closed.into_iter().enumerate().map(pages).collect())
}

fn encode_column(
    mut writer: ArrowColumnWriter,
    field: &Field,
    column: &ArrayRef,
) -> Result<ArrowColumnChunk, ParquetError> {
    compute_leaves(field, column)?.iter().try_for_each(|leaf| writer.write(leaf))?;
    writer.close()
}

/// Writes one staged file by row groups whose columns, but the last, come encoded.
#[derive(Debug)]
pub struct SharingWriter {
    target: Target,
    file: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    n_rows: u64,
}

impl SharingWriter {
    pub(crate) fn create(target: Target) -> Result<Self, LakeError> {
        let (file, factory) =
            target.create()?.into_serialized_writer().map_err(LakeError::parquet("write", &target.path))?;
        Ok(Self { target, file, factory, n_rows: 0 })
    }

    /// Appends a row group of `shared` and, for each of its rows, a value of the last column.
    ///
    /// # Errors
    /// [`LakeError::Parquet`] when it cannot be written (a full disk), or `last` is not what the table promises or not
    /// as long as `shared`.
    pub fn write(&mut self, shared: &SharedColumns, last: &ArrayRef) -> Result<(), LakeError> {
        self.append(shared, last).map_err(LakeError::parquet("write", &self.target.path))?;
        self.n_rows += shared.n_rows as u64;
        Ok(())
    }

    fn append(&mut self, shared: &SharedColumns, last: &ArrayRef) -> Result<(), ParquetError> {
        let schema = self.target.table.arrow_schema(0);
        let own = schema.fields().last().filter(|own| own.data_type() == last.data_type());
        let Some(own) = own.filter(|_| last.len() == shared.n_rows) else {
            return Err(ParquetError::General("the last column does not fit the others".to_owned()));
        };
        check_finite(self.target.table, own.name(), last).map_err(|e| ParquetError::External(Box::new(e)))?;
        let writer = self.factory.create_column_writers(self.file.flushed_row_groups().len())?.pop();
        let chunk = encode_column(writer.expect("a table has columns"), own, last)?;
        let mut row_group = self.file.next_row_group()?;
        for (pages, close) in &shared.columns {
            row_group.append_column(pages, close.clone())?;
        }
        chunk.append_to_row_group(&mut row_group)?;
        row_group.close().map(drop)
    }

    /// Closes the file, flushes it to disk, reads its footer back and hashes it. `None` if it has no rows.
    pub(crate) fn finish(self) -> Result<Option<StagedFile>, LakeError> {
        let file = self.file.into_inner().map_err(LakeError::parquet("write", &self.target.path))?;
        self.target.finish(&file, self.n_rows)
    }
}
