//! The steps of a study, which of them are selected, what they would do, and doing it.

mod choice;
mod grammar;
mod planned;
mod stamp;
mod work;

pub use choice::{Choice, choose};
pub use planned::{Action, Place, Planned, plan};
pub use stamp::write_stamp;
pub use work::{Work, carry_out};

use crate::failure::{Failure, could_not};
use crate::resolve::ResolvedStudy;
use crate::select_options::Stage;
use hypercolumn_analyze::{StepDependencies, StepName};
use hypercolumn_schemas::{PartitionColumn, Slot, Table};
use std::collections::BTreeSet;

/// One step of a study.
#[derive(Debug)]
pub struct Step {
    /// The stage.
    pub stage: Stage,
    /// The task; none of the report.
    pub task: Option<String>,
    /// The analysis, of a step of that stage.
    pub analysis: Option<&'static str>,
    /// Steps that it depends on directly, by their numbers.
    pub needs: Vec<usize>,
}

/// A study's steps, each behind those that it depends on.
#[derive(Debug)]
pub struct Graph {
    /// The study's name.
    pub study: String,
    /// The model's name in the lake.
    pub model: String,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Step {
    /// The step's name in the analyze stage, if it is one of that stage.
    pub fn analysis_name(&self) -> Option<StepName> {
        Some(StepName { task: self.task.clone()?, analysis: self.analysis? })
    }
}

impl Graph {
    /// The steps of `study`.
    ///
    /// # Errors
    /// If the study's SQL cannot be parsed.
    pub fn of(study: &ResolvedStudy) -> Result<Self, Failure> {
        let mut steps: Vec<Step> = Vec::new();
        let tasks: Vec<&String> = study.tasks.iter().map(|task| &task.name).collect();
        let n_tasks = tasks.len();
        for (stage, first) in [(Stage::Ingest, 0), (Stage::Extract, n_tasks)] {
            steps.extend(tasks.iter().enumerate().map(|(number, task)| Step {
                stage,
                task: Some((*task).clone()),
                analysis: None,
                needs: if first == 0 { Vec::new() } else { vec![number] },
            }));
        }
        let dependencies = hypercolumn_analyze::dependencies(&study.questions)
            .map_err(could_not("use study", &study.label))?;
        for StepDependencies { name, reads_results, named } in dependencies {
            let is_needed = |step: &Step| {
                let is_of_task = step.task.as_deref() == Some(&name.task);
                match step.stage {
                    Stage::Ingest => named.iter().any(|table| !has(table, PartitionColumn::Model)),
                    Stage::Extract => {
                        is_of_task || named.iter().any(|table| has(table, PartitionColumn::Model))
                    }
                    Stage::Analyze => {
                        let names_results = named.iter().any(|table| has(table, PartitionColumn::Study));
                        (reads_results && is_of_task) || names_results
                    }
                    Stage::Report => false,
                }
            };
            let needs = (0..steps.len()).filter(|number| is_needed(&steps[*number])).collect();
            let (task, analysis) = (Some(name.task.clone()), Some(name.analysis));
            steps.push(Step { stage: Stage::Analyze, task, analysis, needs });
        }
        let needs = (2 * n_tasks..steps.len()).collect();
        steps.push(Step { stage: Stage::Report, task: None, analysis: None, needs });
        Ok(Self { study: study.name.clone(), model: study.model.name.clone(), steps })
    }

    /// What a step is about, as a plan shows it.
    pub fn subject(&self, number: usize) -> String {
        let step = &self.steps[number];
        match (&step.task, step.analysis) {
            (Some(task), Some(analysis)) => format!("{task}: {analysis}"),
            (Some(task), None) => task.clone(),
            (None, _) => self.study.clone(),
        }
    }

    /// A step's name in messages.
    pub fn name(&self, number: usize) -> String {
        format!("{} {}", self.steps[number].stage.name(), self.subject(number))
    }

    /// The names of some steps, the first few of them.
    pub fn names(&self, numbers: &[usize]) -> String {
        const MAX_NAMES: usize = 8;
        let mut text: Vec<String> = numbers.iter().take(MAX_NAMES).map(|number| self.name(*number)).collect();
        if numbers.len() > MAX_NAMES {
            text.push(format!("{} more", numbers.len() - MAX_NAMES));
        }
        text.join(", ")
    }

    /// The step that fills a slot.
    pub fn step_of(&self, slot: &Slot) -> Option<usize> {
        let Self { study, model, .. } = self;
        let (stage, question, is_of_both) = match slot {
            Slot::Ingest { .. } => (Stage::Ingest, None, true),
            Slot::Extract { model: of, .. } => (Stage::Extract, None, of == model),
            Slot::Analyze { study: asking, model: of, question, .. } => {
                (Stage::Analyze, Some(question.as_str()), asking == study && of == model)
            }
        };
        let fills = |step: &Step| {
            step.stage == stage && step.task.as_deref() == Some(slot.task()) && step.analysis == question
        };
        self.steps.iter().position(fills).filter(|_| is_of_both)
    }

    /// The steps that `number` depends on, at most `depth` levels up.
    pub fn ancestors(&self, number: usize, depth: usize) -> BTreeSet<usize> {
        self.reach(number, depth, |step, number| self.steps[number].needs.contains(&step))
    }

    /// The steps that depend on `number`, at most `depth` levels down.
    pub fn descendants(&self, number: usize, depth: usize) -> BTreeSet<usize> {
        self.reach(number, depth, |step, number| self.steps[step].needs.contains(&number))
    }

    /// What is reached from `number` in at most `depth` levels; `is_next(step, from)` says which steps one level has.
    fn reach(&self, number: usize, depth: usize, is_next: impl Fn(usize, usize) -> bool) -> BTreeSet<usize> {
        let (mut found, mut level) = (BTreeSet::new(), vec![number]);
        for _ in 0..depth.min(self.steps.len()) {
            let is_new =
                |step: &usize| !found.contains(step) && level.iter().any(|from| is_next(*step, *from));
            level = (0..self.steps.len()).filter(is_new).collect();
            found.extend(level.iter().copied());
        }
        found
    }
}

fn has(table: &Table, column: PartitionColumn) -> bool {
    table.partitions.contains(&column)
}
