//! Slots: the pieces of work that a lake can hold, one commit each.
//!
//! A slot is compared component by component: a task called `a` shares nothing with one called `a/b`. In the log a slot
//! is text, `STAGE/COMPONENT/…`, with every component percent-encoded.

use crate::partition::{percent_decode, percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A piece of work whose files are committed together and replaced together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The fields are what their names say.
pub enum Slot {
    /// The prompts of a task.
    Ingest { task: String },
    /// One shard of a model's run over a task.
    Extract { model: String, task: String, shard: u32 },
    /// The results of one question of a study about a model and a task.
    Analyze { study: String, model: String, task: String, question: String },
}

impl Slot {
    /// Refuses a slot that could not be read back, one with an empty component.
    pub(crate) fn check(&self) -> Result<(), SlotError> {
        self.to_string().parse::<Self>().map(drop)
    }

    /// The model, where the slot has one.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Ingest { .. } => None,
            Self::Extract { model, .. } | Self::Analyze { model, .. } => Some(model),
        }
    }

    /// The task.
    pub fn task(&self) -> &str {
        match self {
            Self::Ingest { task } | Self::Extract { task, .. } | Self::Analyze { task, .. } => task,
        }
    }

    /// The slot's text without the number of its shard, which all shards of a run share.
    pub fn without_shard(&self) -> String {
        match self {
            Self::Extract { model, task, .. } => {
                format!("extract/{}/{}", percent_encode(model), percent_encode(task))
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ingest { task } => write!(f, "ingest/{}", percent_encode(task)),
            Self::Extract { shard, .. } => write!(f, "{}/{shard:04}", self.without_shard()),
            Self::Analyze { study, model, task, question } => {
                let components = [study, model, task, question].map(|c| percent_encode(c));
                write!(f, "analyze/{}", components.join("/"))
            }
        }
    }
}

/// Text that is no slot.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a slot: expected ingest/TASK, extract/MODEL/TASK/SHARD or analyze/STUDY/MODEL/TASK/QUESTION"
)]
pub struct SlotError(String);

impl FromStr for Slot {
    type Err = SlotError;

    fn from_str(text: &str) -> Result<Self, SlotError> {
        let refuse = || SlotError(text.to_owned());
        let mut parts = text.split('/');
        let stage = parts.next().unwrap_or_default();
        let components: Option<Vec<String>> = parts.map(decode).collect();
        let slot = match (stage, components.ok_or_else(refuse)?.as_slice()) {
            ("ingest", [task]) => Self::Ingest { task: task.clone() },
            ("extract", [model, task, shard]) => Self::Extract {
                model: model.clone(),
                task: task.clone(),
                shard: shard.parse().map_err(|_| refuse())?,
            },
            ("analyze", [study, model, task, question]) => Self::Analyze {
                study: study.clone(),
                model: model.clone(),
                task: task.clone(),
                question: question.clone(),
            },
            _ => return Err(refuse()),
        };
        // One slot has one spelling, or two commits could fill what readers take for two slots.
        if slot.to_string() == text { Ok(slot) } else { Err(refuse()) }
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn decode(component: &str) -> Option<String> {
    percent_decode(component).filter(|decoded| !decoded.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_read_back_from_its_text() {
        let names = ["a", "a/b", "a%2Fb", " ", "..", ".", "语言", "100 %", "analyze", "0003"];
        for (a, b) in names.iter().flat_map(|a| names.iter().map(move |b| (*a, *b))) {
            let slots = [
                Slot::Ingest { task: a.into() },
                Slot::Extract { model: a.into(), task: b.into(), shard: 12_345 },
                Slot::Analyze { study: a.into(), model: b.into(), task: a.into(), question: b.into() },
            ];
            for slot in slots {
                assert_eq!(slot.to_string().parse::<Slot>().expect("a slot"), slot);
            }
        }
    }

    #[test]
    fn a_shard_is_a_number_of_four_digits() {
        let slot = Slot::Extract { model: "m".into(), task: "a/b".into(), shard: 3 };
        assert_eq!(slot.to_string(), "extract/m/a%2Fb/0003");
        assert_eq!(slot.without_shard(), "extract/m/a%2Fb");
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "ingest",
            "ingest/",
            "ingest/a/b",
            "extract/m/t/x",
            "extract/m/t/3",
            "ingest/%zz",
            "ingest/%61",
        ] {
            let error = text.parse::<Slot>().expect_err(text).to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
