//! Query results as Parquet and as an Arrow IPC stream: with the types and values of DuckDB.

use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use hypercolumn_analyze::QueryResult;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// The query result as a Parquet file.
pub fn encode_parquet(result: &QueryResult) -> Result<Vec<u8>, ArrowError> {
    let wrap = |e: ParquetError| ArrowError::ParquetError(e.to_string());
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, result.schema.clone(), Some(properties)).map_err(wrap)?;
    for batch in &result.batches {
        writer.write(batch).map_err(wrap)?;
    }
    writer.close().map_err(wrap)?;
    Ok(bytes)
}

/// The query result as an Arrow IPC stream.
pub fn encode_stream(result: &QueryResult) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &result.schema)?;
    for batch in &result.batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}
