//! Entries of a study: what it asks of an analysis.

use super::{ANALYSES, Registered};
use crate::error::AnalyzeError;
use hypercolumn_schemas::Pooling;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// One question of a study.
pub trait Entry: Any + fmt::Debug + Send + Sync {
    /// The task that it is about.
    fn task(&self) -> &str;

    /// Its name in messages and tables.
    fn label(&self) -> String;

    /// What tells it apart from the other entries of its task in the tables, beside its name.
    fn segment(&self) -> &str {
        ""
    }

    /// The states that it reads, if it reads any.
    fn states(&self) -> Option<StatesAsked<'_>> {
        None
    }

    /// What makes no sense whatever the data are.
    fn problem(&self) -> Option<String> {
        None
    }

    /// The entry as JSON, for keys.
    fn to_json(&self) -> Value;
}

/// Pooled states that an entry reads.
#[derive(Clone, Copy, Debug)]
pub struct StatesAsked<'a> {
    /// Role of the segment.
    pub segment: &'a str,
    /// Poolings.
    pub poolings: &'a [Pooling],
}

/// The entry of an analysis that answers every study alike: there is none.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum NoEntry {}

impl Entry for NoEntry {
    fn task(&self) -> &str {
        match *self {}
    }

    fn label(&self) -> String {
        match *self {}
    }

    fn to_json(&self) -> Value {
        match *self {}
    }
}

impl JsonSchema for NoEntry {
    fn schema_name() -> Cow<'static, str> {
        "NoEntry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::from(false)
    }
}

/// What is wrong with an entry, and at which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryError {
    /// The keys and indices on the way to the value, outermost first; empty where the entry as a whole is meant.
    pub path: Vec<String>,
    /// What is wrong there.
    pub problem: EntryProblem,
}

/// Kinds of [`EntryError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryProblem {
    /// A key that the entry does not have; these are the keys that it has.
    UnknownKey(&'static [&'static str]),
    /// The reader's reason for refusing a value, or for missing one.
    Refused(String),
}

/// What came of reading an entry.
#[derive(Debug, Default)]
pub struct ParsedEntry {
    /// The entry without what was refused of it; none where that leaves a key without its value.
    pub entry: Option<Arc<dyn Entry>>,
    /// What is wrong with it: unknown keys first, since a key that is missing may be a misspelt one.
    pub errors: Vec<EntryError>,
}

/// Reads an entry. A value that is refused is left out, and the rest is read again, so that all that is wrong is found.
pub(crate) fn parse<T: Entry + JsonSchema + for<'de> Deserialize<'de>>(mut value: Value) -> ParsedEntry {
    let mut parsed = ParsedEntry::default();
    let mut unknown: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut refused: Vec<EntryError> = Vec::new();
    loop {
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(value.clone(), &mut track);
        let read: Result<T, _> = serde_ignored::deserialize(tracked, |path| {
            unknown.insert(path.to_string().split('.').map(str::to_owned).collect());
        });
        let error = match read {
            Ok(entry) => {
                parsed.entry = Some(Arc::new(entry));
                break;
            }
            Err(error) => error,
        };
        let path: Vec<String> = track.path().iter().filter_map(segment_of).collect();
        let reason = error.to_string();
        if path.is_empty() && missing_key(&reason).is_some() {
            refused.extend(missing_keys::<T>(&value, &refused));
            break;
        }
        let key = path.first().cloned();
        refused.push(EntryError { path, problem: EntryProblem::Refused(reason) });
        let Some(key) = key else { break };
        if value.as_object_mut().and_then(|entry| entry.shift_remove(&key)).is_none() {
            break;
        }
    }
    let keys = field_names::<T>();
    let unknown =
        unknown.into_iter().map(|path| EntryError { path, problem: EntryProblem::UnknownKey(keys) });
    parsed.errors.extend(unknown.chain(refused));
    parsed
}

/// A refusal for each key that an entry cannot do without and lacks; not for one whose value was `refused`.
fn missing_keys<T: JsonSchema>(entry: &Value, refused: &[EntryError]) -> Vec<EntryError> {
    let is_refused = |key: &String| refused.iter().any(|error| error.path.first() == Some(key));
    let missing = required_keys::<T>().into_iter().filter(|key| entry.get(key).is_none() && !is_refused(key));
    let refusal = |key| EntryProblem::Refused(format!("missing field `{key}`"));
    missing.map(|key| EntryError { path: Vec::new(), problem: refusal(key) }).collect()
}

