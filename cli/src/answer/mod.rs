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
use hypercolumn_analyze::QueryResult;
use std::io::{self, IsTerminal, Write};

/// Writes an answer to standard output.
///
/// # Errors
/// Where a binary format would go to a terminal, or standard output cannot be written.
pub fn write(answer: &QueryResult, format: FormatArg, reporter: &Reporter) -> Result<(), Failure> {
    let bytes = match format {
        FormatArg::Table => table::encode(answer, reporter).map(String::into_bytes),
        FormatArg::Csv => csv::encode(answer),
        FormatArg::Json => json::encode(answer),
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

fn unwritable(format: FormatArg, cause: &arrow::error::ArrowError) -> Failure {
    Failure::new(Exit::Failure, format!("could not write the answer as `{format:?}`").to_lowercase())
        .because(cause.to_string())
        .hint("cast the column in the question, e.g. `column::VARCHAR`, or use another --format")
}
