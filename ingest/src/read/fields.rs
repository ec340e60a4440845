//! One check for every format: named JSON values in, a prompt or findings out.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use hypercolumn_schemas::OWN_ROLES;
use hypercolumn_schemas::{Prompt, Segment};

/// The fields of a prompt.
pub(super) const FIELDS: [&str; 8] =
    ["prompt_id", "item_id", "condition", "n_examples", "text", "expected", "params", "segments"];

/// The fields that may be missing.
pub(super) const OPTIONAL: [&str; 3] = ["expected", "params", "segments"];

/// Segment numbers are 16-bit; the whole prompt, its last token and the response have three of them.
const MAX_SEGMENTS: usize = i16::MAX as usize - 2;

/// A row's values by name, in the order given; kept as a list so that repeated names show.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(String, Value)>);

impl Fields {
    /// Takes a field out; JSON null counts as missing.
    fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.swap_remove(index).1).filter(|value| !value.is_null())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyObject;
        impl<'de> Visitor<'de> for AnyObject {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object with the fields of a prompt")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(FIELDS.len());
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(AnyObject)
    }
}

/// Something wrong with a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) field: String,
    pub(super) message: String,
}

/// A prompt from its fields; `None` when there are findings.
pub(super) fn check_prompt(mut fields: Fields, findings: &mut Vec<Finding>) -> Option<Prompt> {
    check_names(&fields, findings);
    let mut check = Check { fields: &mut fields, findings };
    let prompt_id = check.required("prompt_id", NON_EMPTY, parse_text);
    let item_id = check.required("item_id", NON_EMPTY, parse_text);
    let condition = check.required("condition", NON_EMPTY, parse_text);
    let n_examples = check.required("n_examples", COUNT, parse_count);
    let text = check.required("text", NON_EMPTY, parse_text);
    let expected = check.optional("expected", NON_EMPTY, parse_text);
    let params = check.optional("params", "an object", parse_object).unwrap_or_default();
    let segments = check.optional("segments", "a list of objects", parse_list).unwrap_or_default();
    check_params(&params, findings);
    let segments = check_segments(segments, text.as_deref(), findings);
    if !findings.is_empty() {
        return None;
    }
    Some(Prompt {
        prompt_id: prompt_id?,
        item_id: item_id?,
        condition: condition?,
        n_examples: n_examples?,
        text: text?,
        expected,
        params,
        segments,
    })
}

const NON_EMPTY: &str = "a string that is not empty";
const COUNT: &str = "a whole number from 0 to 2147483647";

/// Values are parsed by handing them back where they are not what was expected.
type Parse<T> = fn(Value) -> Result<T, Value>;

struct Check<'a> {
    fields: &'a mut Fields,
    findings: &'a mut Vec<Finding>,
}

impl Check<'_> {
    fn required<T>(&mut self, name: &str, expected: &str, parse: Parse<T>) -> Option<T> {
        let Some(value) = self.fields.remove(name) else {
            find(self.findings, name, format!("missing; expected {expected}"));
            return None;
        };
        self.parse(name, expected, parse, value)
    }

    fn optional<T>(&mut self, name: &str, expected: &str, parse: Parse<T>) -> Option<T> {
        let value = self.fields.remove(name)?;
        self.parse(name, expected, parse, value)
    }

    fn parse<T>(&mut self, name: &str, expected: &str, parse: Parse<T>, value: Value) -> Option<T> {
        parse(value).map_err(|value| expect(self.findings, name, expected, &value)).ok()
    }
}

fn find(findings: &mut Vec<Finding>, field: impl Into<String>, message: String) {
    findings.push(Finding { field: field.into(), message });
}

fn expect(findings: &mut Vec<Finding>, field: &str, expected: &str, found: &Value) {
    find(findings, field, format!("expected {expected}, found {}", describe(found)));
}

fn parse_text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        other => Err(other),
    }
}

