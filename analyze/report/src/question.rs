//! The report's own questions: SQL files whose parameters DuckDB binds by name, and the same SQL with literals for
//! a reader to run again.

use super::error::ReportError;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use hypercolumn_catalog::CatalogError;
use hypercolumn_catalog::answer::{self, Parameter, ask_named};
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_catalog::expression::Expression;
use hypercolumn_catalog::quote::literal;
use std::collections::HashMap;

/// One SQL file of `analyze/report/queries`.
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
        $crate::question::Question {
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

/// The rows that a question gave, and the SQL that gives them again.
pub(super) struct Answer {
    /// The statement with its parameters as literals, comments left out: what a reader can run.
    pub(super) sql: String,
    answer: answer::Answer,
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
    /// Asks the question with the values of its parameters `$name`, which DuckDB binds.
    ///
    /// # Errors
    /// [`ReportError::Question`].
    pub(super) fn ask<'p, P>(self, catalog: &Catalog, parameters: &[(&str, P)]) -> Result<Answer, ReportError>
    where
        P: Copy + Into<Parameter<'p>>,
    {
        let parameters: Vec<_> = parameters.iter().map(|&(name, value)| (name, value.into())).collect();
        self.ask_sql(catalog, self.sql, &parameters).map_err(|source| self.refused(source))
    }

    /// Asks the question about a study's SQL, which stands for `$expression`.
    ///
    /// # Errors
    /// [`ReportError::Question`], with [`CatalogError::Expression`] where DuckDB cannot evaluate the expression.
    pub(super) fn ask_about(
        self,
        catalog: &Catalog,
        expression: Expression<'_>,
        parameters: &[(&str, Parameter<'_>)],
    ) -> Result<Answer, ReportError> {
        let with_expression = |name: &str| (name == "expression").then(|| expression.parenthesized());
        let mut answer =
            self.ask_sql(catalog, &fill(self.sql, with_expression), parameters).map_err(|error| {
                self.refused(match error {
                    CatalogError::Engine { source, .. } => expression.refuse(source.to_string()),
                    other => other,
                })
            })?;
        answer.sql = fill(self.sql, |name| with_expression(name).or_else(|| literal_of(name, parameters)));
        Ok(answer)
    }

    /// That this question has no answer.
    pub(super) fn refused(self, source: CatalogError) -> ReportError {
        ReportError::Question { question: self.name, source }
    }

    fn ask_sql(
        self,
        catalog: &Catalog,
        sql: &str,
        parameters: &[(&str, Parameter<'_>)],
    ) -> Result<Answer, CatalogError> {
        let action = format!("answer the report's question `{}`", self.name);
        let answer = ask_named(catalog.connection(), sql, parameters, &action)?;
        let mut columns = HashMap::new();
        for field in answer.batches().first().map(|b| b.schema()).iter().flat_map(|s| s.fields()) {
            if !field.data_type().is_nested() {
                columns.insert(field.name().clone(), read_cells(&answer, field)?);
            }
        }
        let n_rows = answer.batches().iter().map(RecordBatch::num_rows).sum();
        let sql = fill(sql, |name| literal_of(name, parameters));
        Ok(Answer { sql, answer, columns, n_rows })
    }
}

/// The value of the parameter `name` as an SQL literal.
fn literal_of(name: &str, parameters: &[(&str, Parameter<'_>)]) -> Option<String> {
    let (_, value) = parameters.iter().find(|(n, _)| *n == name)?;
    Some(match value {
        Parameter::Text(text) => literal(text),
        Parameter::Integer(number) => number.to_string(),
        Parameter::Texts(texts) => literal(&serde_json::json!(texts).to_string()),
    })
}

/// `template` without its comment lines, with SQL for each `$name` that `sql_of` knows. SQL that is put in is not
/// looked at again.
fn fill(template: &str, sql_of: impl Fn(&str) -> Option<String>) -> String {
    let body: Vec<&str> = template.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let body = body.join("\n");
    let mut out = String::with_capacity(body.len());
    let mut parts = body.trim().split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        out.push_str(&sql_of(name).unwrap_or_else(|| format!("${name}")));
        out.push_str(rest);
    }
    out
}

fn read_cells(answer: &answer::Answer, field: &Field) -> Result<Cells, CatalogError> {
    let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    Ok(match is_text {
        true => Cells::Text(answer.column(field.name())?),
        false => Cells::Number(answer.column(field.name())?),
    })
}

impl Answer {
    /// The whole answer, column by column.
    pub(super) fn columns(&self) -> &answer::Answer {
        &self.answer
    }

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
    fn the_sql_that_is_shown_has_literals_which_are_not_filled_again() {
        let parameters = [("a", Parameter::Text("it's $ab")), ("ab", Parameter::Integer(3))];
        let sql = fill("-- grain: x\nSELECT $a, $ab, $c", |name| literal_of(name, &parameters));
        assert_eq!(sql, "SELECT 'it''s $ab', 3, $c");
    }
}
