//! Settings by name, of built-in tasks and of templates: read key by key, so that a refusal names its key.

use schemars::Schema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::IngestError;

/// The most prompts one task may ask for, so that a slip in a setting is refused, not run.
const MAX_PROMPTS: u64 = 10_000_000;

/// Settings by name.
pub(crate) type SettingMap = Map<String, Value>;

/// A task's settings and what each accepts, in the order of its documentation.
pub(crate) type Accepted = [(&'static str, &'static str)];

/// Reads settings key by key, so that a refusal names its key.
pub(crate) fn parse_settings<S: DeserializeOwned>(
    task: &'static str,
    accepted: &Accepted,
    settings: &SettingMap,
) -> Result<S, IngestError> {
    for (key, value) in settings {
        let Some(&(_, accepted)) = accepted.iter().find(|(known, _)| known == key) else {
            let keys: Vec<&str> = accepted.iter().map(|&(key, _)| key).collect();
            let known = list_names(&keys);
            return Err(IngestError::UnknownSetting { task, key: key.clone(), known });
        };
        // Every setting has a default, so a table with one key alone can be read.
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        if serde_json::from_value::<S>(Value::Object(alone)).is_err() {
            return Err(refuse(task, key, value, accepted));
        }
    }
    serde_json::from_value(Value::Object(settings.clone()))
        .map_err(|error| refuse(task, "*", error, "settings that can be read together"))
}

/// A schema of settings with what each accepts as its `title`.
pub(crate) fn with_accepted(mut schema: Schema, accepted: &Accepted) -> Schema {
    let mut keys = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (key, accepted) in accepted {
        let setting = keys.as_mut().and_then(|keys| keys.get_mut(*key)).and_then(Value::as_object_mut);
        if let Some(setting) = setting {
            setting.insert("title".to_owned(), Value::from(*accepted));
        }
    }
    schema
}

/// The error for a setting with a value that is not accepted.
pub(crate) fn refuse(
    task: &'static str,
    key: &str,
    found: impl std::fmt::Display,
    accepted: impl Into<String>,
) -> IngestError {
    let (key, found) = (key.to_owned(), found.to_string());
    IngestError::Setting { task, key, found, accepted: accepted.into() }
}

/// Checks the numbers of examples that are a task's conditions: some, distinct, at most `max`.
pub(crate) fn check_examples(task: &'static str, examples: &[u32], max: u64) -> Result<(), IngestError> {
    let repeated = (1..examples.len()).any(|i| examples[..i].contains(&examples[i]));
    let too_many = examples.iter().any(|&k| u64::from(k) > max);
    if examples.is_empty() || repeated || too_many {
        let accepted = format!("a list of one or more different numbers of examples, each from 0 to {max}");
        return Err(refuse(task, "examples", format!("{examples:?}"), accepted));
    }
    Ok(())
}

/// Checks that `items` under `conditions` each stay within what one task may hold.
pub(crate) fn check_n_prompts(
    task: &'static str,
    key: &str,
    items: u64,
    conditions: usize,
) -> Result<(), IngestError> {
    let n_prompts = items.saturating_mul(conditions as u64);
    if n_prompts > MAX_PROMPTS {
        let found = format!("such that there would be {n_prompts} prompts");
        return Err(refuse(task, key, found, format!("at most {MAX_PROMPTS} prompts in all")));
    }
    Ok(())
}

/// The condition with `k` in-context examples.
pub(crate) fn name_condition(k: u32) -> String {
    format!("icl_{k}")
}

/// Names for a message: `a`, `b` and `c`.
pub(crate) fn list_names(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
