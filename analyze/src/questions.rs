//! What the stage is asked to do.
//!
//! What an entry may say is its analysis' own (see [`crate::analyses`]); whether it can be asked of the data is found
//! out by [`crate::run`].

use crate::analyses::Entries;
use crate::settings::AnalysisSettings;

/// Everything that the stage is asked to do.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// Name of the study that asks.
    pub study: String,
    /// The tasks to analyse; none means every task that the model has read.
    pub tasks: Vec<String>,
    /// Settings shared by all analyses.
    pub analysis: AnalysisSettings,
    /// The study's entries.
    pub entries: Entries,
}
