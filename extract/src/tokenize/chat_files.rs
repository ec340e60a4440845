//! What a model's files say about chats: found by the tokenizer's readers, rendered by `chat`.

use std::collections::BTreeMap;

/// Name of a checkpoint's template where it names none.
pub const DEFAULT_NAME: &str = "default";

/// What a checkpoint's files say about chats.
#[derive(Clone, Debug, Default)]
pub struct ChatFiles {
    /// Templates by name.
    pub templates: BTreeMap<String, String>,
    /// What templates know tokens by (`bos_token`, …), and how the vocabulary spells them.
    pub tokens: BTreeMap<String, String>,
}
