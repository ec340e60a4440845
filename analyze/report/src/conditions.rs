//! A task's conditions: their order, their colours, and which of them form the series that is compared.

use super::error::ReportError;
use super::palette;
use super::question::{Question, question};
use super::request::ReportRequest;
use hypercolumn_catalog::catalog::Catalog;
use std::collections::BTreeMap;

const CONDITIONS: Question = question!("report_conditions");

/// One condition of a task.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) name: String,
    /// In-context examples.
    pub(super) n_examples: i64,
    /// Whether another compared condition has as many examples, so that their number does not name it.
    shares_count: bool,
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

    /// The condition that others are compared with (the declared one, or that with the fewest examples) and the last of the
    /// others, which has the most examples.
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
            shares_count: false,
            is_in_series: false,
            color: palette::ASIDE.to_owned(),
        })
    }
}

/// `with 8 examples instead of 1`, or the conditions' names where the counts do not tell them apart.
pub(super) fn contrast(first: &Condition, last: &Condition) -> String {
    if first.n_examples == last.n_examples || first.shares_count || last.shares_count {
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
    for row in answer.rows() {
        let task = row.text("task")?;
        if !request.tasks.iter().any(|asked| asked == task) {
            continue;
        }
        let (n_prompts, all) = tasks.entry(task.to_owned()).or_default();
        *n_prompts += row.integer("n_prompts")? as usize;
        all.push(Condition {
            name: row.text("condition")?.to_owned(),
            n_examples: row.integer("n_examples")?,
            shares_count: false,
            is_in_series: row.integer("n_scored")? > 0,
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
    let counts: Vec<i64> = all.iter().filter(|c| c.is_in_series).map(|c| c.n_examples).collect();
    for condition in &mut all {
        condition.shares_count = counts.iter().filter(|n| **n == condition.n_examples).count() > 1;
    }
    put_first_of_most_last(&mut all);
    let n = counts.len();
    for (i, condition) in all.iter_mut().filter(|c| c.is_in_series).enumerate() {
        condition.color = palette::sequential(i, n);
    }
    Conditions { task, n_prompts, all, reference: None }
}

/// Sections speak of the last condition. Where several show the most examples, that is the first of them: others vary it, by
/// random labels or another order, and are not what examples do.
fn put_first_of_most_last(all: &mut [Condition]) {
    let counts = || all.iter().filter(|c| c.is_in_series).map(|c| c.n_examples);
    let (Some(least), Some(most)) = (counts().min(), counts().max()) else { return };
    let is_most = |c: &Condition| c.is_in_series && c.n_examples == most;
    if let Some(first) = all.iter().position(is_most).filter(|_| least < most) {
        all[first..].rotate_left(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(all: &[(&str, i64)]) -> Conditions {
        let condition = |(name, n_examples): &(&str, i64)| Condition {
            name: (*name).to_owned(),
            n_examples: *n_examples,
            shares_count: false,
            is_in_series: true,
            color: String::new(),
        };
        finish("t".to_owned(), 1, all.iter().map(condition).collect())
    }

    fn words(all: &[(&str, i64)]) -> String {
        let conditions = conditions(all);
        let (first, last) = conditions.ends().expect("two conditions");
        contrast(first, last)
    }

    #[test]
    fn a_number_of_examples_names_a_condition_only_where_it_is_alone() {
        assert_eq!(words(&[("icl_0", 0), ("icl_1", 1), ("icl_8", 8)]), "with 8 examples instead of 0");
        let labels = [("icl_0", 0), ("icl_8", 8), ("icl_8-random", 8)];
        assert_eq!(words(&labels), "in icl_8 instead of icl_0", "random labels are not what 8 examples do");
        assert_eq!(words(&[("none", 0), ("truthful", 0)]), "in truthful instead of none");
    }
}
