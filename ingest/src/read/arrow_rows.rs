//! Parquet and Arrow IPC: the fields as columns, nested ones as JSON text, structs or lists.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::error::{IngestError, Location};
use crate::read::arrow_values::{plain_column, value_at};
use crate::read::format::{open, read_error};
use crate::read::intake::Intake;
use crate::read::json_text::parse_json;
use crate::read::row::Row;
use crate::read::values::Finding;

const BATCH_ROWS: usize = 4096;

/// The first bytes of an Arrow file, which a stream lacks.
const ARROW_FILE: &[u8] = b"ARROW1";

/// The first bytes of a file of Feather's first version.
const FEATHER_1: &[u8] = b"FEA1";

/// Fields that a column of text holds as JSON.
const NESTED: [&str; 4] = ["params", "segments", "choices", "messages"];

/// Reads a Parquet file.
pub(super) fn read_parquet<R: Row>(path: &Path, intake: &mut Intake<'_, R>) -> Result<(), IngestError> {
    let refuse =
        |source: Box<dyn Error + Send + Sync>| IngestError::Parquet { path: path.to_owned(), source };
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(open(path)?).map_err(|error| refuse(Box::new(error)))?;
    let schema = builder.schema().clone();
    let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| refuse(Box::new(error)))?;
    take_batches(path, &schema, batches, intake, &|error| refuse(Box::new(error)))
}

/// Reads an Arrow IPC file or stream; rows are numbered on after those that `intake` has.
pub(super) fn read_arrow<R: Row>(path: &Path, intake: &mut Intake<'_, R>) -> Result<(), IngestError> {
    let refuse = |error: ArrowError| IngestError::Arrow { path: path.to_owned(), source: error };
    let mut file = BufReader::new(open(path)?);
    let start = first_bytes(&mut file).map_err(read_error(path))?;
    if start.starts_with(FEATHER_1) {
        let problem = "Feather's first version, which Arrow has given up, is not read; write the file again";
        return Err(IngestError::Columns { path: path.to_owned(), problem: problem.to_owned() });
    }
    if start.starts_with(ARROW_FILE) {
        let reader = FileReader::try_new(file, None).map_err(refuse)?;
        let schema = reader.schema();
        return take_batches(path, &schema, reader, intake, &refuse);
    }
    let reader = StreamReader::try_new(file, None).map_err(refuse)?;
    let schema = reader.schema();
    take_batches(path, &schema, reader, intake, &refuse)
}

fn first_bytes(file: &mut BufReader<File>) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.by_ref().take(ARROW_FILE.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}

fn take_batches<R: Row>(
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    intake: &mut Intake<'_, R>,
    refuse: &dyn Fn(ArrowError) -> IngestError,
) -> Result<(), IngestError> {
    let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
    let columns = intake.name_columns(path, columns)?;
    for batch in batches {
        let batch = batch.map_err(refuse)?;
        let cells: Vec<Result<ArrayRef, String>> = batch.columns().iter().map(plain_column).collect();
        for index in 0..batch.num_rows() {
            let location = Location::Row(intake.next_row());
            take_row(intake, location, &columns, &cells, index);
        }
    }
    Ok(())
}

fn take_row<R: Row>(
    intake: &mut Intake<'_, R>,
    location: Location,
    columns: &[String],
    cells: &[Result<ArrayRef, String>],
    index: usize,
) {
    let map = intake.map();
    let cells = columns.iter().zip(cells).map(|(column, cells)| {
        let is_nested = map.field_of(column).is_some_and(|field| NESTED.contains(&field));
        cell(is_nested, cells, index)
    });
    intake.take_cells(location, columns, cells);
}

/// A cell as the JSON value that the same field would hold in JSON Lines; null where it is missing.
fn cell(is_nested: bool, cells: &Result<ArrayRef, String>, index: usize) -> Result<Value, Finding> {
    let refuse = |message| Finding { field: String::new(), message };
    let value =
        value_at(cells.as_ref().map_err(|message| refuse(message.clone()))?, index).map_err(refuse)?;
    match value {
        Value::String(text) if is_nested && text.is_empty() => Ok(Value::Null),
        Value::String(text) if is_nested => parse_json(&text),
        other => Ok(other),
    }
}