/// The key in serde's message about one that is missing.
pub fn missing_key(message: &str) -> Option<&str> {
    message.split_once("missing field `")?.1.split_once('`').map(|(key, _)| key)
}

/// The keys that a table cannot do without.
pub fn required_keys<T: JsonSchema>() -> Vec<String> {
    let schema = T::json_schema(&mut SchemaGenerator::default());
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    required.filter_map(|key| Some(key.as_str()?.to_owned())).collect()
}

/// The names of a struct's fields as serde spells them; none where `T` is no struct.
pub fn field_names<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The reader of field names gives no value: it ends with an error once it has been told the names.
    let _ = T::deserialize(FieldNames(&mut names));
    names
}

struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> serde::Deserializer<'de> for FieldNames<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(serde::de::Error::custom("the names are known"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A key or an index of a path; what only serde sees, such as the variant of an enum, is neither.
fn segment_of(segment: &serde_path_to_error::Segment) -> Option<String> {
    match segment {
        serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
        serde_path_to_error::Segment::Map { key } => Some(key.clone()),
        _ => None,
    }
}

/// An entry with its analysis and its name in messages.
#[derive(Clone)]
pub struct StudyEntry {
    /// The analysis.
    pub analysis: &'static dyn Registered,
    /// E.g. `[[rsa]] 2 "same line"`.
    pub name: String,
    /// Its number among the study's entries of this analysis, from 0.
    pub index: usize,
    /// The entry.
    pub entry: Arc<dyn Entry>,
}

impl fmt::Debug for StudyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.name, self.entry)
    }
}

/// An entry of one analysis with its name in messages.
#[derive(Debug)]
pub(crate) struct Named<T> {
    pub(crate) name: String,
    pub(crate) entry: Arc<T>,
}

impl<T> Named<T> {
    /// The refusal of this entry.
    pub(crate) fn refuse(&self, reason: impl Into<String>) -> AnalyzeError {
        AnalyzeError::Entry { entry: self.name.clone(), reason: reason.into() }
    }
}

impl StudyEntry {
    /// The entry as its analysis knows it.
    pub(crate) fn typed<T: Entry>(&self) -> Named<T> {
        let any: Arc<dyn Any + Send + Sync> = self.entry.clone();
        Named { name: self.name.clone(), entry: any.downcast().expect("an entry of this analysis") }
    }
}

/// What came of reading a study's entries.
#[derive(Debug, Default)]
pub struct ReadEntries {
    /// The entries that could be read.
    pub entries: Entries,
    /// What is wrong: each path begins with the key and the index of its entry.
    pub errors: Vec<EntryError>,
}

/// All entries of a study, in its order.
#[derive(Clone, Debug, Default)]
pub struct Entries(Vec<StudyEntry>);

impl Entries {
    /// Reads the entries of a study in JSON: an object with an array for each key of [`ANALYSES`]; other keys are left
    /// to the caller.
    pub fn read(study: &Value) -> ReadEntries {
        let mut read = ReadEntries::default();
        for analysis in ANALYSES {
            let Some(key) = analysis.entry_key() else { continue };
            let Some(value) = study.get(key) else { continue };
            let Some(array) = value.as_array() else {
                let reason = format!("expected entries, each beginning with [[{key}]]");
                let problem = EntryProblem::Refused(reason);
                read.errors.push(EntryError { path: vec![key.to_owned()], problem });
                continue;
            };
            for (index, value) in array.iter().enumerate() {
                let ParsedEntry { entry, errors } = analysis.parse(value.clone());
                read.errors.extend(errors.into_iter().map(|error| {
                    let path = [key.to_owned(), index.to_string()].into_iter().chain(error.path).collect();
                    EntryError { path, ..error }
                }));
                let Some(entry) = entry else { continue };
                let name = name(key, index, &entry.label());
                read.entries.0.push(StudyEntry { analysis, name, index, entry });
            }
        }
        read
    }

    /// As [`Entries::read`], of entries that are all right.
    ///
    /// # Errors
    /// The first [`EntryError`].
    pub fn from_json(study: &Value) -> Result<Self, EntryError> {
        let ReadEntries { entries, errors } = Self::read(study);
        errors.into_iter().next().map_or(Ok(entries), Err)
    }

