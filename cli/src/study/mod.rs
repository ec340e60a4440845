//! Studies: one TOML file says which prompts, which model, what to keep and what to ask.
//!
//! This module reads the file and refuses what it does not know, with line, key and what is accepted.
//! Whether files exist and questions can be asked is found out in [`crate::resolve`].

mod entry;
mod problem;

pub use entry::{ExtractEntry, TASK_KEYS, TaskEntry};
pub use problem::Problem;

use crate::exit::Exit;
use crate::failure::Failure;
use hypercolumn_analyze::settings::{AnalysisSettings, AttentionRatio, Hypothesis, Probe, Questions};
use serde::Deserialize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The study that runs when none is named.
const BUILT_IN: &str = include_str!("../../../data/studies/default.toml");

/// A study as its file spells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Name of the study, for the report.
    pub name: String,
    /// MODEL; the default alias if absent.
    pub model: Option<Spanned<String>>,
    /// Name of the model in the lake; its source gives it one if absent.
    pub model_name: Option<Spanned<String>>,
    /// Extraction settings of all tasks.
    #[serde(default)]
    pub extract: ExtractEntry,
    /// The tasks.
    #[serde(default)]
    pub task: Vec<Spanned<TaskEntry>>,
    /// Hypotheses about similarities.
    #[serde(default)]
    pub rsa: Vec<Spanned<Hypothesis>>,
    /// Targets to read from states.
    #[serde(default)]
    pub probe: Vec<Spanned<Probe>>,
    /// Attention to relevant against irrelevant segments.
    #[serde(default)]
    pub attention_ratio: Vec<Spanned<AttentionRatio>>,
    /// Settings shared by all analyses.
    #[serde(default = "default_analysis")]
    pub analysis: Spanned<AnalysisSettings>,
}

fn default_analysis() -> Spanned<AnalysisSettings> {
    Spanned::new(0..0, AnalysisSettings::default())
}

impl StudyFile {
    /// The questions about `tasks`.
    pub fn questions(&self, tasks: Vec<String>) -> Questions {
        fn plain<T: Clone>(entries: &[Spanned<T>]) -> Vec<T> {
            entries.iter().map(|e| e.get_ref().clone()).collect()
        }
        Questions {
            study: self.name.clone(),
            tasks,
            analysis: self.analysis.get_ref().clone(),
            rsa: plain(&self.rsa),
            probe: plain(&self.probe),
            attention_ratio: plain(&self.attention_ratio),
        }
    }

    /// The tasks that questions name, with the place of each entry.
    pub fn references(&self) -> Vec<(Range<usize>, &str)> {
        let rsa = self.rsa.iter().map(|e| (e.span(), e.get_ref().task.as_str()));
        let probes = self.probe.iter().map(|e| (e.span(), e.get_ref().task.as_str()));
        let ratios = self.attention_ratio.iter().map(|e| (e.span(), e.get_ref().task.as_str()));
        rsa.chain(probes).chain(ratios).collect()
    }
}

/// A study's text, where it is from, and what it says.
#[derive(Debug)]
pub struct Study {
    /// The file's path, or what to call the built-in study.
    pub label: String,
    /// The text, for messages.
    pub text: String,
    /// Directory that paths in the study are relative to.
    pub directory: PathBuf,
    /// What it says.
    pub file: StudyFile,
}

impl Study {
    /// Reads the study at `path`, or the built-in one.
    ///
    /// # Errors
    /// Where the file cannot be read or is refused.
    pub fn read(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Self::parse("built-in study".into(), BUILT_IN.into(), PathBuf::new());
        };
        let label = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| unreadable(&label, &e))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::usage(format!("could not use study `{label}`")).because("it is not UTF-8 text")
        })?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(label, text, directory)
    }

    fn parse(label: String, text: String, directory: PathBuf) -> Result<Self, Failure> {
        match toml::from_str(&text) {
            Ok(file) => Ok(Self { label, text, directory, file }),
            Err(e) => Err(Problem::from_toml(&e).into_failure(&label, &text)),
        }
    }

    /// The failure for a problem of this study.
    pub fn refuse(&self, problem: Problem) -> Failure {
        problem.into_failure(&self.label, &self.text)
    }
}

fn unreadable(label: &str, error: &std::io::Error) -> Failure {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let exit = if missing || Path::new(label).is_dir() { Exit::Usage } else { Exit::Failure };
    Failure::new(exit, format!("could not read study `{label}`"))
        .because(error.to_string())
        .hint("give the path of a TOML file, or none for the built-in study")
}
