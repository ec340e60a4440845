//! What a study says of a task whose prompts a template makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::IngestError;
use crate::settings::{check_examples, refuse};

/// What the task is called where messages need the name of a built-in task.
pub(super) const NAME: &str = "template";

/// The most demonstrations in front of one prompt.
pub(super) const MAX_EXAMPLES: u64 = 1024;
/// The most orders, and the most replicates.
const MAX_REPEATS: u32 = 1000;

pub(super) const ACCEPTED: [(&str, &str); 12] = [
    ("template", "a text, or a table of texts by the name of the format"),
    ("items", "the path of a file, or a list of tables, one an item"),
    ("expected", "a template for the expected answer"),
    ("choices", "a list of texts, the candidate answers"),
    ("examples", "a list of different whole numbers from 0 to 1024"),
    ("demonstrations", "the path of a file, or a list of tables, one an item"),
    ("draw", "\"random\", \"balanced\" or \"first\""),
    ("apart", "a list of the names of columns"),
    ("labels", "a list of one or more of \"gold\", \"random\", \"wrong\""),
    ("orders", "a whole number from 1 to 1000"),
    ("replicates", "a whole number from 1 to 1000"),
    ("seed", "a whole number from 0"),
];

/// The settings of a task with a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    /// The text of a prompt, in Jinja, with `[[role: text]]` for segments; several by the name of the format.
    pub(super) template: Templates,
    /// The items: a file in any format that prompts may have, or rows spelt out.
    pub(super) items: TableSetting,
    /// The expected answer, in Jinja; the item's own if absent.
    pub(super) expected: Option<String>,
    /// Candidate answers, in Jinja; the item's own if empty.
    pub(super) choices: Vec<String>,
    /// Numbers of demonstrations, one condition each; 0 if absent.
    pub(super) examples: Option<Vec<u32>>,
    /// What demonstrations are drawn from; the other items if absent.
    pub(super) demonstrations: Option<TableSetting>,
    /// How demonstrations are chosen.
    pub(super) draw: Draw,
    /// Columns in which a demonstration differs from the item that it stands in front of.
    pub(super) apart: Vec<String>,
    /// What demonstrations show as answers.
    pub(super) labels: Vec<Labels>,
    /// Orders of the same demonstrations, the drawn one included.
    pub(super) orders: u32,
    /// Draws of demonstrations for each item.
    pub(super) replicates: u32,
    /// Seed of every random number.
    pub(super) seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            template: Templates::One(String::new()),
            items: TableSetting::Path(String::new()),
            expected: None,
            choices: Vec::new(),
            examples: None,
            demonstrations: None,
            draw: Draw::Random,
            apart: Vec::new(),
            labels: vec![Labels::Gold],
            orders: 1,
            replicates: 1,
            seed: 7,
        }
    }
}

/// One template, or several formats of the same content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Templates {
    One(String),
    Named(Map<String, Value>),
}

impl Templates {
    /// The templates, those of a table with their names.
    pub(super) fn by_format(&self) -> Vec<(Option<&str>, &str)> {
        match self {
            Self::One(text) => vec![(None, text)],
            Self::Named(texts) => texts
                .iter()
                .map(|(name, text)| (Some(name.as_str()), text.as_str().unwrap_or_default()))
                .collect(),
        }
    }
}

/// A table of items as a study gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum TableSetting {
    Path(String),
    Rows(Vec<Map<String, Value>>),
}

/// How the demonstrations of an item are chosen among those that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Draw {
    /// At random without replacement, for each item anew.
    Random,
    /// At random, each expected answer equally often as far as the number of demonstrations allows.
    Balanced,
    /// The first of the table, in its order.
    First,
}

/// What demonstrations show as answers (Min et al. 2022, arXiv:2202.12837).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Labels {
    /// Each demonstration's own expected answer.
    Gold,
    /// An answer drawn at random among all, with replacement.
    Random,
    /// An answer drawn at random among those that are not the demonstration's own.
    Wrong,
}

impl Labels {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gold => "gold",
            Self::Random => "random",
            Self::Wrong => "wrong",
        }
    }
}

impl Settings {
    /// Refuses settings that are impossible, alone or together.
    pub(super) fn check(&self) -> Result<(), IngestError> {
        let accepted = |key: &str| ACCEPTED.iter().find(|(known, _)| *known == key).map_or("", |(_, a)| a);
        let refuse_key = |key: &str, found: String| Err(refuse(NAME, key, found, accepted(key)));
        if self.items == TableSetting::Path(String::new()) {
            let problem = format!("missing; expected {}", accepted("items"));
            return Err(IngestError::Template { key: "items", problem });
        }
        let formats = self.template.by_format();
        let named = |(name, text): &(Option<&str>, &str)| text.is_empty() || name.is_some_and(str::is_empty);
        if formats.is_empty() || formats.iter().any(named) {
            return refuse_key("template", "empty, or not a text".to_owned());
        }
        check_examples(NAME, self.examples(), MAX_EXAMPLES)?;
        let repeated = (1..self.labels.len()).any(|i| self.labels[..i].contains(&self.labels[i]));
        if self.labels.is_empty() || repeated {
            return refuse_key(
                "labels",
                format!("{:?}", self.labels.iter().map(|l| l.name()).collect::<Vec<_>>()),
            );
        }
        for (key, n) in [("orders", self.orders), ("replicates", self.replicates)] {
            if n == 0 || n > MAX_REPEATS {
                return refuse_key(key, n.to_string());
            }
        }
        Ok(())
    }

    /// Numbers of demonstrations, one condition each.
    pub(super) fn examples(&self) -> &[u32] {
        self.examples.as_deref().unwrap_or(&[0])
    }

    /// The largest number of demonstrations.
    pub(super) fn max_examples(&self) -> usize {
        self.examples().iter().copied().max().unwrap_or(0) as usize
    }
}
