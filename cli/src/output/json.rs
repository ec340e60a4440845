//! Query results as JSON: an array of objects, one a line, so that both JSON readers and line tools can take it.

use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use hypercolumn_analyze::QueryResult;

/// The query result as a JSON array; nulls are written, so that every object has every column.
pub fn encode(result: &QueryResult) -> Result<Vec<u8>, ArrowError> {
    let mut lines = Vec::new();
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(&mut lines);
    for batch in &result.batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    drop(writer);
    if lines.is_empty() {
        return Ok(b"[]\n".to_vec());
    }
    let mut out = Vec::with_capacity(lines.len() + lines.len() / 64 + 8);
    out.extend_from_slice(b"[");
    // No row holds a raw line end: JSON strings escape it.
    for (i, line) in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        out.extend_from_slice(if i == 0 { b"\n" } else { b",\n" });
        out.extend_from_slice(line);
    }
    out.extend_from_slice(b"\n]\n");
    Ok(out)
}
