//! What the stage is asked to do.
//!
//! What an entry may say is its analysis' own (see [`crate::analyses`]); whether it can be asked of the data is found
//! out by [`crate::run`].

use crate::analyses::Entries;
use crate::design::TaskDesign;
use crate::settings::AnalysisSettings;
use std::collections::BTreeMap;

/// Everything that the stage is asked to do.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// Name of the study that asks.
    pub study: String,
    /// Arguments of the command line that name the study, for hints.
    pub study_arguments: Option<String>,
    /// The tasks to analyse; none means every task that the model has read.
    pub tasks: Vec<String>,
    /// Settings shared by all analyses.
    pub analysis: AnalysisSettings,
    /// What the study says of the tasks' designs, by task.
    pub designs: BTreeMap<String, TaskDesign>,
    /// The study's entries.
    pub entries: Entries,
}

impl Questions {
    /// The design of a task.
    pub(crate) fn design(&self, task: &str) -> TaskDesign {
        self.designs.get(task).cloned().unwrap_or_default()
    }
}
