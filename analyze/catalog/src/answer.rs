//! Answers of DuckDB to this program's own questions: typed columns by name.
//!
//! Parameters are bound, columns are named by the SQL, and a null or a type that the caller does not expect is an
//! error. What users ask is in [`crate::sql`].

use crate::error::CatalogError;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use duckdb::types::{ToSqlOutput, Value};
use duckdb::{Connection, ToSql};

/// An answer.
pub struct Answer {
    batches: Vec<RecordBatch>,
    action: String,
}

/// Asks `sql` with bound `parameters`; `action` is what could not be done where DuckDB refuses or the answer is not as
/// the caller expects.
pub fn ask(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    action: &str,
) -> Result<Answer, CatalogError> {
    let failed = || CatalogError::engine(action);
    let mut statement = connection.prepare(sql).map_err(failed())?;
    let batches = statement.query_arrow(parameters).map_err(failed())?.collect();
    Ok(Answer { batches, action: action.to_owned() })
}

/// The value of a named parameter, `$name` in SQL.
#[derive(Clone, Copy, Debug)]
pub enum Parameter<'a> {
    /// A VARCHAR.
    Text(&'a str),
    /// A BIGINT.
    Integer(i64),
    /// A VARCHAR with a JSON array, which `from_json($name, '["VARCHAR"]')` reads as VARCHAR[].
    Texts(&'a [String]),
}

impl<'a> From<&'a str> for Parameter<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Parameter<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> duckdb::Result<ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Integer(number) => number.to_sql(),
            Self::Texts(texts) => Ok(ToSqlOutput::Owned(Value::Text(serde_json::json!(texts).to_string()))),
        }
    }
}

