//! Users' own prompts, from JSON Lines, CSV or Parquet.
//!
//! Each format's reader turns a row into named JSON values; one check, the same for all, turns
//! those into a [`Prompt`]. Every problem is collected with its location, field and expectation,
//! and the file is refused as a whole: a file with a bad row gives no prompts. Files are read row by
//! row; only the prompts, and their ids to find repetitions, are held.

mod csv_rows;
mod fields;
mod intake;
mod jsonl;
mod parquet_rows;

use std::fs::File;
use std::io::{self, BufRead};
use std::path::Path;

use serde_json::Value;

use crate::error::IngestError;
use crate::read::fields::{FIELDS, OPTIONAL};
use hypercolumn_schemas::Prompt;

/// The file extensions that [`read_prompts`] accepts, in any case.
pub const EXTENSIONS: [&str; 4] = ["jsonl", "ndjson", "csv", "parquet"];

/// Reads a prompts file; its extension says the format.
///
/// JSON Lines holds one object a line. CSV (comma-separated, with a header) and Parquet hold the
/// same fields as columns, `params` and `segments` as JSON text; in Parquet `segments` may also be
/// a list of structs. In CSV an empty cell is a missing value.
///
/// # Errors
///
/// [`IngestError`]: a file that cannot be opened or read, has an unknown extension or other columns
/// than a prompts table, holds no prompts, or has rows that are refused.
pub fn read_prompts(path: &Path) -> Result<Vec<Prompt>, IngestError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let read = match extension.as_deref() {
        Some("jsonl" | "ndjson") => jsonl::read,
        Some("csv") => csv_rows::read,
        Some("parquet") => parquet_rows::read,
        other => {
            return Err(IngestError::Extension {
                path: path.to_owned(),
                found: other.map_or("missing".to_owned(), |extension| format!("`.{extension}`")),
                accepted: "`.jsonl`, `.ndjson`, `.csv` and `.parquet`",
            });
        }
    };
    let open_error = |source| IngestError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open_error)?;
    // A directory opens on some systems, and then fails less clearly at the first read.
    if file.metadata().map_err(open_error)?.is_dir() {
        return Err(open_error(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    read(path, file)
}

/// Skips a UTF-8 byte order mark, which some editors put first.
fn skip_byte_order_mark<R: BufRead>(reader: &mut R) -> io::Result<()> {
    if reader.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
        reader.consume(3);
    }
    Ok(())
}

/// Checks a table's header: every column known and given once, none missing that is required.
fn check_columns(path: &Path, columns: &[String]) -> Result<(), IngestError> {
    let accepted = || format!("the columns are {}", FIELDS.join(", "));
    let repeated = |index: usize| columns[..index].contains(&columns[index]);
    let unknown = columns.iter().position(|column| !FIELDS.contains(&column.as_str()));
    let missing = FIELDS
        .iter()
        .find(|field| !OPTIONAL.contains(field) && !columns.iter().any(|column| column == *field));
    let problem = if let Some(index) = unknown {
        format!("column `{}` is unknown; {}", columns[index], accepted())
    } else if let Some(index) = (0..columns.len()).find(|&index| repeated(index)) {
        format!("column `{}` is given twice; expected once", columns[index])
    } else if let Some(field) = missing {
        format!("column `{field}` is missing; {}", accepted())
    } else {
        return Ok(());
    };
    Err(IngestError::Columns { path: path.to_owned(), problem })
}

/// Reads a cell that holds JSON text.
fn parse_json_cell(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| describe_json_error(&error, text))
}

/// A JSON error of one line of text, by column, without the parser's own line number; where the
/// text is JSON but not an object, what was expected instead.
fn describe_json_error(error: &serde_json::Error, text: &str) -> String {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&format!(" at line {line} column {column}"));
    let message = message.map_or_else(|| error.to_string(), str::to_owned);
    if error.is_data() {
        return message;
    }
    // Python writes these unless told not to.
    let bytes = text.as_bytes();
    let near = &bytes[column.saturating_sub(2).min(bytes.len())..];
    let is_not_a_number = ["NaN", "Infinity"].iter().any(|word| {
        (0..=1).any(|skip| near.get(skip..).is_some_and(|rest| rest.starts_with(word.as_bytes())))
    });
    let hint = if is_not_a_number { "; NaN and Infinity are not JSON" } else { "" };
    format!("not valid JSON at column {column}: {message}{hint}")
}

/// Says where bytes stop being UTF-8.
fn describe_utf8_error(error: &std::str::Utf8Error, bytes: &[u8]) -> String {
    let at = error.valid_up_to();
    let byte = bytes.get(at).copied().unwrap_or_default();
    let is_utf16 = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
    let hint = if is_utf16 { "; the file looks like UTF-16, save it as UTF-8" } else { "" };
    format!("not valid UTF-8 at byte {} (0x{byte:02X}){hint}", at + 1)
}
