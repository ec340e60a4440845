//! The forms in which people have prompts, as the fields of a prompt.
//!
//! Beside a prompt's own fields a row may have `prompt` and `completion`, `question`, `answer` and `choices`, or chat
//! `messages`; a [`ColumnMap`] names other columns. What no field takes becomes a param. Nothing is put into a text:
//! a question is read as it stands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::read::choices::{Choice, read_choices, resolve_answer};
use crate::read::column_map::{ANSWER_NAMES, CHOICES, ColumnMap, TEXT_NAMES};
use crate::read::values::Finding;

/// What was read as what, over all rows of a file.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// Columns that were taken for a field of another name.
    sources: BTreeMap<&'static str, BTreeSet<String>>,
    /// Columns that became params.
    params: BTreeSet<String>,
    /// Columns with lists or objects, which no param can hold.
    left_out: BTreeSet<String>,
    /// Columns that hold a data frame's index.
    index: BTreeSet<String>,
    /// Fields whose column of the map was there.
    mapped: BTreeSet<String>,
}

impl Usage {
    /// The fields of a map whose column was in no row.
    pub(super) fn unused<'a>(&self, map: &'a ColumnMap) -> Vec<(&'a str, &'a str)> {
        map.pairs().filter(|(field, _)| !self.mapped.contains(*field)).collect()
    }

    /// What a user would want to know of how the file was read.
    pub(super) fn messages(&self) -> Vec<String> {
        let list = |names: &BTreeSet<String>| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let mut messages = Vec::new();
        for (field, names) in &self.sources {
            messages.push(format!("{field} is read from {}", list(names)));
        }
        if !self.params.is_empty() {
            messages.push(format!("params are {}", list(&self.params)));
        }
        if !self.index.is_empty() {
            messages.push(format!("the index of a data frame is left out ({})", list(&self.index)));
        }
        if !self.left_out.is_empty() {
            let names = list(&self.left_out);
            messages.push(format!("left out, since params are strings, numbers and booleans: {names}"));
        }
        messages
    }
}

/// Whether a column holds a data frame's index, as pandas names it in Parquet, in CSV, and when it reads that again.
pub(super) fn is_index(name: &str) -> bool {
    let between = |start, end| name.strip_prefix(start).and_then(|rest: &str| rest.strip_suffix(end));
    let numbers = [between("__index_level_", "__"), between("Unnamed: ", "")];
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.into_iter().flatten().any(is_number)
}

