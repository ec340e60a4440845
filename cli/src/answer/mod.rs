//! Answers on standard output: one format a file. All but the table are exact.

mod columnar;
mod csv;
mod json;
mod table;

pub use table::{draw, format_count};

use crate::args::FormatArg;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Reporter;
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::error::ArrowError;
use hypercolumn_analyze::QueryResult;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

/// Writes an answer to standard output.
///
/// # Errors
/// Where a binary format would go to a terminal, or standard output cannot be written.
pub fn write(answer: &QueryResult, format: FormatArg, reporter: &Reporter) -> Result<(), Failure> {
    let bytes = match format {
        FormatArg::Table => in_utc(answer).and_then(|a| table::encode(&a, reporter)).map(String::into_bytes),
        FormatArg::Csv => in_utc(answer).and_then(|a| csv::encode(&a)),
        FormatArg::Json => in_utc(answer).and_then(|a| json::encode(&a)),
        FormatArg::Parquet => columnar::encode_parquet(answer),
        FormatArg::Arrow => columnar::encode_stream(answer),
    };
    let bytes = bytes.map_err(|cause| unwritable(format, &cause))?;
    let mut out = io::stdout().lock();
    out.write_all(&bytes)?;
    out.flush()?;
    Ok(())
}

/// The answer as a drawn table.
///
/// # Errors
/// Where a value cannot be written as text.
pub fn render(answer: &QueryResult, reporter: &Reporter) -> Result<String, Failure> {
    table::encode(answer, reporter).map_err(|cause| unwritable(FormatArg::Table, &cause))
}

/// Refuses to write a binary format to a terminal, before the question is asked.
pub fn check_destination(format: FormatArg) -> Result<(), Failure> {
    let (is_binary, name) = match format {
        FormatArg::Parquet => (true, "parquet"),
        FormatArg::Arrow => (true, "arrow"),
        _ => (false, ""),
    };
    if is_binary && io::stdout().is_terminal() {
        return Err(Failure::usage(format!("could not write `{name}` to a terminal"))
            .because("it is a binary format")
            .hint(format!("send it to a file: hypercolumn sql … --format {name} > answer.{name}")));
    }
    Ok(())
}

/// The same moments with the offset of UTC: named time zones cannot be written as text without a
/// database of them.
fn in_utc(answer: &QueryResult) -> Result<QueryResult, ArrowError> {
    let field = |field: &FieldRef| match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
            Arc::new(field.as_ref().clone().with_data_type(utc))
        }
        _ => Arc::clone(field),
    };
    let schema = Arc::new(Schema::new(answer.schema.fields().iter().map(field).collect::<Vec<_>>()));
    let convert = |batch: &RecordBatch| {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(array, field)| cast(array, field.data_type()));
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
    };
    let batches = answer.batches.iter().map(convert).collect::<Result<_, _>>()?;
    Ok(QueryResult { schema, batches })
}

fn unwritable(format: FormatArg, cause: &ArrowError) -> Failure {
    Failure::new(Exit::Failure, format!("could not write the answer as `{format:?}`").to_lowercase())
        .because(cause.to_string())
        .hint("cast the column in the question, e.g. `column::VARCHAR`, or use another --format")
}
