//! Entries of a study: what it asks of an analysis.

use super::{ANALYSES, Registered};
use crate::error::AnalyzeError;
use hypercolumn_schemas::Pooling;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::any::Any;
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

/// Reads an entry. An unknown key is refused before a wrong value, since it may be a misspelt one.
pub(crate) fn parse<T: Entry + for<'de> Deserialize<'de>>(
    value: Value,
) -> Result<Arc<dyn Entry>, EntryError> {
    let mut unknown: Option<Vec<String>> = None;
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let read: Result<T, _> = serde_ignored::deserialize(tracked, |path| {
        unknown.get_or_insert_with(|| path.to_string().split('.').map(str::to_owned).collect());
    });
    if let Some(path) = unknown {
        return Err(EntryError { path, problem: EntryProblem::UnknownKey(field_names::<T>()) });
    }
    read.map(|entry| Arc::new(entry) as Arc<dyn Entry>).map_err(|error| {
        let path = track.path().iter().filter_map(segment_of).collect();
        EntryError { path, problem: EntryProblem::Refused(error.to_string()) }
    })
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

/// All entries of a study, in its order.
#[derive(Clone, Debug, Default)]
pub struct Entries(Vec<StudyEntry>);

impl Entries {
    /// Reads the entries of a study in JSON: an object with an array for each key of [`ANALYSES`]; other keys are left
    /// to the caller.
    ///
    /// # Errors
    /// [`EntryError`], whose path begins with the key and the index of the entry.
    pub fn from_json(study: &Value) -> Result<Self, EntryError> {
        let mut entries = Self::default();
        for analysis in ANALYSES {
            let Some(key) = analysis.entry_key() else { continue };
            let Some(value) = study.get(key) else { continue };
            let Some(array) = value.as_array() else {
                let reason = format!("expected entries, each beginning with [[{key}]]");
                return Err(EntryError {
                    path: vec![key.to_owned()],
                    problem: EntryProblem::Refused(reason),
                });
            };
            for (index, value) in array.iter().enumerate() {
                let entry = analysis.parse(value.clone()).map_err(|error| {
                    let path = [key.to_owned(), index.to_string()].into_iter().chain(error.path).collect();
                    EntryError { path, ..error }
                })?;
                entries.0.push(StudyEntry { analysis, name: name(key, index, &entry.label()), entry });
            }
        }
        Ok(entries)
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
    pub(crate) fn check(&self, tasks: &[String]) -> Result<(), AnalyzeError> {
        let mut seen = BTreeSet::new();
        for StudyEntry { analysis, name, entry } in self.iter() {
            let refuse = |reason: String| Err(AnalyzeError::Entry { entry: name.clone(), reason });
            if !tasks.iter().any(|task| task == entry.task()) {
                let known = tasks.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
                return refuse(format!(
                    "task `{}` is not analysed here; the tasks are {known}",
                    entry.task()
                ));
            }
            if !seen
                .insert([analysis.name(), entry.task(), &entry.label(), entry.segment()].map(str::to_owned))
            {
                let reason = "another entry has the same name and segment; give it a name of its own";
                return refuse(reason.to_owned());
            }
            if let Some(reason) = entry.problem() {
                return refuse(reason);
            }
        }
        Ok(())
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
