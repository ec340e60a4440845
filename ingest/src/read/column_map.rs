//! Which column or key of a user's file is which field of a prompt, where the names are not the fields' own.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::IngestError;

/// The fields of a prompt.
pub(super) const FIELDS: [&str; 8] =
    ["prompt_id", "item_id", "condition", "n_examples", "text", "expected", "params", "segments"];

/// Lists of candidate answers, which become params: the one name that a file may use beside the fields.
pub(super) const CHOICES: &str = "choices";

/// Names that are taken for `text` where a row has none, and for `expected`.
pub(super) const TEXT_NAMES: [&str; 3] = ["prompt", "question", "messages"];
pub(super) const ANSWER_NAMES: [&str; 3] = ["completion", "answer", "answerKey"];

/// Fields of a prompt by the columns that hold them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ColumnMap(BTreeMap<String, String>);

impl ColumnMap {
    /// A map of `(field, column)` pairs.
    ///
    /// # Errors
    /// [`IngestError::ColumnMap`] where there is no such field, or a field or a column is named twice.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, IngestError> {
        let mut map = BTreeMap::new();
        let refuse = |problem| Err(IngestError::ColumnMap { problem });
        for (field, column) in pairs {
            if !FIELDS.contains(&field.as_str()) && field != CHOICES {
                return refuse(format!(
                    "`{field}` is no field of a prompt; the fields are {}, {CHOICES}",
                    FIELDS.join(", ")
                ));
            }
            if map.values().any(|other| *other == column) {
                return refuse(format!("the column `{column}` is named for two fields"));
            }
            if let Some(other) = map.insert(field.clone(), column) {
                return refuse(format!("`{field}` is named twice, first as `{other}`"));
            }
        }
        Ok(Self(map))
    }

    /// A map from text of the form `FIELD=COLUMN`.
    ///
    /// # Errors
    /// As [`Self::new`], and where a text has no `=`.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, IngestError> {
        let split = |text: &'a str| match text.split_once('=') {
            Some((field, column)) => Ok((field.trim().to_owned(), column.to_owned())),
            None => {
                Err(IngestError::ColumnMap { problem: format!("`{text}` is not of the form FIELD=COLUMN") })
            }
        };
        Self::new(texts.into_iter().map(split).collect::<Result<Vec<_>, _>>()?)
    }

    /// Whether every field has its own name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields that the map names.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, column)| (field.as_str(), column.as_str()))
    }

    /// The field that a column is read as, or one of the names that may stand for a field; `None` for a param.
    pub(super) fn field_of<'a>(&'a self, column: &'a str) -> Option<&'a str> {
        let mapped = self.pairs().find(|(_, mapped)| *mapped == column).map(|(field, _)| field);
        let names = FIELDS.iter().chain(&TEXT_NAMES).chain(&ANSWER_NAMES).chain([&CHOICES]);
        mapped.or_else(|| names.copied().find(|name| *name == column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_name_fields_and_columns_once() {
        let map = ColumnMap::parse(["text=prompt", "expected=a = b"]).expect("two pairs");
        assert_eq!(map.field_of("prompt"), Some("text"));
        assert_eq!(map.field_of("a = b"), Some("expected"));
        assert_eq!(map.field_of("slope"), None);
        let refusal =
            |pairs: &[&str]| ColumnMap::parse(pairs.iter().copied()).expect_err("refused").to_string();
        assert!(
            refusal(&["texts=prompt"]).contains("`texts` is no field of a prompt; the fields are prompt_id")
        );
        assert!(refusal(&["text=a", "expected=a"]).contains("named for two fields"));
        assert!(refusal(&["text=a", "text=b"]).contains("named twice"));
        assert!(refusal(&["text"]).contains("FIELD=COLUMN"));
    }
}
