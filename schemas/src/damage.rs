//! Damage of the log, as it is reported and recorded.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a problem of the log may have cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Entries that may have filled or emptied slots: stages refuse the lake until it is repaired.
    Content,
    /// Entries before a checkpoint that is whole, or a file that is not of the log: what the lake holds is known.
    History,
}

/// A place where the log is not as it was written.
#[derive(Clone, Debug)]
pub struct LogProblem {
    /// Path relative to the lake.
    pub path: String,
    /// The problem, as a verb phrase about the path.
    pub problem: String,
    /// The loss.
    pub damage: Damage,
    /// The entries that are lost, if it is entries.
    pub lost: Option<LostNumbers>,
}

impl fmt::Display for LogProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.problem)
    }
}

/// Numbers of the log whose entries are gone or damaged, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostNumbers {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl LostNumbers {
    /// Whether every number of `self` is among `known`.
    pub(crate) fn are_among(self, known: &[Self]) -> bool {
        let mut next = self.first;
        while next <= self.last {
            match known.iter().find(|k| k.first <= next && next <= k.last) {
                Some(k) if k.last == u64::MAX => return true,
                Some(k) => next = k.last + 1,
                None => return false,
            }
        }
        true
    }
}