/// As [`ask`], with parameters bound by name; one that `sql` does not name is an error.
pub fn ask_named(
    connection: &Connection,
    sql: &str,
    parameters: &[(&str, Parameter<'_>)],
    action: &str,
) -> Result<Answer, CatalogError> {
    let failed = || CatalogError::engine(action);
    let bound: Vec<(&str, &dyn ToSql)> =
        parameters.iter().map(|(name, p)| (*name, p as &dyn ToSql)).collect();
    let mut statement = connection.prepare(sql).map_err(failed())?;
    let batches = statement.query_arrow(bound.as_slice()).map_err(failed())?.collect();
    Ok(Answer { batches, action: action.to_owned() })
}

/// A type that a column is read as.
pub trait FromColumn: Sized {
    /// The Arrow type that the column is cast to first.
    const KIND: DataType;

    /// The values; `None` where one is null and may not be.
    fn read(array: &ArrayRef) -> Option<Vec<Self>>;
}

impl FromColumn for Option<String> {
    const KIND: DataType = DataType::Utf8;

    fn read(array: &ArrayRef) -> Option<Vec<Self>> {
        Some(array.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect())
    }
}

impl FromColumn for Option<f64> {
    const KIND: DataType = DataType::Float64;

    fn read(array: &ArrayRef) -> Option<Vec<Self>> {
        Some(array.as_primitive::<Float64Type>().iter().collect())
    }
}

impl FromColumn for Option<i64> {
    const KIND: DataType = DataType::Int64;

    fn read(array: &ArrayRef) -> Option<Vec<Self>> {
        Some(array.as_primitive::<Int64Type>().iter().collect())
    }
}

impl FromColumn for Option<bool> {
    const KIND: DataType = DataType::Boolean;

    fn read(array: &ArrayRef) -> Option<Vec<Self>> {
        Some(array.as_boolean().iter().collect())
    }
}

macro_rules! never_null {
    ($($kind:ty),*) => {$(
        impl FromColumn for $kind {
            const KIND: DataType = <Option<$kind> as FromColumn>::KIND;

            fn read(array: &ArrayRef) -> Option<Vec<Self>> {
                Option::<$kind>::read(array)?.into_iter().collect()
            }
        }
    )*};
}

never_null!(String, bool, f64, i64);

impl Answer {
    /// The batches as they came.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The vectors in the column `name`, `[n_dimensions]` each, whether DuckDB knows their length (an array) or not (a
    /// list).
    ///
    /// # Errors
    /// [`CatalogError::Answer`] where the column is absent or holds something else.
    pub fn vectors(&self, name: &str) -> Result<Vec<Vec<f32>>, CatalogError> {
        let mut vectors = Vec::new();
        for batch in &self.batches {
            let column = batch.column_by_name(name).ok_or_else(|| self.refuse(name, "is absent"))?;
            for row in 0..column.len() {
                let vector = match column.data_type() {
                    DataType::FixedSizeList(..) => column.as_fixed_size_list().value(row),
                    DataType::List(..) => column.as_list::<i32>().value(row),
                    other => return Err(self.refuse(name, &format!("is no list but {other}"))),
                };
                let numbers = vector.as_primitive_opt::<Float32Type>();
                let numbers = numbers.ok_or_else(|| self.refuse(name, "holds no float32"))?;
                vectors.push(numbers.values().to_vec());
            }
        }
        Ok(vectors)
    }

    fn refuse(&self, name: &str, reason: &str) -> CatalogError {
        CatalogError::Answer {
            action: self.action.clone(),
            reason: format!("the column `{name}` of the answer {reason}"),
        }
    }

    /// The column `name`.
    ///
    /// # Errors
    /// [`CatalogError::Answer`] where it is absent, cannot be cast, or has a null that `T` does not allow.
    pub fn column<T: FromColumn>(&self, name: &str) -> Result<Vec<T>, CatalogError> {
        let refuse = |reason: &str| self.refuse(name, reason);
        let mut values = Vec::new();
        let exact = CastOptions { safe: false, ..CastOptions::default() };
        for batch in &self.batches {
            let column = batch.column_by_name(name).ok_or_else(|| refuse("is absent"))?;
            let cast = cast_with_options(column, &T::KIND, &exact)
                .map_err(|e| refuse(&format!("has another type: {e}")))?;
            values.extend(T::read(&cast).ok_or_else(|| refuse("has a null"))?);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_by_name_and_nulls_are_not_read_as_zero() {
        let connection = Connection::open_in_memory().expect("a database");
        let sql = "SELECT * FROM (VALUES (1, 'a', 0.5), (2, NULL, NULL)) AS t(n, word, share) WHERE n >= $1 ORDER BY n";
        let answer = ask(&connection, sql, &[&1], "count").expect("an answer");
        assert_eq!(answer.column::<i64>("n").expect("numbers"), [1, 2]);
        assert_eq!(answer.column::<Option<String>>("word").expect("words"), [Some("a".to_owned()), None]);
        let refused = |error: CatalogError| error.to_string();
        assert!(
            refused(answer.column::<String>("word").expect_err("a null"))
                .contains("`word` of the answer has a null")
        );
        assert!(refused(answer.column::<f64>("share").expect_err("a null")).contains("`share`"));
        assert!(
            refused(answer.column::<i64>("m").expect_err("no column"))
                .contains("`m` of the answer is absent")
        );
        assert!(refused(answer.column::<i64>("word").expect_err("text")).contains("another type"));
    }

    #[test]
    fn named_parameters_are_values_and_never_sql() {
        let connection = Connection::open_in_memory().expect("a database");
        let sql = "SELECT $text AS text, $n + 1 AS n, list_contains(from_json($texts, '[\"VARCHAR\"]'), $text) AS found";
        let text = "it's \"$n\"; DROP TABLE x --";
        let texts = ["a".to_owned(), text.to_owned()];
        let parameters = [
            ("text", Parameter::Text(text)),
            ("n", Parameter::Integer(6)),
            ("texts", Parameter::Texts(&texts)),
        ];
        let answer = ask_named(&connection, sql, &parameters, "test").expect("an answer");
        assert_eq!(answer.column::<String>("text").expect("a text"), [text]);
        assert_eq!(answer.column::<i64>("n").expect("a number"), [7]);
        assert_eq!(answer.column::<i64>("found").expect("a boolean"), [1]);
        assert!(
            ask_named(&connection, "SELECT 1", &parameters, "test").is_err(),
            "a parameter that SQL does not name"
        );
    }
}