    /// Keeps only some.
    pub fn retain(&mut self, keep: impl FnMut(&StudyEntry) -> bool) {
        self.0.retain(keep);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &StudyEntry> {
        self.0.iter()
    }

    /// Those of one analysis about one task.
    pub(crate) fn of<'a>(&'a self, analysis: &'a str, task: &'a str) -> impl Iterator<Item = &'a StudyEntry> {
        self.iter().filter(move |e| e.analysis.name() == analysis && e.entry.task() == task)
    }

    /// The entries of one analysis as it knows them.
    pub fn typed<T: Entry>(&self) -> impl Iterator<Item = &T> {
        self.iter().filter_map(|e| (&*e.entry as &dyn Any).downcast_ref::<T>())
    }

    /// Refuses entries of tasks that are not analysed, entries that could not be told apart in the tables, and entries
    /// that make no sense.
    pub(crate) fn problems(&self, tasks: &[String]) -> Vec<AnalyzeError> {
        let mut seen = BTreeSet::new();
        let problem = |StudyEntry { analysis, name, entry, .. }: &StudyEntry| {
            let key = [analysis.name(), entry.task(), &entry.label(), entry.segment()].map(str::to_owned);
            let reason = if !tasks.iter().any(|task| task == entry.task()) {
                let known = tasks.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
                format!("task `{}` is not analysed here; the tasks are {known}", entry.task())
            } else if !seen.insert(key) {
                "another entry has the same name and segment; give it a name of its own".to_owned()
            } else {
                entry.problem()?
            };
            Some(AnalyzeError::Entry { entry: name.clone(), reason })
        };
        self.iter().filter_map(problem).collect()
    }
}

/// An entry's name in messages, e.g. `[[rsa]] 2 "same line"`.
fn name(key: &str, index: usize, label: &str) -> String {
    format!("[[{key}]] {} \"{label}\"", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyses::{AttentionRatio, Hypothesis, Probe};
    use crate::stats::Comparison;
    use serde_json::json;

    #[test]
    fn entries_need_only_what_has_no_default() {
        let study = json!({
            "rsa": [{"task": "t", "hypothesis": "same line", "sql": "a.slope = b.slope"}],
            "probe": [{"task": "t", "target": "slope"}],
            "attention_ratio": [{"task": "t", "query": "role = 'final'", "relevant": "role='informative'",
                "irrelevant": "role = 'distractor' AND segment > 1"}],
        });
        let entries = Entries::from_json(&study).expect("entries");
        let rsa = entries.typed::<Hypothesis>().next().expect("an entry");
        assert_eq!(Entry::segment(rsa), "prompt");
        assert_eq!(rsa.comparisons(), [Comparison::RhoA, Comparison::Spearman]);
        assert_eq!(entries.typed::<Probe>().next().expect("an entry").group, None);
        let ratio = entries.typed::<AttentionRatio>().next().expect("an entry");
        assert_eq!(ratio.label(), "final to informative over role = 'distractor' AND segment > 1");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_what_is_accepted() {
        let refuse = |entry: Value| Entries::from_json(&json!({"rsa": [entry]})).expect_err("refused");
        let found = refuse(json!({"task": "t", "hypothesis": "h", "sql": "1", "poling": ["mean"]}));
        assert_eq!(found.path, ["rsa", "0", "poling"]);
        let EntryProblem::UnknownKey(accepted) = found.problem else { panic!("{found:?}") };
        assert!(accepted.contains(&"pooling") && accepted.contains(&"where"), "{accepted:?}");
        let found =
            refuse(json!({"task": "t", "hypothesis": "h", "sql": "1", "pooling": ["mean", "median"]}));
        assert_eq!(found.path, ["rsa", "0", "pooling", "1"]);
        let EntryProblem::Refused(reason) = found.problem else { panic!("{found:?}") };
        assert!(reason.contains("median") && reason.contains("`last`"), "{reason}");
        let found = refuse(json!({"task": "t", "hypothesis": "h"}));
        assert_eq!(found.path, ["rsa", "0"]);
        assert!(matches!(found.problem, EntryProblem::Refused(reason) if reason.contains("`sql`")));
        let found = Entries::from_json(&json!({"rsa": {}})).expect_err("no array");
        assert_eq!(found.path, ["rsa"]);
    }
}
