//! What differs between two settings, for people.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Characters of a value that are shown.
const MAX_SHOWN: usize = 60;

/// Changes that are told one by one.
const MAX_CHANGES: usize = 3;

/// A value that differs between two settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Path of the value, with a dot between levels.
    pub path: String,
    /// Earlier value as JSON; none if there was none.
    pub before: Option<String>,
    /// Later value as JSON; none if there is none.
    pub now: Option<String>,
}

/// The values that differ between two settings, in the order of their paths.
pub fn changes(before: &Value, now: &Value) -> Vec<Change> {
    let (before, now) = (leaves(before), leaves(now));
    let mut paths: Vec<&String> = before.keys().chain(now.keys()).collect();
    paths.sort();
    paths.dedup();
    let changed = paths.into_iter().filter(|path| before.get(*path) != now.get(*path));
    let change = |path: &String| Change {
        path: path.clone(),
        before: before.get(path).cloned(),
        now: now.get(path).cloned(),
    };
    changed.map(change).collect()
}

/// The differences between two settings in words, `seed was 1, is 2; …`, each named by its path; none if there is none.
pub fn describe_changes(before: &Value, now: &Value) -> Option<String> {
    let in_words = |Change { path, before, now }: Change| {
        format!("{path} was {}, is {}", shown(before.as_ref()), shown(now.as_ref()))
    };
    let changed: Vec<String> = changes(before, now).into_iter().map(in_words).collect();
    let more = changed.len().saturating_sub(MAX_CHANGES);
    let mut told = changed[..changed.len() - more].join("; ");
    if more > 0 {
        told.push_str(&format!("; and {more} more"));
    }
    (!changed.is_empty()).then_some(told)
}

fn leaves(value: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![(String::new(), value)];
    while let Some((path, value)) = waiting.pop() {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                waiting.extend(fields.iter().map(|(name, value)| (below(name), value)));
            }
            Value::Array(values) if values.iter().any(Value::is_object) => {
                let numbered = values.iter().enumerate();
                waiting.extend(numbered.map(|(number, value)| (below(&(number + 1).to_string()), value)));
            }
            other => drop(found.insert(path, other.to_string())),
        }
    }
    found
}

fn shown(value: Option<&String>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(text) if text.chars().count() > MAX_SHOWN => {
            format!("{}…", text.chars().take(MAX_SHOWN).collect::<String>())
        }
        Some(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_named_with_its_old_and_new_value() {
        let before = json!({"seed": 1, "entries": [{"sql": "a = b", "layers": [1, 2]}], "same": null});
        let now =
            json!({"seed": 2, "entries": [{"sql": "a = b", "layers": [1, 3]}, {"sql": "c"}], "same": null});
        assert_eq!(
            describe_changes(&before, &now).as_deref(),
            Some(
                "entries.1.layers was [1,2], is [1,3]; entries.2.sql was absent, is \"c\"; seed was 1, is 2"
            )
        );
        assert_eq!(describe_changes(&now, &now), None);
    }

    #[test]
    fn many_changes_are_counted() {
        let settings = |value: i32| (0..9).map(|i| (format!("k{i}"), json!(value))).collect::<Value>();
        let told = describe_changes(&settings(1), &settings(2)).expect("changes");
        assert!(told.ends_with("k2 was 1, is 2; and 6 more"), "{told}");
    }
}
