//! The entries of a study, task by task, and what can be said against them before the data are asked.

use super::plan::Analysis;
use crate::error::AnalyzeError;
use crate::settings::{AttentionRatio, Hypothesis, Probe, Questions};
use std::collections::BTreeSet;

/// Entries of one kind, with their names for messages.
pub(super) struct Entries<'a, T>(pub(super) Vec<(String, &'a T)>);

impl<'a, T> std::ops::Deref for Entries<'a, T> {
    type Target = [(String, &'a T)];
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a, T> Entries<'a, T> {
    /// The entries alone, for keys: what they are called in messages does not matter there.
    pub(super) fn values(&self) -> Vec<&'a T> {
        self.0.iter().map(|(_, entry)| *entry).collect()
    }
}

/// The entries of one task.
pub(super) struct TaskEntries<'a> {
    pub(super) hypotheses: Entries<'a, Hypothesis>,
    pub(super) probes: Entries<'a, Probe>,
    pub(super) ratios: Entries<'a, AttentionRatio>,
}

impl<'a> TaskEntries<'a> {
    pub(super) fn of(questions: &'a Questions, task: &str) -> Self {
        let rsa = questions.rsa.iter().enumerate().filter(|(_, e)| e.task == task);
        let probe = questions.probe.iter().enumerate().filter(|(_, e)| e.task == task);
        let ratio = questions.attention_ratio.iter().enumerate().filter(|(_, e)| e.task == task);
        Self {
            hypotheses: Entries(rsa.map(|(i, e)| (name("rsa", i, &e.hypothesis), e)).collect()),
            probes: Entries(probe.map(|(i, e)| (name("probe", i, e.label()), e)).collect()),
            ratios: Entries(ratio.map(|(i, e)| (name("attention_ratio", i, &e.label()), e)).collect()),
        }
    }

    /// Drops the entries of analyses that are not to be run.
    pub(super) fn keep(&mut self, runs: impl Fn(Analysis) -> bool) {
        if !runs(Analysis::Rsa) {
            self.hypotheses.0.clear();
        }
        if !runs(Analysis::Probes) {
            self.probes.0.clear();
        }
        if !runs(Analysis::AttentionRatios) {
            self.ratios.0.clear();
        }
    }
}

/// An entry's name in messages, e.g. `[[rsa]] 2 "same line"`.
fn name(kind: &str, index: usize, label: &str) -> String {
    format!("[[{kind}]] {} \"{label}\"", index + 1)
}

/// Refuses settings that make no sense, entries of tasks that are not analysed, and entries that could
/// not be told apart in the tables.
pub(super) fn check(questions: &Questions, tasks: &[String]) -> Result<(), AnalyzeError> {
    let refuse = |entry: String, reason: String| Err(AnalyzeError::Entry { entry, reason });
    if let Some((key, accepted)) = questions.analysis.problem() {
        return refuse("[analysis]".to_owned(), format!("`{key}` must be {accepted}"));
    }
    let mut seen = BTreeSet::new();
    for (entry, task, identity) in list(questions) {
        if !tasks.iter().any(|t| t == task) {
            let known = tasks.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
            return refuse(entry, format!("task `{task}` is not analysed here; the tasks are {known}"));
        }
        if !seen.insert((task.to_owned(), identity)) {
            let reason = "another entry has the same name and segment; give it a name of its own";
            return refuse(entry, reason.to_owned());
        }
    }
    for (i, e) in questions.rsa.iter().enumerate() {
        let counts = [e.pooling.len(), e.normalization.len(), e.similarity.len(), e.comparison.len()];
        let keys = ["pooling", "normalization", "similarity", "comparison"];
        if let Some(empty) = counts.iter().position(|n| *n == 0) {
            let entry = name("rsa", i, &e.hypothesis);
            return refuse(entry, format!("`{}` must name at least one", keys[empty]));
        }
    }
    match questions.probe.iter().position(|e| e.pooling.is_empty()) {
        Some(i) => {
            let entry = name("probe", i, questions.probe[i].label());
            refuse(entry, "`pooling` must name at least one".to_owned())
        }
        None => Ok(()),
    }
}

/// Every entry: its name, its task, and what tells it apart in the tables.
fn list(questions: &Questions) -> Vec<(String, &str, [String; 3])> {
    let rsa = questions.rsa.iter().enumerate().map(|(i, e)| {
        let identity = ["rsa".to_owned(), e.hypothesis.clone(), e.segment.clone()];
        (name("rsa", i, &e.hypothesis), e.task.as_str(), identity)
    });
    let probe = questions.probe.iter().enumerate().map(|(i, e)| {
        let identity = ["probe".to_owned(), e.label().to_owned(), e.segment.clone()];
        (name("probe", i, e.label()), e.task.as_str(), identity)
    });
    let ratio = questions.attention_ratio.iter().enumerate().map(|(i, e)| {
        let identity = ["ratio".to_owned(), e.label(), String::new()];
        (name("attention_ratio", i, &e.label()), e.task.as_str(), identity)
    });
    rsa.chain(probe).chain(ratio).collect()
}
