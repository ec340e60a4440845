//! One `[[task]]` of a study, and the `[extract]` settings it may override.
//!
//! A generator's settings stand beside the task's own keys, so which keys are known depends on the
//! generator. They are kept with their place in the file until the generator has judged them.

use hypercolumn_extract::stage::settings::{AttentionRule, ChatTemplate, HiddenRule, Settings};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use toml::Spanned;

/// A task as the file spells it.
#[derive(Debug)]
pub struct TaskEntry {
    /// Name of the task: a built-in one, or the user's own.
    pub name: Spanned<String>,
    /// The built-in generator, where its name is not the task's.
    pub generator: Option<Spanned<String>>,
    /// A file of prompts, relative to the study.
    pub prompts: Option<Spanned<String>>,
    /// What differs from the study's `[extract]`.
    pub extract: ExtractEntry,
    /// The generator's settings.
    pub settings: Vec<(Spanned<String>, toml::Value)>,
}

/// Keys of a task that are not its generator's.
pub const TASK_KEYS: [&str; 4] = ["name", "generator", "prompts", "extract"];

/// Extraction settings, each of which may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtractEntry {
    /// Which pooled states are kept.
    pub hidden_states: Option<Vec<HiddenRule>>,
    /// Which attention is kept.
    pub attention: Option<AttentionRule>,
    /// The longest response, in tokens.
    pub max_new_tokens: Option<usize>,
    /// What ends a response.
    pub stop: Option<Vec<String>>,
    /// What stands around a prompt.
    pub chat_template: Option<ChatTemplate>,
}

impl ExtractEntry {
    /// `settings` with what this entry sets.
    pub fn over(&self, settings: Settings) -> Settings {
        let entry = self.clone();
        Settings {
            hidden_states: entry.hidden_states.unwrap_or(settings.hidden_states),
            attention: entry.attention.unwrap_or(settings.attention),
            max_new_tokens: entry.max_new_tokens.unwrap_or(settings.max_new_tokens),
            stop: entry.stop.unwrap_or(settings.stop),
            chat_template: entry.chat_template.unwrap_or(settings.chat_template),
        }
    }
}

impl<'de> Deserialize<'de> for TaskEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TaskVisitor)
    }
}

struct TaskVisitor;

impl<'de> Visitor<'de> for TaskVisitor {
    type Value = TaskEntry;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a task: a table with `name`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TaskEntry, A::Error> {
        let mut name = None;
        let mut generator = None;
        let mut prompts = None;
        let mut extract = ExtractEntry::default();
        let mut settings = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.get_ref().as_str() {
                "name" => name = Some(map.next_value()?),
                "generator" => generator = Some(map.next_value()?),
                "prompts" => prompts = Some(map.next_value()?),
                "extract" => extract = map.next_value()?,
                _ => settings.push((key, map.next_value()?)),
            }
        }
        let name = name.ok_or_else(|| A::Error::missing_field("name"))?;
        Ok(TaskEntry { name, generator, prompts, extract, settings })
    }
}
