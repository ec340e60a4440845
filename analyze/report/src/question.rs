//! The report's own questions: SQL files whose parameters DuckDB binds by name, and the same SQL with literals for
//! a reader to run again.

use super::error::ReportError;
use super::wording::Estimate;
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

/// The largest number up to which every whole number is a float64.
const MAX_WHOLE: f64 = (1_u64 << 53) as f64;

/// A column of an answer.
enum Cells {
    Text(Vec<Option<String>>),
    Number(Vec<Option<f64>>),
}

impl Cells {
    /// The kind of its values, in words.
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "texts",
            Self::Number(_) => "numbers",
        }
    }
}

/// The rows that a question gave, and the SQL that gives them again.
pub(super) struct Answer {
    /// The statement with its parameters as literals, comments left out: what a reader can run.
    pub(super) sql: String,
    question: Question,
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
        Ok(Answer { sql, question: self, answer, columns, n_rows })
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

    /// The rows whose text in `column` is `value`.
    ///
    /// # Errors
    /// As [`Row::text`].
    pub(super) fn rows_where(&self, column: &str, value: &str) -> Result<Vec<Row<'_>>, ReportError> {
        let mut rows = Vec::new();
        for row in self.rows() {
            rows.extend(row.is(column, value)?.then_some(row));
        }
        Ok(rows)
    }
}

impl<'a> Row<'a> {
    fn cells(self, column: &str) -> Result<&'a Cells, ReportError> {
        self.answer.columns.get(column).ok_or_else(|| self.refuse(column, "is absent"))
    }

    fn refuse(self, column: &str, problem: &str) -> ReportError {
        self.answer.question.refused(CatalogError::Answer {
            action: format!("read row {} of the answer", self.index),
            reason: format!("the column `{column}` {problem}"),
        })
    }

    /// The text, if there is one.
    ///
    /// # Errors
    /// [`ReportError::Question`] where the column is absent or holds something else.
    pub(super) fn optional_text(self, column: &str) -> Result<Option<&'a str>, ReportError> {
        match self.cells(column)? {
            Cells::Text(values) => Ok(values[self.index].as_deref()),
            other => Err(self.refuse(column, &format!("holds {}, not texts", other.kind()))),
        }
    }

    /// The number, if there is one.
    ///
    /// # Errors
    /// As [`Row::optional_text`].
    pub(super) fn optional_number(self, column: &str) -> Result<Option<f64>, ReportError> {
        match self.cells(column)? {
            Cells::Number(values) => Ok(values[self.index]),
            other => Err(self.refuse(column, &format!("holds {}, not numbers", other.kind()))),
        }
    }

    /// The whole number, if there is one.
    ///
    /// # Errors
    /// As [`Row::optional_text`]; also for a number with a fraction.
    pub(super) fn optional_integer(self, column: &str) -> Result<Option<i64>, ReportError> {
        let Some(value) = self.optional_number(column)? else { return Ok(None) };
        if value.fract() != 0.0 || value.abs() > MAX_WHOLE {
            return Err(self.refuse(column, &format!("has {value}, which is no whole number")));
        }
        Ok(Some(value as i64))
    }

    /// A text of a column that has no nulls.
    ///
    /// # Errors
    /// As [`Row::optional_text`]; also for a null.
    pub(super) fn text(self, column: &str) -> Result<&'a str, ReportError> {
        self.optional_text(column)?.ok_or_else(|| self.refuse(column, "has a null"))
    }

    /// A number of a column that has no nulls.
    ///
    /// # Errors
    /// As [`Row::optional_text`]; also for a null.
    pub(super) fn number(self, column: &str) -> Result<f64, ReportError> {
        self.optional_number(column)?.ok_or_else(|| self.refuse(column, "has a null"))
    }

    /// A whole number of a column that has no nulls.
    ///
    /// # Errors
    /// As [`Row::optional_integer`]; also for a null.
    pub(super) fn integer(self, column: &str) -> Result<i64, ReportError> {
        self.optional_integer(column)?.ok_or_else(|| self.refuse(column, "has a null"))
    }

    /// Whether the text of a column that has no nulls is `value`.
    ///
    /// # Errors
    /// As [`Row::text`].
    pub(super) fn is(self, column: &str, value: &str) -> Result<bool, ReportError> {
        Ok(self.text(column)? == value)
    }

    /// The estimate in `value` with its interval, at the row's confidence; none where it was not computed.
    ///
    /// # Errors
    /// As [`Row::optional_number`].
    pub(super) fn estimate(
        self,
        value: &str,
        low: &str,
        high: &str,
    ) -> Result<Option<Estimate>, ReportError> {
        let Some(value) = self.optional_number(value)? else { return Ok(None) };
        let (low, high) = (self.optional_number(low)?, self.optional_number(high)?);
        Ok(Some(Estimate { value, low, high, confidence: self.number("confidence")? }))
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

    #[test]
    fn a_null_is_an_option_or_an_error_and_never_zero() {
        let catalog = Catalog::of_tasks(&[]).expect("an empty catalog");
        let sql = "SELECT NULL::INTEGER AS n, 'a' AS word, NULL::VARCHAR AS reason, 0.5 AS share";
        let question = Question { name: "test", sql };
        let answer = question.ask::<&str>(&catalog, &[]).expect("an answer");
        let row = answer.rows().next().expect("a row");
        let refused = |error: ReportError| std::error::Error::source(&error).expect("a cause").to_string();
        assert_eq!(row.optional_integer("n").expect("a number"), None);
        assert!(refused(row.integer("n").expect_err("a null")).contains("`n` has a null"));
        assert_eq!(row.optional_text("reason").expect("a text"), None);
        assert!(refused(row.text("reason").expect_err("a null")).contains("`reason` has a null"));
        assert!(refused(row.number("word").expect_err("a text")).contains("`word` holds texts, not numbers"));
        assert!(refused(row.text("share").expect_err("a number")).contains("`share` holds numbers"));
        assert!(refused(row.integer("share").expect_err("a fraction")).contains("0.5"));
        assert!(refused(row.text("absent").expect_err("no column")).contains("`absent` is absent"));
        assert_eq!(row.text("word").expect("a text"), "a");
    }
}
