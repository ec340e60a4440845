//! JSON values of a row: what is expected of them, and what is found instead.

use serde_json::Value;

/// Something wrong with a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) field: String,
    pub(super) message: String,
}

pub(super) const NON_EMPTY: &str = "a string that is not empty";

/// Values are parsed by handing them back where they are not what was expected.
pub(super) type Parse<T> = fn(Value) -> Result<T, Value>;

pub(super) fn find(findings: &mut Vec<Finding>, field: impl Into<String>, message: String) {
    findings.push(Finding { field: field.into(), message });
}

pub(super) fn expect(findings: &mut Vec<Finding>, field: &str, expected: &str, found: &Value) {
    find(findings, field, format!("expected {expected}, found {}", describe(found)));
}

pub(super) fn parse_text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        other => Err(other),
    }
}

/// A whole number from 0.
pub(super) fn parse_whole(value: Value) -> Result<u64, Value> {
    whole(&value).and_then(|number| u64::try_from(number).ok()).ok_or(value)
}

/// The whole number that a JSON number is, 2.0 included: data frames turn integers beside missing ones into floats.
pub(super) fn whole(value: &Value) -> Option<i64> {
    /// Floats are exact to here.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_f64()?;
    value.as_i64().or_else(|| (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64))
}

/// A value for a message: short, and with its kind.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) if text.chars().count() > 40 => {
            let start: String = text.chars().take(40).collect();
            format!("the string {start:?}…")
        }
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
