//! Probes that are fitted together, and what comes of them.

use super::Prepared;
use crate::stats::probes::{OnlineCode, ProbeResult, ProbeSettings, Undefined};

/// Entries of one role, pooling and choice of prompts in one condition: they share their folds.
pub(super) struct ProbeBatch<'p> {
    /// Condition, by its number in the task.
    pub(super) condition: usize,
    /// Prompts, by their number in the task.
    pub(super) prompts: Vec<usize>,
    /// Group code of each prompt.
    pub(super) groups: Vec<usize>,
    /// The prompts that are trained on, where they are those of another condition.
    pub(super) train: Option<TrainingPrompts>,
    /// The entries.
    pub(super) entries: Vec<&'p Prepared>,
    /// How they are fitted.
    pub(super) settings: ProbeSettings,
}

/// Prompts of the condition that probes are trained on.
#[derive(PartialEq)]
pub(super) struct TrainingPrompts {
    /// Prompts, by their number in the task.
    pub(super) prompts: Vec<usize>,
    /// Group code of each prompt.
    pub(super) groups: Vec<usize>,
}

/// One entry's results at one layer and site.
pub(super) struct Fitted {
    pub(super) probe: Result<ProbeResult, Undefined>,
    /// The probe of the control task, where the entry has one.
    pub(super) control: Option<Result<ProbeResult, Undefined>>,
    /// The online code of the classes, where the entry asks for it.
    pub(super) code: Option<Result<OnlineCode, Undefined>>,
}