fn parse_count(value: Value) -> Result<i32, Value> {
    let count = value.as_i64().and_then(|number| i32::try_from(number).ok());
    count.filter(|&count| count >= 0).ok_or(value)
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

/// Refuses fields that a prompt does not have, and fields given twice.
fn check_names(fields: &Fields, findings: &mut Vec<Finding>) {
    for (index, (name, _)) in fields.0.iter().enumerate() {
        if !FIELDS.contains(&name.as_str()) {
            find(findings, name, format!("unknown; the fields are {}", FIELDS.join(", ")));
        } else if fields.0[..index].iter().any(|(earlier, _)| earlier == name) {
            find(findings, name, "given twice; expected once".to_owned());
        }
    }
}

fn check_params(params: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for (key, value) in params {
        let field = format!("params.{key}");
        if key.is_empty() {
            find(findings, "params", "a name is empty; expected every value to have one".to_owned());
        } else if !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
            expect(findings, &field, "a string, a number, true or false", value);
        }
    }
}

fn check_segments(segments: Vec<Value>, text: Option<&str>, findings: &mut Vec<Finding>) -> Vec<Segment> {
    if segments.len() > MAX_SEGMENTS {
        let found = segments.len();
        let message = format!("expected at most {MAX_SEGMENTS} segments, found {found}");
        find(findings, "segments", message);
        return Vec::new();
    }
    if segments.is_empty() {
        return Vec::new();
    }
    let n_chars = text.map(|text| text.chars().count() as u64);
    let segments = segments.into_iter().enumerate();
    segments.filter_map(|(index, value)| check_segment(index, value, n_chars, findings)).collect()
}

fn check_segment(
    index: usize,
    value: Value,
    n_chars: Option<u64>,
    findings: &mut Vec<Finding>,
) -> Option<Segment> {
    let field = |name: &str| format!("segments[{index}].{name}");
    let mut object = match parse_object(value) {
        Ok(object) => object,
        Err(value) => {
            let expected = "an object with role, start and end";
            expect(findings, &format!("segments[{index}]"), expected, &value);
            return None;
        }
    };
    let mut take = |name: &str, expected: &str, findings: &mut Vec<Finding>| {
        let value = object.shift_remove(name);
        if value.is_none() {
            find(findings, field(name), format!("missing; expected {expected}"));
        }
        value
    };
    let role = take("role", NON_EMPTY, findings);
    let start = take("start", "a whole number from 0", findings);
    let end = take("end", "a whole number from 0", findings);
    for name in object.keys() {
        let message = "unknown; the fields of a segment are role, start, end".to_owned();
        find(findings, field(name), message);
    }
    let role = parse_text(role?).map_err(|found| expect(findings, &field("role"), NON_EMPTY, &found));
    if let Some(own) = OWN_ROLES.iter().find(|own| role.as_deref() == Ok(**own)) {
        let message =
            format!("`{own}` is the role of a segment that every prompt has; expected another name");
        find(findings, field("role"), message);
    }
    let mut offset = |name: &str, value: Value| {
        let parsed = value.as_u64();
        if parsed.is_none() {
            expect(findings, &field(name), "a whole number from 0", &value);
        }
        parsed
    };
    let (start, end) = (offset("start", start?), offset("end", end?));
    let span = check_span(&field("end"), start?, end?, n_chars?, findings)?;
    Some(Segment { role: role.ok()?, start: span.start, end: span.end })
}

/// Offsets are in Unicode scalar values, so the text's length bounds them.
fn check_span(
    field: &str,
    start: u64,
    end: u64,
    n_chars: u64,
    findings: &mut Vec<Finding>,
) -> Option<Range<u32>> {
    if end <= start {
        find(findings, field, format!("expected more than start, {start}, found {end}"));
    } else if end > n_chars {
        let length = format!("{n_chars}, the length of the text in characters");
        find(findings, field, format!("expected at most {length}, found {end}"));
    }
    let fits = start < end && end <= n_chars;
    let span = u32::try_from(start).ok()?..u32::try_from(end).ok()?;
    fits.then_some(span)
}

/// A value for a message: short, and with its kind.
fn describe(value: &Value) -> String {
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
