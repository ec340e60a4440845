//! Studies: one TOML file says which prompts, which model, what to keep and what to ask.
//!
//! This module reads the file and refuses unknown keys, with line, key and the accepted keys. The keys of an entry belong
//! to its analysis. [`crate::resolve`] checks that files exist and that questions can be asked.

mod document;
mod entry;
mod presets;
mod problem;

pub use entry::{ContrastEntry, ExtractEntry, TASK_KEYS, TaskEntry};
pub use presets::{PRESETS, preset_names};
pub use problem::Problem;

use crate::args::StudyOption;
use crate::exit::Exit;
use crate::failure::Failure;
use document::Document;
use hypercolumn_analyze::Questions;
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{Entries, StudyEntry, TaskDesign};
use serde::Deserialize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The study that runs when none is named.
const BUILT_IN: &str = include_str!("../../../data/studies/default.toml");

/// A study as its file spells it, but for its tasks and the entries of its analyses.
#[derive(Debug, Deserialize)]
pub struct StudyFile {
    /// Name of the study: its results belong to it.
    pub name: Spanned<String>,
    /// MODEL; the default alias if absent.
    pub model: Option<Spanned<String>>,
    /// Name of the model in the lake; its source gives it one if absent.
    pub model_name: Option<Spanned<String>>,
    /// Extraction settings of all tasks.
    #[serde(default)]
    pub extract: ExtractEntry,
    /// Settings shared by all analyses.
    #[serde(default = "default_analysis")]
    pub analysis: Spanned<AnalysisSettings>,
    /// Changes between two conditions of a task.
    #[serde(default)]
    pub contrast: Vec<ContrastEntry>,
}

fn default_analysis() -> Spanned<AnalysisSettings> {
    Spanned::new(0..0, AnalysisSettings::default())
}

/// A study: its text, its source, and its content.
#[derive(Debug)]
pub struct Study {
    /// The file's path, or what to call the built-in study.
    pub label: String,
    /// The text, for messages.
    pub text: String,
    /// Directory that paths in the study are relative to.
    pub directory: PathBuf,
    pub file: StudyFile,
    pub tasks: Vec<Spanned<TaskEntry>>,
    /// The entries of its analyses.
    pub entries: Entries,
    /// Position of each entry in the text.
    spans: Vec<Range<usize>>,
}

impl Study {
    /// Reads the study that is chosen.
    ///
    /// # Errors
    /// If the file cannot be read or is refused.
    pub fn read(choice: &StudyOption) -> Result<Self, Failure> {
        if let Some(preset) = PRESETS.iter().find(|preset| choice.preset.as_deref() == Some(preset.name)) {
            return Self::parse(format!("preset {}", preset.name), preset.text.into(), PathBuf::new());
        }
        let Some(path) = &choice.study else {
            return Self::parse("built-in study".into(), BUILT_IN.into(), PathBuf::new());
        };
        let label = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| unreadable(&label, &e))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::usage(format!("could not use study `{label}`")).because("the file is not UTF-8 text")
        })?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(label, text, directory)
    }

    fn parse(label: String, text: String, directory: PathBuf) -> Result<Self, Failure> {
        match Document::read(&text) {
            Ok(Document { file, tasks, entries, spans }) => {
                Ok(Self { label, text, directory, file, tasks, entries, spans })
            }
            Err(problem) => Err(problem.into_failure(&label, &text)),
        }
    }

    /// The questions about tasks, whose designs are given by name.
    pub fn questions(&self, designs: Vec<(String, TaskDesign)>) -> Questions {
        Questions {
            study: self.file.name.get_ref().clone(),
            study_arguments: None,
            tasks: designs.iter().map(|(task, _)| task.clone()).collect(),
            designs: designs.into_iter().collect(),
            analysis: self.file.analysis.get_ref().clone(),
            entries: self.entries.clone(),
        }
    }

    /// The entries, each with its position in the text.
    pub fn located_entries(&self) -> impl Iterator<Item = (Range<usize>, &StudyEntry)> {
        self.spans.iter().cloned().zip(self.entries.iter())
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
