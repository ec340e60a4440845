//! Candidate answers as people list them, and the one that an answer names.

use serde_json::{Map, Value};

/// A candidate answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Its letter or number in the question, where the row gives one.
    label: Option<String>,
    /// Its text.
    pub(super) text: String,
}

/// Candidates from a list of texts, an object of texts by label, or an object with the lists `text` and `label`.
pub(super) fn read_choices(value: Value) -> Result<Vec<Choice>, String> {
    let expected =
        "expected a list of texts, an object of texts by label, or an object with the lists text and label";
    let choices = match value {
        Value::Array(texts) => {
            texts.iter().map(|text| Some(Choice { label: None, text: as_text(text)? })).collect()
        }
        Value::Object(object) => match (object.get("text"), object.get("label")) {
            (Some(Value::Array(texts)), Some(Value::Array(labels))) if texts.len() == labels.len() => {
                let choice =
                    |(text, label)| Some(Choice { label: Some(as_text(label)?), text: as_text(text)? });
                texts.iter().zip(labels).map(choice).collect()
            }
            _ => labelled(&object),
        },
        _ => None,
    };
    let choices: Vec<Choice> = choices.ok_or(expected)?;
    if choices.is_empty() { Err(expected.to_owned()) } else { Ok(choices) }
}

fn labelled(object: &Map<String, Value>) -> Option<Vec<Choice>> {
    let choice = |(label, text)| Some(Choice { label: Some(String::clone(label)), text: as_text(text)? });
    object.iter().map(choice).collect()
}

/// A text or a number, as text that is not empty.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The text of the candidate that an answer names: by its text, by its label, or, where candidates have no labels, by
/// its index from 0. An answer that names none stays as it is.
///
/// # Errors
/// Where an answer names two candidates, one by text and one by label or index, or is an index beyond the list.
pub(super) fn resolve_answer(answer: &Value, choices: &[Choice]) -> Result<Value, String> {
    let Some(text) = as_text(answer) else { return Ok(answer.clone()) };
    let by_text = choices.iter().position(|choice| choice.text == text);
    let by_label = choices.iter().position(|choice| choice.label.as_ref() == Some(&text));
    let is_index = choices.iter().all(|choice| choice.label.is_none());
    let index = answer.as_u64().filter(|_| is_index).and_then(|index| usize::try_from(index).ok());
    let by_index = index.filter(|index| *index < choices.len());
    match (by_text, by_label.or(by_index)) {
        (Some(one), Some(other)) if choices[one].text != choices[other].text => Err(format!(
            "{text} is the text of choice {} and names choice {} by label or index; --map expected=NAME takes it as text",
            one + 1,
            other + 1
        )),
        (Some(at), _) | (None, Some(at)) => Ok(Value::from(choices[at].text.clone())),
        (None, None) if index.is_some() => Err(format!(
            "expected one of the choices or an index from 0 to {}, found {text}",
            choices.len() - 1
        )),
        (None, None) => Ok(answer.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resolve(answer: Value, choices: Value) -> Result<Value, String> {
        resolve_answer(&answer, &read_choices(choices)?)
    }

    #[test]
    fn an_answer_names_a_choice_by_text_label_or_index() {
        let colours = json!(["red", "blue"]);
        assert_eq!(resolve(json!(1), colours.clone()), Ok(json!("blue")));
        assert_eq!(resolve(json!("red"), colours.clone()), Ok(json!("red")));
        assert_eq!(
            resolve(json!("B"), json!({"text": ["red", "blue"], "label": ["A", "B"]})),
            Ok(json!("blue"))
        );
        assert_eq!(resolve(json!("A"), json!({"A": "red", "B": "blue"})), Ok(json!("red")));
        assert_eq!(resolve(json!(4), json!([2, 4])), Ok(json!("4")));
        // A letter without labels is no index: it stays, and is said to be no candidate.
        assert_eq!(resolve(json!("B"), colours), Ok(json!("B")));
    }

    #[test]
    fn what_could_mean_two_choices_is_refused() {
        assert!(resolve(json!(1), json!(["0", "2", "1"])).expect_err("two readings").contains("choice 3"));
        assert!(resolve(json!(2), json!(["red", "blue"])).expect_err("beyond").contains("0 to 1"));
        assert!(read_choices(json!([])).is_err());
        assert!(read_choices(json!([["red"]])).is_err());
        assert!(read_choices(json!("red")).is_err());
    }
}
