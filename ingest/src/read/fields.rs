//! One check for every format: JSON values under the names of a prompt's fields in, a prompt or findings out.

use serde_json::{Map, Value};

use crate::read::segments::check_segments;
use crate::read::values::{Finding, NON_EMPTY, Parse, expect, find, parse_text, whole};
use hypercolumn_schemas::Prompt;

/// The fields of a prompt.
pub(super) const FIELDS: [&str; 8] =
    ["prompt_id", "item_id", "condition", "n_examples", "text", "expected", "params", "segments"];

/// The condition of prompts that name none.
const DEFAULT_CONDITION: &str = "all";

/// A prompt from its fields; `None` when there are findings. A prompt without an id has `default_id`, one without an
/// item is an item of its own.
pub(super) fn check_prompt(
    mut fields: Map<String, Value>,
    default_id: u64,
    findings: &mut Vec<Finding>,
) -> Option<Prompt> {
    let mut check = Check { fields: &mut fields, findings };
    let prompt_id = check.optional("prompt_id", NAME, parse_name);
    let item_id = check.optional("item_id", NAME, parse_name);
    let condition = check.optional("condition", NAME, parse_name);
    let n_examples = check.optional("n_examples", COUNT, parse_count);
    let text = check.required("text", NON_EMPTY, parse_text);
    let expected = check.optional("expected", ANSWER, parse_answer);
    let params = check.optional("params", "an object", parse_object).unwrap_or_default();
    let segments = check.optional("segments", "a list of objects", parse_list).unwrap_or_default();
    let params = check_params(params, findings);
    let segments = check_segments(segments, text.as_deref(), findings);
    if !findings.is_empty() {
        return None;
    }
    let prompt_id = prompt_id.unwrap_or_else(|| default_id.to_string());
    Some(Prompt {
        item_id: item_id.unwrap_or_else(|| prompt_id.clone()),
        prompt_id,
        condition: condition.unwrap_or_else(|| DEFAULT_CONDITION.to_owned()),
        n_examples: n_examples.unwrap_or(0),
        text: text?,
        expected,
        params,
        segments,
    })
}

const NAME: &str = "a string that is not empty, or a whole number";
const ANSWER: &str = "a string that is not empty, or a number";
const COUNT: &str = "a whole number from 0 to 2147483647";

struct Check<'a> {
    fields: &'a mut Map<String, Value>,
    findings: &'a mut Vec<Finding>,
}

impl Check<'_> {
    fn required<T>(&mut self, name: &str, expected: &str, parse: Parse<T>) -> Option<T> {
        if !self.fields.contains_key(name) && self.findings.iter().all(|finding| finding.field != name) {
            find(self.findings, name, format!("missing; expected {expected}"));
        }
        self.optional(name, expected, parse)
    }

    fn optional<T>(&mut self, name: &str, expected: &str, parse: Parse<T>) -> Option<T> {
        let value = self.fields.shift_remove(name)?;
        parse(value).map_err(|value| expect(self.findings, name, expected, &value)).ok()
    }
}

/// A name, or a whole number as its digits: data frames keep ids as numbers.
fn parse_name(value: Value) -> Result<String, Value> {
    match whole(&value) {
        Some(number) => Ok(number.to_string()),
        None => parse_text(value),
    }
}

/// A text as it stands, or a number in its shortest form: 8.0 is `8`.
fn parse_answer(value: Value) -> Result<String, Value> {
    match (whole(&value), value) {
        (Some(number), _) => Ok(number.to_string()),
        (None, Value::Number(number)) => Ok(number.to_string()),
        (None, other) => parse_text(other),
    }
}

fn parse_count(value: Value) -> Result<i32, Value> {
    whole(&value).and_then(|number| i32::try_from(number).ok()).filter(|count| *count >= 0).ok_or(value)
}

fn parse_object(value: Value) -> Result<Map<String, Value>, Value> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(other),
    }
}

fn parse_list(value: Value) -> Result<Vec<Value>, Value> {
    match value {
        Value::Array(list) => Ok(list),
        other => Err(other),
    }
}

/// Params without those that are null, which are as if they were missing.
fn check_params(mut params: Map<String, Value>, findings: &mut Vec<Finding>) -> Map<String, Value> {
    params.retain(|_, value| !value.is_null());
    for (key, value) in &params {
        let field = format!("params.{}", key.escape_debug());
        if key.trim().is_empty() {
            find(findings, "params", "a name is empty; expected every value to have one".to_owned());
        } else if !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
            expect(findings, &field, "a string, a number, true or false", value);
        }
    }
    params
}
