//! What a prompt's params say of answers: candidates, whose probabilities the table `choices` holds, and their prefix.

use serde_json::{Map, Value};

/// Params whose name begins with this are candidate answers.
const CHOICE_PREFIX: &str = "choice_";

/// The candidate answers by their name in `params`, in their order there.
pub(super) fn choices_of(params: &Map<String, Value>) -> Vec<(&str, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let named = params.iter().filter(|(name, _)| name.starts_with(CHOICE_PREFIX));
    named.map(|(name, value)| (name.as_str(), text(value))).collect()
}

/// The param that says what stands between a prompt and its answers.
const ANSWER_PREFIX: &str = "answer_prefix";

/// The prompt's own prefix of answers, which goes before that of the settings.
pub(super) fn own_answer_prefix(params: &Map<String, Value>) -> Option<&str> {
    params.get(ANSWER_PREFIX).and_then(Value::as_str)
}
