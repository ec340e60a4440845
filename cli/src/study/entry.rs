//! One `[[task]]` of a study, and the `[extract]` settings it may override.
//!
//! A generator's settings stand beside the task's own keys, so which keys are known depends on the
//! generator. They are kept with their position in the file until the generator accepts or refuses them.

use hypercolumn_analyze::{Contrast, NumberForm, Scorer};
use hypercolumn_extract::stage::settings::{AttentionRule, HiddenRule, Settings};
use hypercolumn_extract::tokenize::chat::{ChatDate, ChatTemplate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Columns of that file by the fields of a prompt, where their names are others.
    pub map: Option<Spanned<BTreeMap<String, String>>>,
    /// SQL over one prompt: what prompts that are not independent have in common; the generator's if absent.
    pub cluster: Option<Spanned<String>>,
    /// The condition that others are compared with.
    pub reference: Option<Spanned<String>>,
    /// How responses are scored.
    pub scorer: Option<Spanned<Scorer>>,
    /// The largest error that the numeric scorer counts as right.
    pub tolerance: Option<Spanned<f64>>,
    /// Forms of numbers that are read beside the plain ones.
    pub numbers: Option<Spanned<Vec<NumberForm>>>,
    /// The condition whose prompts show the cue without the question, for mutual information of candidates.
    pub pmi_baseline: Option<Spanned<String>>,
    /// Settings in place of the study's `[extract]`.
    pub extract: ExtractEntry,
    /// The generator's settings.
    pub settings: Vec<(Spanned<String>, toml::Value)>,
    /// Whether a part of the text was refused.
    pub is_flawed: bool,
}

impl TaskEntry {
    /// A task of which only the name is given.
    pub fn new(name: Spanned<String>) -> Self {
        Self {
            name,
            generator: None,
            prompts: None,
            map: None,
            cluster: None,
            reference: None,
            scorer: None,
            tolerance: None,
            numbers: None,
            pmi_baseline: None,
            extract: ExtractEntry::default(),
            settings: Vec::new(),
            is_flawed: false,
        }
    }
}

/// A `[[contrast]]` as the file spells it: a change that is told beside those from the reference condition.
#[derive(Clone, Debug, Deserialize)]
pub struct ContrastEntry {
    /// The task.
    pub task: Spanned<String>,
    /// Its name in the tables; made of the conditions if absent.
    pub name: Option<String>,
    /// The condition whose value counts positively.
    pub condition: String,
    /// The condition whose value is subtracted.
    pub reference: String,
}

impl ContrastEntry {
    /// The contrast without its task.
    pub fn contrast(&self) -> Contrast {
        let Self { name, condition, reference, .. } = self.clone();
        Contrast { name, condition, reference }
    }
}

/// Keys of a task that are not its generator's.
pub const TASK_KEYS: [&str; 11] = [
    "name",
    "generator",
    "prompts",
    "map",
    "cluster",
    "reference",
    "scorer",
    "tolerance",
    "numbers",
    "pmi_baseline",
    "extract",
];

/// Extraction settings, each of which may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtractEntry {
    /// The pooled states to keep.
    pub hidden_states: Option<Vec<HiddenRule>>,
    /// The attention to keep.
    pub attention: Option<AttentionRule>,
    /// The longest response, in tokens.
    pub max_new_tokens: Option<usize>,
    /// Texts that end a response.
    pub stop: Option<Vec<String>>,
    /// The text between a prompt and an answer that is scored.
    pub answer_prefix: Option<String>,
    /// The chat template around a prompt.
    pub chat_template: Option<ChatTemplate>,
    /// The date for chat templates that ask for one.
    pub chat_date: Option<ChatDate>,
    /// Whether a part of the text was refused.
    #[serde(skip)]
    pub is_flawed: bool,
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
            answer_prefix: entry.answer_prefix.or(settings.answer_prefix),
            chat_template: entry.chat_template.unwrap_or(settings.chat_template),
            chat_date: entry.chat_date.or(settings.chat_date),
        }
    }
}
