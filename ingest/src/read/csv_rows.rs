//! CSV: comma-separated with a header, nested fields as JSON text, UTF-8.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::Value;

use crate::error::{IngestError, Location};
use crate::read::fields::{Fields, OPTIONAL};
use crate::read::intake::Intake;
use crate::read::{check_columns, describe_utf8_error, parse_json_cell, skip_byte_order_mark};
use hypercolumn_schemas::Prompt;

pub(super) fn read(path: &Path, file: File) -> Result<Vec<Prompt>, IngestError> {
    let mut reader = BufReader::new(file);
    skip_byte_order_mark(&mut reader)
        .map_err(|source| IngestError::Read { path: path.to_owned(), source })?;
    // The CSV reader accepts rows of another length: the check refuses them, with their location.
    let mut rows = ReaderBuilder::new().flexible(true).from_reader(reader);
    let csv_error = |source| IngestError::Csv { path: path.to_owned(), source };
    let header = rows.byte_headers().map_err(csv_error)?.clone();
    if header.is_empty() {
        return Err(IngestError::Empty { path: path.to_owned() });
    }
    let columns: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    check_columns(path, &columns)?;
    let mut intake = Intake::default();
    let mut record = ByteRecord::new();
    for row in 1.. {
        if !rows.read_byte_record(&mut record).map_err(csv_error)? {
            break;
        }
        let line = record.position().map_or(0, csv::Position::line);
        take_record(&mut intake, Location::CsvRow { row, line }, &columns, &record);
    }
    intake.finish(path)
}

fn take_record(intake: &mut Intake, location: Location, columns: &[String], record: &ByteRecord) {
    if record.len() != columns.len() {
        let (expected, found) = (columns.len(), record.len());
        let message = format!("expected {expected} values, as the header has, found {found}");
        intake.refuse(location, None, message);
        return;
    }
    let mut fields = Fields::default();
    for (column, cell) in columns.iter().zip(record) {
        match parse_cell(column, cell) {
            Ok(Some(value)) => fields.0.push((column.clone(), value)),
            Ok(None) => {}
            Err(message) => {
                intake.refuse(location, Some(column.clone()), message);
                return;
            }
        }
    }
    intake.take(location, fields);
}

/// A cell as the JSON value that the same field would hold in JSON Lines.
fn parse_cell(column: &str, cell: &[u8]) -> Result<Option<Value>, String> {
    let text = std::str::from_utf8(cell).map_err(|error| describe_utf8_error(&error, cell))?;
    match column {
        _ if text.is_empty() && OPTIONAL.contains(&column) => Ok(None),
        "params" | "segments" => parse_json_cell(text).map(Some),
        // What is no number stays text, for the check to refuse by name.
        "n_examples" => Ok(Some(text.parse::<i64>().map_or(Value::from(text), Value::from))),
        _ => Ok(Some(Value::from(text))),
    }
}
