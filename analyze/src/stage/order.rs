//! Which steps are carried out, and what a failure of one means for the others.

use super::plan::{Action, PlannedStep, Step, StepName};
use crate::error::AnalyzeError;
use hypercolumn_schemas::Recompute;
use std::collections::BTreeSet;

/// Which steps are carried out, and how.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The steps; all of them if `None`.
    pub selected: Option<BTreeSet<StepName>>,
    /// Whether they are done again though their key is there.
    pub recompute: Recompute,
    /// What happens after a failure.
    pub on_failure: OnFailure,
}

/// What happens to the other steps after one has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// None of them is done.
    #[default]
    Stop,
    /// Those that do not depend on it are done.
    KeepGoing,
}

/// A step that was not done.
#[derive(Debug)]
pub struct StepFailure {
    /// The step.
    pub step: PlannedStep,
    /// The cause.
    pub cause: FailureCause,
}

/// The cause of a [`StepFailure`].
#[derive(Debug)]
pub enum FailureCause {
    /// An error of the step itself.
    Error(AnalyzeError),
    /// A step that it depends on was not done.
    Needs(StepName),
}

impl Order {
    /// Of `tasks`, those with a selected step.
    pub(super) fn tasks(&self, tasks: &[String]) -> Vec<String> {
        let has_step = |task: &&String| {
            self.selected.as_ref().is_none_or(|names| names.iter().any(|name| name.task == **task))
        };
        tasks.iter().filter(has_step).cloned().collect()
    }

    /// The selected steps, to be run again where that is asked for.
    pub(super) fn apply(&self, steps: Vec<Step>) -> Vec<Step> {
        let is_selected =
            |step: &Step| self.selected.as_ref().is_none_or(|names| names.contains(&step.planned.name()));
        let mut steps: Vec<Step> = steps.into_iter().filter(is_selected).collect();
        if self.recompute == Recompute::Always {
            steps.iter_mut().for_each(|step| step.planned.action = Action::Run);
        }
        steps
    }
}

/// The failures so far.
pub(super) struct Failures {
    on_failure: OnFailure,
    all: Vec<StepFailure>,
}

impl Failures {
    pub(super) fn new(on_failure: OnFailure) -> Self {
        Self { on_failure, all: Vec::new() }
    }

    /// The value of `result`; an error is kept as the failure of `step`, or returned if that ends the run.
    pub(super) fn note<T>(
        &mut self,
        step: &Step,
        result: Result<T, AnalyzeError>,
    ) -> Result<Option<T>, AnalyzeError> {
        match (result, self.on_failure) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), OnFailure::Stop) => Err(error),
            (Err(error), OnFailure::KeepGoing) => {
                let cause = FailureCause::Error(error);
                self.all.push(StepFailure { step: step.planned.clone(), cause });
                Ok(None)
            }
        }
    }

    /// Whether `step` is not to be done: it has failed, or a step has failed whose results it reads, which is noted.
    pub(super) fn exclude(&mut self, step: &Step) -> bool {
        let name = step.planned.name();
        if self.all.iter().any(|failure| failure.step.name() == name) {
            return true;
        }
        let is_of_task = |failure: &&StepFailure| failure.step.task() == name.task;
        let needed = self.all.iter().find(is_of_task).filter(|_| step.reads_results);
        let Some(needed) = needed.map(|failure| failure.step.name()) else { return false };
        self.all.push(StepFailure { step: step.planned.clone(), cause: FailureCause::Needs(needed) });
        true
    }

    pub(super) fn into_all(self) -> Vec<StepFailure> {
        self.all
    }
}
