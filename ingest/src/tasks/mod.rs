//! The built-in tasks: which there are, their settings by name, and the prompts they give.
//!
//! One file a task. A generator is a pure function of its settings: the same settings and seed give
//! the same bytes everywhere. Which hypotheses, probes or ratios a study asks of the prompts is not
//! decided here; a task only puts what they need into `params` and segments.

mod linear_regression;
mod persona_injection;
mod reading_comprehension;
mod scene_texts;
mod scenes;
mod vocabulary;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::IngestError;
use crate::settings::{Accepted, SettingMap, list_names, parse_settings, with_accepted};
use hypercolumn_schemas::Prompt;

/// The built-in tasks: a new one is a module with a [`Task`], and a line here.
static GENERATORS: [GeneratorKind; 3] = [
    GeneratorKind::of::<linear_regression::Settings>(),
    GeneratorKind::of::<reading_comprehension::Settings>(),
    GeneratorKind::of::<persona_injection::Settings>(),
];

/// The settings of a built-in task, which know their task.
trait Task: Default + Serialize + DeserializeOwned + JsonSchema {
    /// The task's name, in studies and on the command line.
    const NAME: &'static str;
    /// Every setting and what it accepts.
    const ACCEPTED: &'static Accepted;
    /// SQL over one prompt: what prompts that are not independent of one another have in common.
    const CLUSTER: &'static str;
    /// SQL over one segment: what attention to a relevant segment is compared with where it stands in the same position in
    /// other prompts; only where the design balances positions.
    const CONTROL: Option<&'static str> = None;

    /// Refuses settings that are impossible, alone or together.
    fn check(&self) -> Result<(), IngestError>;

    /// The prompts: item by item, and within an item condition by condition as the settings list them.
    fn generate(&self) -> Result<Vec<Prompt>, IngestError>;
}

/// A [`Task`] without its type.
struct GeneratorKind {
    name: &'static str,
    accepted: &'static Accepted,
    /// The settings as a JSON Schema.
    schema: fn(&mut SchemaGenerator) -> Schema,
    cluster: &'static str,
    control: Option<&'static str>,
    /// All settings, those that are not given at their defaults.
    complete: fn(&SettingMap) -> Result<SettingMap, IngestError>,
    /// The prompts of complete settings.
    generate: fn(&SettingMap) -> Result<Vec<Prompt>, IngestError>,
}

impl GeneratorKind {
    const fn of<T: Task>() -> Self {
        Self {
            name: T::NAME,
            accepted: T::ACCEPTED,
            schema: T::json_schema,
            cluster: T::CLUSTER,
            control: T::CONTROL,
            complete: complete::<T>,
            generate: generate::<T>,
        }
    }
}

fn complete<T: Task>(settings: &SettingMap) -> Result<SettingMap, IngestError> {
    let settings: T = parse_settings(T::NAME, T::ACCEPTED, settings)?;
    settings.check()?;
    match serde_json::to_value(&settings) {
        Ok(Value::Object(map)) => Ok(map),
        other => panic!("settings are a JSON object, not {other:?}"),
    }
}

fn generate<T: Task>(settings: &SettingMap) -> Result<Vec<Prompt>, IngestError> {
    parse_settings::<T>(T::NAME, T::ACCEPTED, settings)?.generate()
}

/// A built-in task with its settings. As JSON it is an object with the task's `name` beside the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    name: &'static str,
    settings: SettingMap,
}

impl Serialize for Generator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = std::iter::once(("name".to_owned(), Value::from(self.name)));
        name.chain(self.settings.clone()).collect::<Map<_, _>>().serialize(serializer)
    }
}

impl Generator {
    /// The names of the built-in tasks.
    pub fn names() -> impl Iterator<Item = &'static str> {
        GENERATORS.iter().map(|kind| kind.name)
    }

    /// The settings of the task called `name`; none if there is no such task.
    pub fn setting_names(name: &str) -> impl Iterator<Item = &'static str> {
        let kind = GENERATORS.iter().find(|kind| kind.name == name);
        kind.into_iter().flat_map(|kind| kind.accepted.iter().map(|(key, _)| *key))
    }

    /// What the settings of the task called `name` may be, as a JSON Schema; none if there is no such task.
    pub fn settings_schema(name: &str, generator: &mut SchemaGenerator) -> Option<Schema> {
        let kind = GENERATORS.iter().find(|kind| kind.name == name)?;
        Some(with_accepted((kind.schema)(generator), kind.accepted))
    }

    /// The task called `name`, with its default settings.
    ///
    /// # Errors
    /// [`IngestError::UnknownTask`] where there is none.
    pub fn from_name(name: &str) -> Result<Self, IngestError> {
        Self::from_settings(name, &Map::new())
    }

    /// The task called `name` with the given settings; those left out keep their defaults.
    ///
    /// # Errors
    /// [`IngestError::UnknownTask`], [`IngestError::UnknownSetting`] or [`IngestError::Setting`],
    /// each with what would be accepted.
    pub fn from_settings(name: &str, settings: &SettingMap) -> Result<Self, IngestError> {
        let Some(kind) = GENERATORS.iter().find(|kind| kind.name == name) else {
            let known = list_names(&Self::names().collect::<Vec<_>>());
            return Err(IngestError::UnknownTask { name: name.to_owned(), known });
        };
        Ok(Self { name: kind.name, settings: (kind.complete)(settings)? })
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// SQL over one prompt: what prompts that are not independent of one another have in common.
    #[must_use]
    pub fn cluster(&self) -> &'static str {
        self.kind().cluster
    }

    /// SQL over one segment: the matched control of attention ratios, where the task has one.
    #[must_use]
    pub fn control(&self) -> Option<&'static str> {
        self.kind().control
    }

    fn kind(&self) -> &'static GeneratorKind {
        GENERATORS.iter().find(|kind| kind.name == self.name).expect("a generator has a kind")
    }

    /// The task's prompts: item by item, and within an item condition by condition as the settings
    /// list them.
    ///
    /// # Errors
    /// [`IngestError::Setting`] where the settings are impossible.
    pub fn generate(&self) -> Result<Vec<Prompt>, IngestError> {
        (self.kind().generate)(&self.settings)
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
        for name in Generator::names() {
            let generator = Generator::from_name(name).expect("a built-in task");
            assert_eq!(generator.name(), name);
            let Ok(Value::Object(mut as_json)) = serde_json::to_value(&generator) else {
                panic!("an object")
            };
            assert_eq!(as_json.shift_remove("name"), Some(json!(name)));
            assert_eq!(Generator::from_settings(name, &as_json).expect("read back"), generator);
        }
    }

    #[test]
    fn accepted_lists_every_setting() {
        for name in Generator::names() {
            let generator = Generator::from_name(name).expect("a built-in task");
            let keys: Vec<&str> = generator.settings.keys().map(String::as_str).collect();
            assert_eq!(keys, Generator::setting_names(name).collect::<Vec<_>>());
        }
    }

    #[test]
    fn refusals_name_the_task_the_key_and_what_is_accepted() {
        assert_eq!(
            message("regression", json!({})),
            "no built-in task is called `regression`; there are `linear_regression`, `reading_comprehension` and \
             `persona_injection`, or give a prompts file"
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
