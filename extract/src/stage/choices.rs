//! Candidate answers of a prompt, whose probabilities the table `choices` holds.

use serde_json::{Map, Value};

/// Params whose name begins with this are candidate answers.
const CHOICE_PREFIX: &str = "choice_";

/// The candidate answers by their name in `params`, in their order there.
pub(super) fn choices_of(params: &Map<String, Value>) -> Vec<(&str, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let named = params.iter().filter(|(name, _)| name.starts_with(CHOICE_PREFIX));
    named.map(|(name, value)| (name.as_str(), text(value))).collect()
}
