//! One check for every format: JSON values under the names of a prompt's fields in, a prompt or findings out.

use serde_json::{Map, Value};

use crate::error::Location;
use crate::read::column_map::{ColumnMap, FIELDS};
use crate::read::forms::{Usage, is_index, standardize};
use crate::read::row::Row;
use crate::read::segments::check_segments;
use crate::read::values::{Finding, NON_EMPTY, Parse, expect, find, parse_text, whole};
use hypercolumn_schemas::Prompt;

/// The fields of an item.
pub(super) const ITEM_FIELDS: [&str; 3] = ["item_id", "expected", "params"];

/// The condition of prompts that name none.
const DEFAULT_CONDITION: &str = "all";

impl Row for Prompt {
    const KIND: &'static str = "prompts";
    const FIELDS: &'static [&'static str] = &FIELDS;
    const ID: &'static str = "prompt_id";

    fn check(
        row: Map<String, Value>,
        location: Location,
        map: &ColumnMap,
        usage: &mut Usage,
        findings: &mut Vec<Finding>,
    ) -> Option<Self> {
        let fields = standardize(row, Self::FIELDS, map, usage, findings);
        check_prompt(fields, location.number(), findings)
    }

    fn id(&self) -> &str {
        &self.prompt_id
    }
}

/// An item: what a template makes prompts of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// Unique among the items.
    pub(crate) item_id: String,
    /// The right answer, where the row has one.
    pub(crate) expected: Option<String>,
    /// What hypotheses are asked over.
    pub(crate) params: Map<String, Value>,
    /// The row as it stands, lists and objects too: a template's variables.
    pub(crate) variables: Map<String, Value>,
    /// Where the row is.
    pub(crate) location: Location,
}

/// What items are called in messages.
pub(crate) const ITEMS: &str = "items";

impl Row for Item {
    const KIND: &'static str = ITEMS;
    const FIELDS: &'static [&'static str] = &ITEM_FIELDS;
    const ID: &'static str = "item_id";

    fn check(
        row: Map<String, Value>,
        location: Location,
        map: &ColumnMap,
        usage: &mut Usage,
        findings: &mut Vec<Finding>,
    ) -> Option<Self> {
        let mut variables = row.clone();
        variables.retain(|name, value| !value.is_null() && !is_index(name));
        let mut fields = standardize(row, Self::FIELDS, map, usage, findings);
        let mut check = Check { fields: &mut fields, findings };
        let item_id = check.optional("item_id", NAME, parse_name);
        let expected = check.optional("expected", ANSWER, parse_answer);
        let params = check.optional("params", "an object", parse_object).unwrap_or_default();
        let params = check_params(params, findings);
        if !findings.is_empty() {
            return None;
        }
        let item_id = item_id.unwrap_or_else(|| location.number().to_string());
        variables.shift_remove("params");
        for (name, value) in &params {
            variables.entry(name.clone()).or_insert_with(|| value.clone());
        }
        variables.insert("item_id".to_owned(), Value::from(item_id.clone()));
        Some(Self { item_id, expected, params, variables, location })
    }

    fn id(&self) -> &str {
        &self.item_id
    }
}

/// A prompt from its fields; `None` when there are findings. A prompt without an id has `default_id`, one without an
/// item is an item of its own.
fn check_prompt(
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
