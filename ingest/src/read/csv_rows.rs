//! CSV and TSV: separated values with a header, nested fields as JSON text, UTF-8.

use std::path::Path;

use serde_json::Value;

use crate::error::{IngestError, Location};
use crate::read::column_map::ColumnMap;
use crate::read::csv_scan::{CsvRecord, Dialect, QuoteError, Scanner};
use crate::read::format::FormattedFile;
use crate::read::intake::Intake;
use crate::read::json_text::{NUL, parse_json};
use crate::read::row::Row;
use crate::read::values::Finding;

/// Reads a file of separated values.
pub(super) fn read<R: Row>(
    path: &Path,
    file: &FormattedFile,
    dialect: Dialect,
    intake: &mut Intake<'_, R>,
) -> Result<(), IngestError> {
    let text = file.read_text(path)?;
    let mut scanner = Scanner::new(&text, dialect_of(&text, dialect));
    let header = match scanner.next_record() {
        Ok(Some(header)) => header.cells,
        Ok(None) => return Ok(()),
        Err(QuoteError { line, message }) => {
            intake.refuse(Location::Line(line), None, message);
            return Ok(());
        }
    };
    let mut records = Vec::new();
    let mut broken = None;
    for row in 1.. {
        match scanner.next_record() {
            Ok(Some(record)) => records.push((Location::CsvRow { row, line: record.line }, record)),
            Ok(None) => break,
            Err(error) => {
                broken = Some((Location::CsvRow { row, line: error.line }, error.message));
                break;
            }
        }
    }
    let columns = intake.name_columns(path, header)?;
    let of = |index: usize| records.iter().filter_map(move |(_, record)| record.cells.get(index));
    let kinds: Vec<CellKind> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| CellKind::of(column, intake.map(), of(index).map(String::as_str)))
        .collect();
    for (location, record) in &records {
        take_record(intake, *location, &columns, &kinds, record);
    }
    if let Some((location, message)) = broken {
        intake.refuse(location, None, message);
    }
    Ok(())
}

/// The dialect of a text: where a header has no comma, a semicolon or a tab that it has separates its columns.
fn dialect_of(text: &str, dialect: Dialect) -> Dialect {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let other = [b';', b'\t'].into_iter().find(|other| header.contains(char::from(*other)));
    match other {
        Some(delimiter) if !header.contains(char::from(dialect.delimiter)) => {
            Dialect { delimiter, ..dialect }
        }
        _ => dialect,
    }
}

fn take_record<R: Row>(
    intake: &mut Intake<'_, R>,
    location: Location,
    columns: &[String],
    kinds: &[CellKind],
    record: &CsvRecord,
) {
    let cells = &record.cells;
    // Spreadsheets leave separators at the end of lines.
    let n_found = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    if cells.len() < columns.len() || n_found > columns.len() {
        let (expected, found) = (columns.len(), cells.len());
        let is_escaped = cells.iter().any(|cell| cell.contains("\\\""));
        let hint = if is_escaped {
            "; in CSV a quote inside a value is written twice (\"\"), not as \\\""
        } else {
            ""
        };
        let message = format!("expected {expected} values, as the header has, found {found}{hint}");
        intake.refuse(location, None, message);
        return;
    }
    intake.take_cells(location, columns, kinds.iter().zip(cells).map(|(kind, cell)| kind.parse(cell)));
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CellKind {
    /// JSON text.
    Json,
    /// Numbers, or text for the check to refuse by name.
    Number,
    /// true and false, in Python's spelling too.
    Boolean,
    /// Text, as it stands.
    Text,
}

impl CellKind {
    /// The kind of a column by its field; columns that become params have the kind that all their cells have.
    fn of<'a>(column: &str, map: &ColumnMap, cells: impl Iterator<Item = &'a str> + Clone) -> Self {
        let filled = cells.filter(|cell| !cell.is_empty());
        let all = |is: fn(&str) -> bool| filled.clone().next().is_some() && filled.clone().all(is);
        match map.field_of(column) {
            Some("params" | "segments") => Self::Json,
            Some("choices" | "messages" | "prompt" | "completion") if all(is_json_container) => Self::Json,
            Some("n_examples") => Self::Number,
            Some(_) => Self::Text,
            None if column.starts_with("choice_") => Self::Text,
            None if all(is_number) => Self::Number,
            None if all(is_boolean) => Self::Boolean,
            None => Self::Text,
        }
    }

    /// A cell as the JSON value that the same field would hold in JSON Lines; null where it is empty.
    fn parse(self, cell: &str) -> Result<Value, Finding> {
        let text = || match cell.contains('\0') {
            true => Err(Finding { field: String::new(), message: NUL.to_owned() }),
            false => Ok(Value::from(cell)),
        };
        match self {
            _ if cell.is_empty() => Ok(Value::Null),
            Self::Json => parse_json(cell),
            Self::Number if is_number(cell) => parse_json(cell),
            Self::Boolean => Ok(Value::from(cell.eq_ignore_ascii_case("true"))),
            Self::Number | Self::Text => text(),
        }
    }
}

fn is_json_container(cell: &str) -> bool {
    cell.trim_start().starts_with(['[', '{'])
}

fn is_boolean(cell: &str) -> bool {
    matches!(cell, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

/// Whether a cell is a number as JSON writes it: `007` and `+1` are not, which may be codes.
fn is_number(cell: &str) -> bool {
    let first = cell.bytes().next();
    first.is_some_and(|byte| byte == b'-' || byte.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(cell).is_ok()
}
