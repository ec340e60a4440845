//! Query results for people: a table that fits the terminal, long values shortened.

use crate::progress::Reporter;
use crate::visible::visible_line;
use arrow::array::{Array, ArrayRef, FixedSizeListArray, ListArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use hypercolumn_analyze::QueryResult;

/// Rows that are drawn at most; other formats give all.
const MAX_ROWS: usize = 1000;

/// Values of a vector that are drawn.
const MAX_VALUES: usize = 4;

/// Characters of a text that are drawn.
const MAX_CHARACTERS: usize = 120;

/// The query result as text.
pub fn encode(result: &QueryResult, reporter: &Reporter) -> Result<String, ArrowError> {
    let header: Vec<_> = result.schema.fields().iter().map(|f| visible_line(f.name())).collect();
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    let mut rows = Vec::new();
    for batch in &result.batches {
        let n_left = MAX_ROWS - rows.len();
        let columns = batch.columns().iter().map(texts).collect::<Result<Vec<_>, _>>()?;
        let n_rows = batch.num_rows().min(n_left);
        rows.extend((0..n_rows).map(|row| columns.iter().map(|c| c[row].clone()).collect::<Vec<_>>()));
    }
    let n_rows = result.n_rows();
    if n_rows > rows.len() {
        let (shown, all) = (format_count(rows.len() as u64), format_count(n_rows as u64));
        reporter.warn(&format!("{shown} of {all} rows are shown; --format csv gives all"));
    }
    let fields = result.schema.fields().iter().enumerate();
    let numeric: Vec<_> = fields.filter(|(_, f)| f.data_type().is_numeric()).map(|(i, _)| i).collect();
    Ok(draw(&header, &rows, &numeric))
}

/// A table as text. `rows` is `[n_rows][n_columns]`, as `header`; the columns with an index in `numeric` are flush right.
pub fn draw(header: &[&str], rows: &[Vec<String>], numeric: &[usize]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(header);
    if let Some((terminal_size::Width(width), _)) = terminal_size::terminal_size_of(std::io::stdout()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.add_rows(rows);
    for &column in numeric {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}

/// A count with thousands apart: 12,345.
pub fn format_count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The cells of one column.
fn texts(array: &ArrayRef) -> Result<Vec<String>, ArrowError> {
    let vectors = |row: usize| match array.data_type() {
        DataType::List(_) => array.as_any().downcast_ref::<ListArray>().map(|a| a.value(row)),
        DataType::FixedSizeList(..) => {
            array.as_any().downcast_ref::<FixedSizeListArray>().map(|a| a.value(row))
        }
        _ => None,
    };
    let options = FormatOptions::new().with_null("NULL");
    let formatter = ArrayFormatter::try_new(array, &options)?;
    (0..array.len())
        .map(|row| match vectors(row) {
            Some(vector) if array.is_valid(row) && vector.len() > MAX_VALUES => {
                let start = ArrayFormatter::try_new(&vector, &options)?;
                let shown: Vec<_> = (0..MAX_VALUES).map(|i| start.value(i).to_string()).collect();
                Ok(format!("[{}, … {} values]", shown.join(", "), vector.len()))
            }
            _ => Ok(shorten(&formatter.value(row).try_to_string()?)),
        })
        .collect()
}

/// One line of at most [`MAX_CHARACTERS`] characters.
fn shorten(text: &str) -> String {
    let line = visible_line(text);
    if line.chars().count() <= MAX_CHARACTERS {
        return line;
    }
    line.chars().take(MAX_CHARACTERS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1000, 1234567].map(format_count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_text_is_one_short_line() {
        assert_eq!(shorten("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(shorten(&"x".repeat(500)).chars().count(), MAX_CHARACTERS);
    }
}