/// A row's values under the names of `names`, which are fields of a prompt; params that are columns are among `params`.
pub(super) fn standardize(
    mut row: Map<String, Value>,
    names: &[&'static str],
    map: &ColumnMap,
    usage: &mut Usage,
    findings: &mut Vec<Finding>,
) -> Map<String, Value> {
    let mut fields = Map::new();
    for (field, column) in map.pairs() {
        let Some(value) = row.shift_remove(column) else { continue };
        usage.mapped.insert(field.to_owned());
        if row.contains_key(field) {
            let message = format!("given twice: under its own name, and as `{column}` by the map of columns");
            findings.push(Finding { field: field.to_owned(), message });
        }
        fields.insert(field.to_owned(), value);
    }
    for field in names.iter().copied().chain([CHOICES]) {
        if let Some(value) = row.shift_remove(field) {
            fields.entry(field).or_insert(value);
        }
    }
    let is_given = |value: &Value| !value.is_null();
    fields.retain(|_, value| is_given(value));
    row.retain(|_, value| is_given(value));
    if names.contains(&"text") {
        fill("text", &TEXT_NAMES, &mut fields, &mut row, usage, findings);
    }
    let answer = fill("expected", &ANSWER_NAMES, &mut fields, &mut row, usage, findings);
    read_conversations(&mut fields, findings);
    let mut params = Map::new();
    if let Some(value) = fields.shift_remove(CHOICES) {
        match read_choices(value) {
            Ok(choices) => take_choices(&choices, answer, &mut fields, &mut params, findings),
            Err(message) => findings.push(Finding { field: CHOICES.to_owned(), message }),
        }
    }
    take_params(row, &mut params, usage, findings);
    merge_params(params, &mut fields, findings);
    fields
}

/// Takes the one column of `names` that a row has for a field that it lacks. Gives the column.
fn fill(
    field: &'static str,
    names: &[&'static str],
    fields: &mut Map<String, Value>,
    row: &mut Map<String, Value>,
    usage: &mut Usage,
    findings: &mut Vec<Finding>,
) -> Option<&'static str> {
    if fields.contains_key(field) {
        return None;
    }
    let found: Vec<&'static str> = names.iter().copied().filter(|name| row.contains_key(*name)).collect();
    match found[..] {
        [] => None,
        [name] => {
            fields.insert(field.to_owned(), row.shift_remove(name)?);
            usage.sources.entry(field).or_default().insert(name.to_owned());
            Some(name)
        }
        [first, second, ..] => {
            let message = format!(
                "missing, and `{first}` and `{second}` could both be it; --map {field}=NAME says which"
            );
            findings.push(Finding { field: field.to_owned(), message });
            None
        }
    }
}

/// Puts the texts of chat messages into `text` and `expected`, where those are lists of messages.
fn read_conversations(fields: &mut Map<String, Value>, findings: &mut Vec<Finding>) {
    let mut refuse =
        |field: &str, message: String| findings.push(Finding { field: field.to_owned(), message });
    if let Some(Value::Array(messages)) = fields.get("text") {
        match read_messages(messages) {
            Ok((roles, texts)) if roles == ["user"] || roles == ["user", "assistant"] => {
                let mut texts = texts.into_iter();
                fields.insert("text".to_owned(), texts.next().into());
                if let Some(answer) = texts.next()
                    && fields.insert("expected".to_owned(), answer.into()).is_some()
                {
                    refuse("expected", "given twice: by itself, and as the assistant's message".to_owned());
                }
            }
            Ok((roles, _)) => refuse(
                "messages",
                format!(
                    "expected one message of the user and at most an answer of the assistant, found {}; a prompt is one \
                     text, around which `extract --chat-template` puts the model's template",
                    roles.join(", ")
                ),
            ),
            Err(message) => refuse("messages", message),
        }
    }
    if let Some(Value::Array(messages)) = fields.get("expected") {
        match read_messages(messages) {
            Ok((roles, texts)) if roles == ["assistant"] => {
                fields.insert("expected".to_owned(), texts.into_iter().next().into());
            }
            Ok((roles, _)) => {
                refuse(
                    "expected",
                    format!("expected one message of the assistant, found {}", roles.join(", ")),
                );
            }
            Err(message) => refuse("expected", message),
        }
    }
}

/// The roles and the texts of chat messages.
fn read_messages(messages: &[Value]) -> Result<(Vec<String>, Vec<String>), String> {
    let read = |message: &Value| {
        let role = message.get("role")?.as_str()?.to_owned();
        let text = match message.get("content")? {
            Value::String(text) => text.clone(),
            // Messages of several parts, of which a text model reads those of text.
            Value::Array(parts) if parts.len() == 1 => parts[0].get("text")?.as_str()?.to_owned(),
            _ => return None,
        };
        Some((role, text))
    };
    let read: Option<Vec<_>> = messages.iter().map(read).collect();
    let expected = "expected a list of messages, each with a `role` and a `content` of text";
    Ok(read.filter(|read| !read.is_empty()).ok_or(expected)?.into_iter().unzip())
}

/// Puts candidates into params, and the candidate that an answer names into `expected`.
fn take_choices(
    choices: &[Choice],
    answer: Option<&'static str>,
    fields: &mut Map<String, Value>,
    params: &mut Map<String, Value>,
    findings: &mut Vec<Finding>,
) {
    for (number, choice) in (1..).zip(choices) {
        params.insert(format!("choice_{number}"), Value::from(choice.text.clone()));
    }
    // A completion and `expected` are texts as they stand; only an answer may be a label or an index.
    let Some(name) = answer.filter(|name| *name != "completion") else { return };
    let Some(value) = fields.get("expected") else { return };
    match resolve_answer(value, choices) {
        Ok(resolved) => {
            fields.insert("expected".to_owned(), resolved);
        }
        Err(message) => findings.push(Finding { field: name.to_owned(), message }),
    }
}

/// Takes the columns that are no fields as params.
fn take_params(
    row: Map<String, Value>,
    params: &mut Map<String, Value>,
    usage: &mut Usage,
    findings: &mut Vec<Finding>,
) {
    for (name, value) in row {
        if is_index(&name) {
            usage.index.insert(name);
        } else if value.is_array() || value.is_object() {
            usage.left_out.insert(name);
        } else if params.insert(name.clone(), value).is_some() {
            findings.push(Finding {
                message: "given twice: by itself, and by `choices`".to_owned(),
                field: name,
            });
        } else {
            usage.params.insert(name);
        }
    }
}

/// Puts params that are columns beside those of the object `params`.
fn merge_params(params: Map<String, Value>, fields: &mut Map<String, Value>, findings: &mut Vec<Finding>) {
    if params.is_empty() {
        return;
    }
    // What is no object stays, for the check to refuse.
    let given = fields.entry("params").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(given) = given else { return };
    for (name, value) in params {
        if given.insert(name.clone(), value).is_some() {
            let field = format!("params.{name}");
            findings.push(Finding { field, message: "given twice: in `params`, and by itself".to_owned() });
        }
    }
}
