//! One `[[task]]` of a study, and the `[extract]` settings it may override.
//!
//! A generator's settings stand beside the task's own keys, so which keys are known depends on the
//! generator. They are kept with their position in the file until the generator accepts or refuses them.

use hypercolumn_analyze::{Contrast, NumberForm, Scorer};
use hypercolumn_extract::stage::sampling::Sampling;
use hypercolumn_extract::stage::settings::{AttentionRule, HiddenRule, Settings};
use hypercolumn_extract::tokenize::chat::{ChatDate, ChatTemplate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// A set of prompts: those of a built-in generator, whose settings stand beside the keys of every task, or your own.
#[derive(Debug, JsonSchema)]
pub struct TaskEntry {
    /// Name of the task in the tables: that of a built-in generator, or any other name with `generator` or `prompts`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The built-in generator of the prompts, where the task has a name of its own.
    #[schemars(with = "Option<String>")]
    pub generator: Option<Spanned<String>>,
    /// A file of prompts, relative to the study's directory: JSON Lines, JSON, CSV, TSV, Parquet or Arrow, or a directory
    /// of datasets (docs/prompts.md).
    #[schemars(with = "Option<String>")]
    pub prompts: Option<Spanned<String>>,
    /// Columns of that file by the fields of a prompt, where the columns have other names.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub map: Option<Spanned<BTreeMap<String, String>>>,
    /// SQL over one prompt: prompts with equal values are not independent and belong to one cluster, which is resampled as a
    /// whole. If absent, the generator's cluster; items for prompts of your own.
    #[schemars(with = "Option<String>")]
    pub cluster: Option<Spanned<String>>,
    /// The condition that all others are compared with; the one with the fewest examples if absent.
    #[schemars(with = "Option<String>")]
    pub reference: Option<Spanned<String>>,
    /// How a response is compared with the expected answer. If absent, the absolute error where the expected answer is a
    /// number, and `contains` elsewhere.
    #[schemars(with = "Option<Scorer>")]
    pub scorer: Option<Spanned<Scorer>>,
    /// The largest absolute error that the scorer `numeric` counts as right; 0 if absent.
    #[schemars(with = "Option<f64>")]
    pub tolerance: Option<Spanned<f64>>,
    /// Forms of numbers that are read beside the plain ones; none if absent.
    #[schemars(with = "Option<Vec<NumberForm>>")]
    pub numbers: Option<Spanned<Vec<NumberForm>>>,
    /// The condition whose prompts show the cue without the question, for the mutual information of candidate answers.
    #[schemars(with = "Option<String>")]
    pub pmi_baseline: Option<Spanned<String>>,
    /// Settings of this task in place of the study's `[extract]`, key by key.
    #[schemars(with = "Option<ExtractEntry>")]
    pub extract: ExtractEntry,
    /// The generator's settings.
    #[schemars(skip)]
    pub settings: Vec<(Spanned<String>, toml::Value)>,
    /// Whether a part of the text was refused.
    #[schemars(skip)]
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

/// A change between two conditions of a task, matched by item, beside the changes from the task's reference condition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct ContrastEntry {
    /// Name of the task.
    #[schemars(with = "String")]
    pub task: Spanned<String>,
    /// Name of the contrast in the tables; made of the conditions if absent.
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

/// What to keep of a forward pass, and how to decode; for all tasks that do not say otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExtractEntry {
    /// The pooled states to keep: a role's poolings are those of all rules that name it.
    pub hidden_states: Option<Vec<HiddenRule>>,
    /// The attention between segments to keep.
    pub attention: Option<AttentionRule>,
    /// The longest response in tokens; 0 for no responses.
    pub max_new_tokens: Option<usize>,
    /// Texts that end a response: the token that completes one of them is the response's last.
    pub stop: Option<Vec<String>>,
    /// Responses drawn for each prompt beside the greedy one, from 0; behaviour then has metrics `sampled_…`.
    pub n_samples: Option<usize>,
    /// Temperature of drawn responses, above 0: what logits are divided by.
    pub temperature: Option<f64>,
    /// Nucleus of drawn responses, above 0, up to 1: the likeliest tokens that reach this probability together.
    pub top_p: Option<f64>,
    /// Seed of drawn responses.
    pub seed: Option<u64>,
    /// The text between a prompt and an answer that is scored; what the prompt suggests if absent (docs/prompts.md).
    pub answer_prefix: Option<String>,
    /// The chat template around a prompt: `true` for the model's own, the name of one of its templates, `"vicuna"`, or
    /// `false` for bare prompts.
    pub chat_template: Option<ChatTemplate>,
    /// The date, YYYY-MM-DD, for chat templates that ask for today's: what a model reads must not depend on the day.
    pub chat_date: Option<ChatDate>,
    /// Whether a part of the text was refused.
    #[serde(skip)]
    pub is_flawed: bool,
}

impl ExtractEntry {
    /// Whether the text sets `key`.
    pub fn sets(&self, key: &str) -> bool {
        serde_json::to_value(self).is_ok_and(|entry| entry.get(key).is_some_and(|value| !value.is_null()))
    }

    /// `settings` with what this entry sets.
    pub fn over(&self, settings: Settings) -> Settings {
        let entry = self.clone();
        Settings {
            hidden_states: entry.hidden_states.unwrap_or(settings.hidden_states),
            attention: entry.attention.unwrap_or(settings.attention),
            max_new_tokens: entry.max_new_tokens.unwrap_or(settings.max_new_tokens),
            stop: entry.stop.unwrap_or(settings.stop),
            sampling: Sampling {
                n_samples: entry.n_samples.unwrap_or(settings.sampling.n_samples),
                temperature: entry.temperature.unwrap_or(settings.sampling.temperature),
                top_p: entry.top_p.unwrap_or(settings.sampling.top_p),
                seed: entry.seed.unwrap_or(settings.sampling.seed),
            },
            answer_prefix: entry.answer_prefix.or(settings.answer_prefix),
            chat_template: entry.chat_template.unwrap_or(settings.chat_template),
            chat_date: entry.chat_date.or(settings.chat_date),
        }
    }
}
