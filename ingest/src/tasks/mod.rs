//! The built-in tasks: which there are, their settings by name, and the prompts they give.
//!
//! One file a task. A generator is a pure function of its settings: the same settings and seed give
//! the same bytes everywhere. Which hypotheses, probes or ratios a study asks of the prompts is not
//! decided here; a task only puts what they need into `params` and segments.

pub mod linear_regression;
pub mod reading_comprehension;
mod scenes;
mod vocabulary;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::IngestError;
use crate::prompt::Prompt;

/// The most prompts one task may ask for, so that a slip in a setting is refused, not run.
const MAX_PROMPTS: u64 = 10_000_000;

/// A built-in task with its settings. In a study file it is a table with the task's `name` beside
/// the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Generator {
    /// Points of a line, then a query x: see [`linear_regression`].
    LinearRegression(linear_regression::Settings),
    /// Statements, then a question about one of them: see [`reading_comprehension`].
    ReadingComprehension(reading_comprehension::Settings),
}

impl Generator {
    /// The names of the built-in tasks.
    pub const NAMES: [&'static str; 2] = [linear_regression::NAME, reading_comprehension::NAME];

    /// The task called `name`, with its default settings.
    ///
    /// # Errors
    ///
    /// [`IngestError::UnknownTask`] where there is none.
    pub fn from_name(name: &str) -> Result<Self, IngestError> {
        Self::from_settings(name, &Map::new())
    }

    /// The task called `name` with the given settings; those left out keep their defaults. The
    /// settings are checked as far as [`Generator::generate`] checks them.
    ///
    /// # Errors
    ///
    /// [`IngestError::UnknownTask`], [`IngestError::UnknownSetting`] or [`IngestError::Setting`],
    /// each with what would be accepted.
    pub fn from_settings(name: &str, settings: &Map<String, Value>) -> Result<Self, IngestError> {
        let generator = match name {
            linear_regression::NAME => Self::LinearRegression(parse_settings(
                linear_regression::NAME,
                &linear_regression::ACCEPTED,
                settings,
            )?),
            reading_comprehension::NAME => Self::ReadingComprehension(parse_settings(
                reading_comprehension::NAME,
                &reading_comprehension::ACCEPTED,
                settings,
            )?),
            _ => {
                let known = list_names(&Self::NAMES);
                return Err(IngestError::UnknownTask { name: name.to_owned(), known });
            }
        };
        generator.check()?;
        Ok(generator)
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::LinearRegression(_) => linear_regression::NAME,
            Self::ReadingComprehension(_) => reading_comprehension::NAME,
        }
    }

    /// Checks that the settings are possible, without generating anything.
    ///
    /// # Errors
    ///
    /// [`IngestError::Setting`], which names the key and what is accepted.
    pub fn check(&self) -> Result<(), IngestError> {
        match self {
            Self::LinearRegression(settings) => settings.check(),
            Self::ReadingComprehension(settings) => settings.check(),
        }
    }

    /// The task's prompts: item by item, and within an item condition by condition as the settings
    /// list them.
    ///
    /// # Errors
    ///
    /// [`IngestError::Setting`] where the settings are impossible.
    pub fn generate(&self) -> Result<Vec<Prompt>, IngestError> {
        match self {
            Self::LinearRegression(settings) => linear_regression::generate(settings),
            Self::ReadingComprehension(settings) => reading_comprehension::generate(settings),
        }
    }
}

/// A task's settings and what each accepts, in the order of its documentation.
type Accepted = [(&'static str, &'static str)];

/// Reads settings key by key, so that a refusal names its key.
fn parse_settings<S: DeserializeOwned>(
    task: &'static str,
    accepted: &Accepted,
    settings: &Map<String, Value>,
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

/// The error for a setting with a value that is not accepted.
fn refuse(
    task: &'static str,
    key: &str,
    found: impl std::fmt::Display,
    accepted: impl Into<String>,
) -> IngestError {
    let (key, found) = (key.to_owned(), found.to_string());
    IngestError::Setting { task, key, found, accepted: accepted.into() }
}

/// Checks the numbers of examples that are a task's conditions: some, distinct, at most `max`.
fn check_examples(task: &'static str, examples: &[u32], max: u64) -> Result<(), IngestError> {
    let repeated = (1..examples.len()).any(|i| examples[..i].contains(&examples[i]));
    let too_many = examples.iter().any(|&k| u64::from(k) > max);
    if examples.is_empty() || repeated || too_many {
        let accepted = format!("a list of one or more different numbers of examples, each from 0 to {max}");
        return Err(refuse(task, "examples", format!("{examples:?}"), accepted));
    }
    Ok(())
}

/// Checks that `items` under `conditions` each stay within what one task may hold.
fn check_n_prompts(task: &'static str, key: &str, items: u64, conditions: usize) -> Result<(), IngestError> {
    let n_prompts = items.saturating_mul(conditions as u64);
    if n_prompts > MAX_PROMPTS {
        let found = format!("such that there would be {n_prompts} prompts");
        return Err(refuse(task, key, found, format!("at most {MAX_PROMPTS} prompts in all")));
    }
    Ok(())
}

/// The condition with `k` in-context examples.
fn name_condition(k: u32) -> String {
    format!("icl_{k}")
}

/// Names for a message: `a`, `b` and `c`.
fn list_names(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(name: &str, settings: Value) -> String {
        let settings = settings.as_object().expect("an object").clone();
        Generator::from_settings(name, &settings).expect_err("refused").to_string()
    }

    #[test]
    fn every_name_is_a_generator_of_that_name() {
        for name in Generator::NAMES {
            let generator = Generator::from_name(name).expect("a built-in task");
            assert_eq!(generator.name(), name);
            let as_json = serde_json::to_value(&generator).expect("settings are JSON");
            assert_eq!(as_json["name"], name);
            let back: Generator = serde_json::from_value(as_json).expect("read back");
            assert_eq!(back, generator);
        }
    }

    #[test]
    fn accepted_lists_every_setting() {
        let keys = |name: &str| {
            let generator = Generator::from_name(name).expect("a built-in task");
            let Value::Object(map) = serde_json::to_value(generator).expect("JSON") else {
                panic!("an object")
            };
            map.keys().filter(|key| *key != "name").cloned().collect::<Vec<_>>()
        };
        let listed = |accepted: &Accepted| accepted.iter().map(|&(k, _)| k).collect::<Vec<_>>();
        assert_eq!(keys("linear_regression"), listed(&linear_regression::ACCEPTED));
        assert_eq!(keys("reading_comprehension"), listed(&reading_comprehension::ACCEPTED));
    }

    #[test]
    fn refusals_name_the_task_the_key_and_what_is_accepted() {
        assert_eq!(
            message("regression", json!({})),
            "no built-in task is called `regression`; there are `linear_regression` and \
             `reading_comprehension`, or give a prompts file"
        );
        let unknown = message("linear_regression", json!({"line": 3}));
        assert!(unknown.starts_with("task `linear_regression` has no setting `line`; "));
        assert!(unknown.contains("`lines`, `prompts_per_line`"), "{unknown}");
        assert_eq!(
            message("linear_regression", json!({"lines": -1})),
            "setting `lines` of task `linear_regression` is -1; accepted: a whole number from 1"
        );
        assert_eq!(
            message("reading_comprehension", json!({"examples": [1, 2, 1]})),
            "setting `examples` of task `reading_comprehension` is [1, 2, 1]; accepted: a list of \
             one or more different numbers of examples, each from 0 to 64"
        );
    }
}
