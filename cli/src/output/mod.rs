//! Query results on standard output, one file a format. All formats but the table are exact.

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
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

/// Writes a query result to standard output.
///
/// # Errors
/// If a value has no text in this format, or standard output cannot be written.
pub fn write(result: &QueryResult, format: FormatArg, reporter: &Reporter) -> Result<(), Failure> {
    let bytes = encode(result, format, reporter)?;
    let mut out = io::stdout().lock();
    out.write_all(&bytes)?;
    out.flush()?;
    Ok(())
}

/// A query result in a format.
///
/// # Errors
/// If a value has no text in this format.
pub fn encode(result: &QueryResult, format: FormatArg, reporter: &Reporter) -> Result<Vec<u8>, Failure> {
    let bytes = match format {
        FormatArg::Table => in_utc(result).and_then(|a| table::encode(&a, reporter)).map(String::into_bytes),
        FormatArg::Csv => distinct_names(result).and_then(|a| csv::encode(&in_utc(&a)?)),
        FormatArg::Json => distinct_names(result).and_then(|a| json::encode(&in_utc(&a)?)),
        FormatArg::Parquet => distinct_names(result).and_then(|a| columnar::encode_parquet(&a)),
        FormatArg::Arrow => distinct_names(result).and_then(|a| columnar::encode_stream(&a)),
    };
    bytes.map_err(|cause| unwritable(format, &cause))
}

/// The query result as a drawn table.
///
/// # Errors
/// If a value has no text.
pub fn render(result: &QueryResult, reporter: &Reporter) -> Result<String, Failure> {
    table::encode(result, reporter).map_err(|cause| unwritable(FormatArg::Table, &cause))
}

/// The rows of a query result as values.
///
/// # Errors
/// If a value has no JSON.
pub fn json_rows<T: DeserializeOwned>(result: &QueryResult) -> Result<Vec<T>, Failure> {
    let bytes = json::encode(result).map_err(|cause| unwritable(FormatArg::Json, &cause))?;
    Ok(serde_json::from_slice(&bytes).expect("the query has the fields as columns"))
}

/// Refuses to write a binary format to a terminal, before the query runs.
pub fn check_destination(format: FormatArg) -> Result<(), Failure> {
    let (is_binary, name) = match format {
        FormatArg::Parquet => (true, "parquet"),
        FormatArg::Arrow => (true, "arrow"),
        _ => (false, ""),
    };
    if is_binary && io::stdout().is_terminal() {
        return Err(Failure::usage(format!("could not write `{name}` to a terminal"))
            .because("the format is binary")
            .hint(format!(
                "redirect the result to a file: hypercolumn sql … --format {name} > result.{name}"
            )));
    }
    Ok(())
}

/// Columns of names of their own, as DuckDB names those of a table: of two `id`, the second is `id_1`. Readers keep one of
/// two columns of one name.
fn distinct_names(result: &QueryResult) -> Result<QueryResult, ArrowError> {
    let mut taken: BTreeSet<String> = result.schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut seen = BTreeSet::new();
    let field = |field: &FieldRef| {
        if seen.insert(field.name().clone()) {
            return Arc::clone(field);
        }
        let names = (1..).map(|n| format!("{}_{n}", field.name()));
        let name = names.into_iter().find(|name| taken.insert(name.clone())).expect("some name is free");
        Arc::new(field.as_ref().clone().with_name(name))
    };
    let schema = Arc::new(Schema::new(result.schema.fields().iter().map(field).collect::<Vec<_>>()));
    let rename = |batch: &RecordBatch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec());
    let batches = result.batches.iter().map(rename).collect::<Result<_, _>>()?;
    Ok(QueryResult { schema, batches, tables: result.tables.clone() })
}

/// Timestamps with the offset of UTC: a named time zone needs a database of time zones to be written as text.
fn in_utc(result: &QueryResult) -> Result<QueryResult, ArrowError> {
    let field = |field: &FieldRef| match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
            Arc::new(field.as_ref().clone().with_data_type(utc))
        }
        _ => Arc::clone(field),
    };
    let schema = Arc::new(Schema::new(result.schema.fields().iter().map(field).collect::<Vec<_>>()));
    let convert = |batch: &RecordBatch| {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(array, field)| cast(array, field.data_type()));
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
    };
    let batches = result.batches.iter().map(convert).collect::<Result<_, _>>()?;
    Ok(QueryResult { schema, batches, tables: result.tables.clone() })
}

fn unwritable(format: FormatArg, cause: &ArrowError) -> Failure {
    Failure::new(Exit::Failure, format!("could not write the result as `{format:?}`").to_lowercase())
        .because(cause.to_string())
        .hint("cast the column in the query, e.g. `column::VARCHAR`, or use another --format")
}
