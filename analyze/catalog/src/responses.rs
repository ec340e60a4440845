//! Whether the responses of a task are what a model wrote. Scoring them is left to the analysis of behaviour.

use hypercolumn_schemas::Snapshot;

/// Whether the model was asked for responses: with `max_new_tokens = 0` every response is empty and says nothing.
pub fn are_generated(snapshot: &Snapshot, model: &str, task: &str) -> bool {
    let settings = snapshot.shards(model, task).next().map(|(_, record)| &record.settings);
    settings.is_none_or(|settings| settings["max_new_tokens"] != 0)
}
