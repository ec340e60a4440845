//! Which chat template prompts are rendered with, as settings say it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands around a prompt's text: `false` for nothing, `true` for the checkpoint's own chat template, or the
/// name of one of its templates or of a built-in conversation format (`vicuna`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "ChatTemplateEntry", into = "ChatTemplateEntry")]
pub enum ChatTemplate {
    /// The prompt stands alone.
    #[default]
    None,
    /// The checkpoint's own template.
    Own,
    /// The template of this name.
    Named(String),
}

/// A chat template as files spell it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`true`, `false` or the name of a template")]
enum ChatTemplateEntry {
    Switch(bool),
    Name(String),
}

impl From<ChatTemplateEntry> for ChatTemplate {
    fn from(entry: ChatTemplateEntry) -> Self {
        match entry {
            ChatTemplateEntry::Switch(false) => Self::None,
            ChatTemplateEntry::Switch(true) => Self::Own,
            ChatTemplateEntry::Name(name) => Self::Named(name),
        }
    }
}

impl From<ChatTemplate> for ChatTemplateEntry {
    fn from(template: ChatTemplate) -> Self {
        match template {
            ChatTemplate::None => Self::Switch(false),
            ChatTemplate::Own => Self::Switch(true),
            ChatTemplate::Named(name) => Self::Name(name),
        }
    }
}

impl ChatTemplate {
    /// Whether prompts stand alone.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}
