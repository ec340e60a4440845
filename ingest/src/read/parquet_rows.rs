//! Parquet: the fields as columns, `params` as JSON text, `segments` as JSON text or as a list of
//! structs.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use crate::error::{IngestError, Location};
use crate::read::fields::Fields;
use crate::read::intake::Intake;
use crate::read::{check_columns, parse_json_cell};
use hypercolumn_schemas::Prompt;

const BATCH_ROWS: usize = 4096;

pub(super) fn read(path: &Path, file: File) -> Result<Vec<Prompt>, IngestError> {
    fn refuse<E: Error + Send + Sync + 'static>(path: &Path) -> impl Fn(E) -> IngestError + '_ {
        |source| IngestError::Parquet { path: path.to_owned(), source: Box::new(source) }
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(refuse(path))?;
    let schema = builder.schema().clone();
    let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    check_columns(path, &columns)?;
    check_types(path, &schema)?;
    let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(refuse(path))?;
    let mut intake = Intake::default();
    let mut row = 0;
    for batch in batches {
        let cells = convert_batch(&batch.map_err(refuse(path))?).map_err(refuse(path))?;
        let n_rows = cells.first().map_or(0, |cells| cells.len());
        for index in 0..n_rows {
            row += 1;
            take_row(&mut intake, Location::Row(row), &columns, &cells, index);
        }
    }
    intake.finish(path)
}

/// Refuses a column whose type can never hold its field.
fn check_types(path: &Path, schema: &Schema) -> Result<(), IngestError> {
    for field in schema.fields() {
        let (name, data_type) = (field.name().as_str(), field.data_type());
        let (accepted, expected) = match name {
            "n_examples" => (data_type.is_integer(), "integers"),
            "segments" => {
                let accepted = is_text(data_type) || is_struct_list(data_type);
                (accepted, "JSON text or lists of structs with role, start and end")
            }
            "params" => (is_text(data_type), "JSON text"),
            _ => (is_text(data_type), "strings"),
        };
        // A column without any value has no type of its own.
        if !accepted && *data_type != DataType::Null {
            let problem = format!("column `{name}`: expected {expected}, found {data_type}");
            return Err(IngestError::Columns { path: path.to_owned(), problem });
        }
    }
    Ok(())
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        _ => data_type.is_string(),
    }
}

fn is_struct_list(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) => {
            matches!(item.data_type(), DataType::Struct(_))
        }
        _ => false,
    }
}

/// A column in one of the three forms that rows are read from.
enum Cells {
    Text(ArrayRef),
    Integers(ArrayRef),
    Lists(ArrayRef),
}

impl Cells {
    fn len(&self) -> usize {
        let (Self::Text(array) | Self::Integers(array) | Self::Lists(array)) = self;
        array.len()
    }
}

fn convert_batch(batch: &RecordBatch) -> Result<Vec<Cells>, ArrowError> {
    batch.columns().iter().map(convert_column).collect()
}

fn convert_column(column: &ArrayRef) -> Result<Cells, ArrowError> {
    match column.data_type() {
        data_type if data_type.is_integer() => cast(column, &DataType::Int64).map(Cells::Integers),
        DataType::List(item) => cast(column, &DataType::LargeList(item.clone())).map(Cells::Lists),
        DataType::LargeList(_) => Ok(Cells::Lists(column.clone())),
        _ => cast(column, &DataType::Utf8).map(Cells::Text),
    }
}

fn take_row(intake: &mut Intake, location: Location, columns: &[String], cells: &[Cells], index: usize) {
    let mut fields = Fields::default();
    for (column, cells) in columns.iter().zip(cells) {
        match parse_cell(column, cells, index) {
            Ok(Value::Null) => {}
            Ok(value) => fields.0.push((column.clone(), value)),
            Err(message) => {
                intake.refuse(location, Some(column.clone()), message);
                return;
            }
        }
    }
    intake.take(location, fields);
}

/// A cell as the JSON value that the same field would hold in JSON Lines; null where it is missing.
fn parse_cell(column: &str, cells: &Cells, index: usize) -> Result<Value, String> {
    match cells {
        Cells::Text(array) if array.is_valid(index) => {
            let text = array.as_string::<i32>().value(index);
            match column {
                "params" | "segments" if text.is_empty() => Ok(Value::Null),
                "params" | "segments" => parse_json_cell(text),
                _ => Ok(Value::from(text)),
            }
        }
        Cells::Integers(array) if array.is_valid(index) => {
            Ok(Value::from(array.as_primitive::<Int64Type>().value(index)))
        }
        Cells::Lists(array) if array.is_valid(index) => {
            let structs = array.as_list::<i64>().value(index);
            structs_to_json(&structs).map_err(|error| error.to_string())
        }
        _ => Ok(Value::Null),
    }
}

/// A list of flat structs as a JSON list; a null member is left out, as a missing field.
fn structs_to_json(array: &ArrayRef) -> Result<Value, ArrowError> {
    let structs = array.as_struct();
    let mut list: Vec<Map<String, Value>> = vec![Map::new(); structs.len()];
    for (name, column) in structs.column_names().into_iter().zip(structs.columns()) {
        let cells = convert_column(column)?;
        for (index, object) in list.iter_mut().enumerate() {
            let value = match &cells {
                Cells::Text(text) if text.is_valid(index) => {
                    Value::from(text.as_string::<i32>().value(index))
                }
                Cells::Integers(integers) if integers.is_valid(index) => {
                    Value::from(integers.as_primitive::<Int64Type>().value(index))
                }
                _ => continue,
            };
            object.insert(name.to_owned(), value);
        }
    }
    Ok(Value::Array(list.into_iter().map(Value::Object).collect()))
}
