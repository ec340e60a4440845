//! Studies: one TOML file says which prompts, which model, what to keep and what to ask.
//!
//! This module reads the file and refuses unknown keys, with line, key and the accepted keys. The keys of an entry belong
//! to its analysis. [`crate::resolve`] checks that files exist and that questions can be asked.

mod document;
mod entry;
mod json_schema;
mod keys_page;
pub mod presets;
mod problem;
mod reader;

pub use entry::{ContrastEntry, ExtractEntry, TASK_KEYS, TaskEntry};
pub use json_schema::study_schema;
pub use keys_page::{keys_page, section_names};
pub use presets::PRESETS;
pub use problem::{Problem, refuse_all};

use crate::args::StudyOption;
use crate::exit::Exit;
use crate::failure::Failure;
use document::Document;
use hypercolumn_analyze::Questions;
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{Entries, StudyEntry, TaskDesign};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeTable;

/// The study that runs when none is named.
const BUILT_IN: &str = include_str!("../../../data/studies/default.toml");

/// A study as its file spells it, but for its tasks and the entries of its analyses.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StudyFile {
    /// Name of the study: all of its results have this name.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The model: an alias from `hypercolumn models`, a .gguf file or a directory (relative to the study's directory),
    /// `hf:ORG/NAME[@REV][/FILE.gguf]`, or `pypi:PACKAGE==VERSION/PATH/IN/WHEEL`.
    #[schemars(with = "Option<String>")]
    pub model: Option<Spanned<String>>,
    /// Name of the model in the lake; its source gives it one if absent.
    #[schemars(with = "Option<String>")]
    pub model_name: Option<Spanned<String>>,
    /// Extraction settings of all tasks.
    #[serde(default)]
    pub extract: ExtractEntry,
    /// Settings shared by all analyses.
    #[serde(default = "default_analysis")]
    #[schemars(with = "AnalysisSettings")]
    pub analysis: Spanned<AnalysisSettings>,
    /// Changes between two conditions of a task.
    #[serde(default)]
    pub contrast: Vec<ContrastEntry>,
}

impl StudyFile {
    /// A study that says nothing but its name.
    fn new(name: Spanned<String>) -> Self {
        let (extract, analysis) = (ExtractEntry::default(), default_analysis());
        Self { name, model: None, model_name: None, extract, analysis, contrast: Vec::new() }
    }
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
    /// Whether a task could not be read at all.
    pub lacks_tasks: bool,
    /// The entries of its analyses.
    pub entries: Entries,
    /// Key and index of the entries of which a part was refused.
    flawed: BTreeSet<(String, usize)>,
    /// What is wrong with the text.
    pub problems: Vec<Problem>,
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
            Ok(Document { file, tasks, lacks_tasks, entries, flawed, problems }) => {
                Ok(Self { label, text, directory, file, tasks, lacks_tasks, entries, flawed, problems })
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

    /// Whether a part of an entry was refused.
    pub fn is_flawed(&self, entry: &StudyEntry) -> bool {
        let key = entry.analysis.entry_key().unwrap_or_default();
        self.flawed.iter().any(|(flawed, index)| flawed == key && *index == entry.index)
    }

    /// The position of an entry in the text, or of one of its keys.
    pub fn locate_entry(&self, entry: &StudyEntry, key: Option<&str>) -> Range<usize> {
        let index = entry.index.to_string();
        let path = [entry.analysis.entry_key(), Some(&index), key];
        self.locate(&path.into_iter().flatten().collect::<Vec<_>>())
    }

    /// The position in the text of the value at `path`; of the deepest part of the path that exists.
    pub fn locate(&self, path: &[&str]) -> Range<usize> {
        DeTable::parse(&self.text).map_or(0..0, |whole| reader::locate(&whole, path))
    }
}

fn unreadable(label: &str, error: &std::io::Error) -> Failure {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let exit = if missing || Path::new(label).is_dir() { Exit::Usage } else { Exit::Failure };
    Failure::new(exit, format!("could not read study `{label}`"))
        .because(error.to_string())
        .hint("give the path of a TOML file, or none for the built-in study")
}
