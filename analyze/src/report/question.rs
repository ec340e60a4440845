//! The report's own questions: SQL files with named places, filled with literals, so that what a reader
//! sees and repeats is what was run.

use super::error::ReportError;
use crate::catalog::Catalog;
use crate::quote::literal;
use crate::sql::query;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use std::collections::HashMap;

/// One SQL file of `analyze/queries`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// The file's name.
    pub(super) name: &'static str,
    /// The file's text.
    pub(super) sql: &'static str,
}

/// Names the SQL file and takes its text.
macro_rules! question {
    ($name:literal) => {
        $crate::report::question::Question {
            name: $name,
            sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/queries/", $name, ".sql")),
        }
    };
}
pub(super) use question;

/// A column of an answer.
enum Cells {
    Text(Vec<Option<String>>),
    Number(Vec<Option<f64>>),
}

/// The rows that a question gave, and the SQL that gave them.
pub(super) struct Answer {
    /// The statement as it was run, comments left out.
    pub(super) sql: String,
    columns: HashMap<String, Cells>,
    n_rows: usize,
}

/// One row of an answer.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    answer: &'a Answer,
    index: usize,
}

impl Question {
    /// The statement with each `$name` replaced by its value as an SQL string.
    pub(super) fn filled(self, places: &[(&str, &str)]) -> String {
        let quoted: Vec<(&str, String)> = places.iter().map(|&(n, v)| (n, literal(v))).collect();
        let raw: Vec<(&str, &str)> = quoted.iter().map(|(n, v)| (*n, v.as_str())).collect();
        fill(self.sql, &raw)
    }

    /// Asks it.
    ///
    /// # Errors
    /// [`ReportError::Question`] or [`ReportError::Column`].
    pub(super) fn ask(self, catalog: &Catalog, places: &[(&str, &str)]) -> Result<Answer, ReportError> {
        self.ask_sql(catalog, self.filled(places))
    }

    /// Asks `sql`, made from this question.
    ///
    /// # Errors
    /// As [`Question::ask`].
    pub(super) fn ask_sql(self, catalog: &Catalog, sql: String) -> Result<Answer, ReportError> {
        let batch = self.batch(catalog, &sql)?;
        let mut columns = HashMap::new();
        for (field, values) in batch.schema().fields().iter().zip(batch.columns()) {
            let refused =
                |source| ReportError::Column { question: self.name, column: field.name().clone(), source };
            columns.insert(field.name().clone(), read_cells(values).map_err(refused)?);
        }
        Ok(Answer { sql, columns, n_rows: batch.num_rows() })
    }

    /// Asks `sql` and leaves the answer in Arrow.
    ///
    /// # Errors
    /// As [`Question::ask`].
    pub(super) fn batch(self, catalog: &Catalog, sql: &str) -> Result<RecordBatch, ReportError> {
        let result =
            query(catalog, sql).map_err(|source| ReportError::Question { question: self.name, source })?;
        concat_batches(&result.schema, &result.batches).map_err(|source| ReportError::Column {
            question: self.name,
            column: "*".to_owned(),
            source,
        })
    }
}

/// `template` without its comment lines, each `$name` replaced by raw SQL. Only the template's own
/// places are looked at: a value that holds a `$name` stays as it is.
pub(super) fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let body: Vec<&str> = template.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let body = body.join("\n");
    let mut out = String::with_capacity(body.len());
    let mut parts = body.trim().split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        match places.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => out.push_str(value),
            None => {
                out.push('$');
                out.push_str(name);
            }
        }
        out.push_str(rest);
    }
    out
}

fn read_cells(values: &dyn Array) -> Result<Cells, arrow::error::ArrowError> {
    let is_text = matches!(values.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let target = if is_text { DataType::Utf8 } else { DataType::Float64 };
    let values = cast(values, &target)?;
    Ok(match target {
        DataType::Utf8 => {
            Cells::Text(values.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect())
        }
        // A NaN has no place in a table and none in a figure.
        _ => Cells::Number(
            values.as_primitive::<Float64Type>().iter().map(|v| v.filter(|n| n.is_finite())).collect(),
        ),
    })
}

impl Answer {
    /// The rows in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.n_rows).map(|index| Row { answer: self, index })
    }
}

impl<'a> Row<'a> {
    fn cells(self, column: &str) -> &'a Cells {
        let cells = self.answer.columns.get(column);
        cells.unwrap_or_else(|| panic!("the query has no column `{column}`"))
    }

    /// A text; empty where null.
    pub(super) fn text(self, column: &str) -> &'a str {
        match self.cells(column) {
            Cells::Text(values) => values[self.index].as_deref().unwrap_or_default(),
            Cells::Number(_) => "",
        }
    }

    /// A number, if there is one.
    pub(super) fn number(self, column: &str) -> Option<f64> {
        match self.cells(column) {
            Cells::Number(values) => values[self.index],
            Cells::Text(_) => None,
        }
    }

    /// A whole number; 0 where null.
    pub(super) fn integer(self, column: &str) -> i64 {
        self.number(column).map_or(0, |v| v as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_literals_and_are_not_filled_again() {
        let question = Question { name: "q", sql: "-- grain: x\nSELECT $a, $ab, $c" };
        let sql = question.filled(&[("a", "it's $ab"), ("ab", "y")]);
        assert_eq!(sql, "SELECT 'it''s $ab', 'y', $c");
    }
}
