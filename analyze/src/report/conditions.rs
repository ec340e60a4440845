//! A task's conditions: their order, their colours, and which of them form the series that is compared.

use super::error::ReportError;
use super::palette;
use super::question::{Question, question};
use super::request::ReportRequest;
use crate::catalog::Catalog;
use std::collections::BTreeMap;

const CONDITIONS: Question = question!("report_conditions");

/// One condition of a task.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) name: String,
    /// In-context examples.
    pub(super) n_examples: i64,
    /// Whether it is one of the conditions that are compared: it has answers to score. Others (such as
    /// bare statements that only representations are compared with) are drawn beside them in grey.
    pub(super) is_in_series: bool,
    /// Colour of its marks.
    pub(super) color: String,
}

/// The conditions of one task, in order of examples.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) task: String,
    /// Prompts of all conditions.
    pub(super) n_prompts: usize,
    pub(super) all: Vec<Condition>,
    /// The declared reference condition.
    pub(super) reference: Option<String>,
}

impl Conditions {
    /// The compared conditions.
    pub(super) fn series(&self) -> impl Iterator<Item = &Condition> {
        self.all.iter().filter(|c| c.is_in_series)
    }

    /// The condition that others are compared with (the declared one, or that with the fewest examples) and the one with
    /// the most examples among the others.
    pub(super) fn ends(&self) -> Option<(&Condition, &Condition)> {
        let declared = self.reference.as_ref().and_then(|name| self.series().find(|c| c.name == *name));
        let first = declared.or_else(|| self.series().next())?;
        Some((first, self.series().filter(|c| c.name != first.name).last()?))
    }

    /// The condition of this name; one that no prompt has is drawn in grey.
    pub(super) fn find(&self, name: &str) -> Condition {
        self.all.iter().find(|c| c.name == name).cloned().unwrap_or_else(|| Condition {
            name: name.to_owned(),
            n_examples: 0,
            is_in_series: false,
            color: palette::ASIDE.to_owned(),
        })
    }
}

/// `with 8 examples instead of 1`, or the conditions' names where the counts do not tell them apart.
pub(super) fn contrast(first: &Condition, last: &Condition) -> String {
    if first.n_examples == last.n_examples {
        return format!("in {} instead of {}", last.name, first.name);
    }
    let noun = if last.n_examples == 1 { "example" } else { "examples" };
    format!("with {} {noun} instead of {}", last.n_examples, first.n_examples)
}

/// The conditions of the study's tasks that have prompts, tasks by name.
///
/// # Errors
/// When the question cannot be answered.
pub(super) fn read_conditions(
    catalog: &Catalog,
    request: &ReportRequest,
) -> Result<Vec<Conditions>, ReportError> {
    let answer = CONDITIONS.ask(catalog, &[("study", &request.study), ("model", &request.model)])?;
    let mut tasks: BTreeMap<String, (usize, Vec<Condition>)> = BTreeMap::new();
    for row in answer.rows().filter(|row| request.tasks.iter().any(|task| task == row.text("task"))) {
        let (n_prompts, all) = tasks.entry(row.text("task").to_owned()).or_default();
        *n_prompts += row.integer("n_prompts") as usize;
        all.push(Condition {
            name: row.text("condition").to_owned(),
            n_examples: row.integer("n_examples"),
            is_in_series: row.integer("n_scored") > 0,
            color: palette::ASIDE.to_owned(),
        });
    }
    let conditions = |(task, (n_prompts, all)): (String, (usize, Vec<Condition>))| {
        let reference = request.reference(&task).map(str::to_owned);
        Conditions { reference, ..finish(task, n_prompts, all) }
    };
    Ok(tasks.into_iter().map(conditions).collect())
}

fn finish(task: String, n_prompts: usize, mut all: Vec<Condition>) -> Conditions {
    if !all.iter().any(|c| c.is_in_series) {
        all.iter_mut().for_each(|c| c.is_in_series = true);
    }
    let n = all.iter().filter(|c| c.is_in_series).count();
    for (i, condition) in all.iter_mut().filter(|c| c.is_in_series).enumerate() {
        condition.color = palette::sequential(i, n);
    }
    Conditions { task, n_prompts, all, reference: None }
}
