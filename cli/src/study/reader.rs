//! Reads values of a study's text and collects everything that is wrong with them, each with its position in the text.

use super::Problem;
use crate::suggestion::{closest, suggest};
use hypercolumn_analyze::{missing_key, required_keys};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// The accepted keys of the table at a path.
type AcceptedKeys = fn(&[String]) -> Vec<String>;

/// A study's text with the problems found so far.
pub(super) struct Reader<'t, 'i> {
    whole: &'t Spanned<DeTable<'i>>,
    accepted_keys: AcceptedKeys,
    pub(super) problems: Vec<Problem>,
}

impl<'t, 'i> Reader<'t, 'i> {
    pub(super) fn new(whole: &'t Spanned<DeTable<'i>>, accepted_keys: AcceptedKeys) -> Self {
        Self { whole, accepted_keys, problems: Vec::new() }
    }

    /// The value at `path`; none where it is refused.
    pub(super) fn value<'de, T: Deserialize<'de>>(
        &mut self,
        value: Spanned<DeValue<'de>>,
        path: &[&str],
    ) -> Option<T> {
        let mut unknown = BTreeSet::new();
        let read = deserialize(value, path, &mut unknown);
        let read = read.map_err(|error| self.refuse(&error, &unknown));
        unknown.iter().for_each(|path| self.refuse_key(path, &(self.accepted_keys)(parent_of(path))));
        read.ok()
    }

    /// The table at `path`. A key whose value is refused is left out and the rest read again, so that all that is wrong
    /// is found; none where that leaves a key without its value.
    pub(super) fn table<'de, T: Deserialize<'de> + JsonSchema>(
        &mut self,
        value: Spanned<DeValue<'de>>,
        path: &[&str],
    ) -> Option<T> {
        let span = value.span();
        let mut table = match value.into_inner() {
            DeValue::Table(table) => table,
            other => return self.value(Spanned::new(span, other), path),
        };
        let mut unknown = BTreeSet::new();
        let mut left_out: Vec<String> = Vec::new();
        let read = loop {
            let whole = Spanned::new(span.clone(), DeValue::Table(table.clone()));
            let error = match deserialize(whole, path, &mut unknown) {
                Ok(read) => break Some(read),
                Err(error) => error,
            };
            let at = error.span();
            if missing_key(error.message()).is_some()
                && at.as_ref().is_none_or(|at| key_around(&table, at).is_none())
            {
                // The value of a key that is missing may have been refused above.
                for key in required_keys::<T>() {
                    let is_refused = left_out.contains(&key)
                        || is_misspelt(Some(key.as_str()), unknown.iter().filter_map(|u| u.last()));
                    if !table.contains_key(key.as_str()) && !is_refused {
                        let span = at.clone().unwrap_or_else(|| span.clone());
                        self.problems.push(Problem::at(span, format!("missing field `{key}`")));
                    }
                }
                break None;
            }
            self.refuse(&error, &unknown);
            let Some(key) = error.span().and_then(|at| key_around(&table, &at)) else { break None };
            table.remove(key.as_str());
            left_out.push(key);
        };
        unknown.iter().for_each(|path| self.refuse_key(path, &(self.accepted_keys)(parent_of(path))));
        read
    }

    /// Adds the TOML reader's refusal, unless a key is missing that one of the unknown keys is a misspelling of.
    fn refuse(&mut self, error: &Error, unknown: &BTreeSet<Vec<String>>) {
        let keys = unknown.iter().filter_map(|path| path.last());
        if !is_misspelt(missing_key(error.message()), keys) {
            self.problems.push(Problem::from_toml(error));
        }
    }

    /// Refuses an unknown key, whose path ends with it.
    pub(super) fn refuse_key(&mut self, path: &[String], accepted: &[impl AsRef<str>]) {
        let key = path.last().map_or("", String::as_str);
        let accepted: Vec<&str> = accepted.iter().map(AsRef::as_ref).collect();
        let problem = Problem::at(locate(self.whole, path), format!("unknown key `{key}`"));
        self.problems.push(problem.hint(suggest(key, "keys", &accepted)));
    }

    /// Adds a problem of the value at `path`.
    pub(super) fn refuse_at(&mut self, path: &[String], message: impl Into<String>) {
        self.problems.push(Problem::at(locate(self.whole, path), message));
    }
}

/// Whether one of the unknown keys is probably the missing one.
pub(super) fn is_misspelt<'k>(missing: Option<&str>, unknown: impl IntoIterator<Item = &'k String>) -> bool {
    missing.is_some_and(|missing| unknown.into_iter().any(|key| closest(key, [missing]).is_some()))
}

fn parent_of(path: &[String]) -> &[String] {
    path.split_last().map_or(path, |(_, parent)| parent)
}

fn deserialize<'de, T: Deserialize<'de>>(
    value: Spanned<DeValue<'de>>,
    path: &[&str],
    unknown: &mut BTreeSet<Vec<String>>,
) -> Result<T, Error> {
    serde_ignored::deserialize(ValueDeserializer::from(value), |within| {
        let path = path.iter().map(|segment| (*segment).to_owned());
        unknown.insert(path.chain(segments_of(&within)).collect());
    })
}

/// The keys and indices of a path. Names that serde_spanned uses for positions are no keys.
fn segments_of(path: &serde_ignored::Path<'_>) -> Vec<String> {
    let text = path.to_string();
    text.split('.').filter(|s| !s.starts_with("$__") && *s != "?").map(str::to_owned).collect()
}

/// The key of the table whose value holds the position `at`. The span of a table that has a header is its header's, so
/// that the values in it are asked too.
fn key_around(table: &DeTable<'_>, at: &Range<usize>) -> Option<String> {
    let found = table.iter().find(|(key, value)| key.span() == *at || holds(value, at));
    found.map(|(key, _)| key.get_ref().clone().into_owned())
}

fn holds(value: &Spanned<DeValue<'_>>, at: &Range<usize>) -> bool {
    let span = value.span();
    if span.start <= at.start && at.end <= span.end {
        return true;
    }
    match value.get_ref() {
        DeValue::Table(table) => table.iter().any(|(key, value)| key.span() == *at || holds(value, at)),
        DeValue::Array(array) => array.iter().any(|value| holds(value, at)),
        _ => false,
    }
}

/// Position in the text of the value at `path`, or of its key in a table; of the deepest that exists.
pub(super) fn locate<S: AsRef<str>>(table: &Spanned<DeTable<'_>>, path: &[S]) -> Range<usize> {
    let mut span = table.span();
    let mut node = Node::Table(table.get_ref());
    for segment in path {
        let found = match node {
            Node::Table(table) => {
                table.get_key_value(segment.as_ref()).map(|(key, value)| (key.span(), value))
            }
            Node::Array(array) => segment
                .as_ref()
                .parse()
                .ok()
                .and_then(|index: usize| array.get(index))
                .map(|value| (value.span(), value)),
            Node::Leaf => None,
        };
        let Some((found, value)) = found else { break };
        span = found;
        node = match value.get_ref() {
            DeValue::Table(table) => Node::Table(table),
            DeValue::Array(array) => Node::Array(array),
            _ => Node::Leaf,
        };
    }
    span
}

enum Node<'a, 'i> {
    Table(&'a DeTable<'i>),
    Array(&'a [Spanned<DeValue<'i>>]),
    Leaf,
}
