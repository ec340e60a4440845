//! Answers as Parquet and as an Arrow IPC stream: types and values as DuckDB gave them.

use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use hypercolumn_analyze::QueryResult;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// The answer as a Parquet file.
pub fn encode_parquet(answer: &QueryResult) -> Result<Vec<u8>, ArrowError> {
    let wrap = |e: ParquetError| ArrowError::ParquetError(e.to_string());
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, answer.schema.clone(), Some(properties)).map_err(wrap)?;
    for batch in &answer.batches {
        writer.write(batch).map_err(wrap)?;
    }
    writer.close().map_err(wrap)?;
    Ok(bytes)
}

/// The answer as an Arrow IPC stream.
pub fn encode_stream(answer: &QueryResult) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &answer.schema)?;
    for batch in &answer.batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}
