//! The design of a task: what its prompts have in common, so that they are not independent.

use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::TaskPrompts;
use crate::scoring::Scoring;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a study says of a task's design.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TaskDesign {
    /// SQL over one prompt: prompts with equal values belong to one cluster, the unit of every test and interval that
    /// has no other. Items if absent.
    pub cluster: Option<String>,
    /// The condition that others are compared with; the one with the fewest examples if absent.
    pub reference: Option<String>,
    /// How its responses are scored.
    #[serde(skip_serializing_if = "Scoring::is_default")]
    pub scoring: Scoring,
}

impl TaskDesign {
    /// How messages name a task's entry.
    pub(crate) fn label(task: &str) -> String {
        format!("[[task]] \"{task}\"")
    }

    /// Evaluates the design over the prompts of its task.
    pub(crate) fn evaluate(&self, catalog: &Catalog, prompts: &TaskPrompts) -> Result<Design, AnalyzeError> {
        let label = Self::label(&prompts.task);
        self.scoring.check(&label)?;
        let items = Grouping::of_values("item_id", &prompts.items);
        let cluster = match &self.cluster {
            Some(sql) => {
                Some(Grouping::evaluate(catalog, prompts, Expression { entry: &label, key: "cluster", sql })?)
            }
            None => None,
        };
        let reference = match &self.reference {
            Some(name) => Some(find_condition(prompts, name, &label)?),
            None => None,
        };
        Ok(Design { items, cluster, reference, scoring: self.scoring.clone() })
    }
}

fn find_condition(prompts: &TaskPrompts, name: &str, label: &str) -> Result<usize, AnalyzeError> {
    prompts.conditions.iter().position(|c| **c == *name).ok_or_else(|| {
        let known = prompts.conditions.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        let reason =
            format!("its `reference` is `{name}`, which no prompt has as its condition; there are {known}");
        AnalyzeError::Entry { entry: label.to_owned(), reason }
    })
}

/// A task's design, evaluated.
pub(crate) struct Design {
    /// Prompts by item.
    pub(crate) items: Grouping,
    /// Prompts by the task's cluster, where it declares one.
    pub(crate) cluster: Option<Grouping>,
    /// The condition that others are compared with, where the task declares one.
    pub(crate) reference: Option<usize>,
    /// How responses are scored.
    pub(crate) scoring: Scoring,
}

impl Design {
    /// The clusters: those declared, or items.
    pub(crate) fn clusters(&self) -> &Grouping {
        self.cluster.as_ref().unwrap_or(&self.items)
    }
}

/// The prompts of a task, grouped by the value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grouping {
    /// The expression.
    pub(crate) sql: String,
    /// Number of each prompt's group, by the rank of its value; `[n_prompts]`.
    pub(crate) of: Vec<u32>,
}

impl Grouping {
    fn of_values<T: Ord>(sql: &str, values: &[T]) -> Self {
        let distinct: BTreeSet<&T> = values.iter().collect();
        let numbers: BTreeMap<&T, u32> = distinct.into_iter().zip(0..).collect();
        Self { sql: sql.to_owned(), of: values.iter().map(|value| numbers[value]).collect() }
    }

    /// Groups prompts by an expression, which must have a value for every prompt.
    pub(crate) fn evaluate(
        catalog: &Catalog,
        prompts: &TaskPrompts,
        expression: Expression<'_>,
    ) -> Result<Self, AnalyzeError> {
        let values = prompts.texts(catalog, expression)?;
        match values.iter().position(Option::is_none) {
            None => Ok(Self::of_values(expression.sql, &values)),
            Some(at) => {
                let reason =
                    format!("it is null for prompt `{}`, which then belongs to no group", prompts.ids[at]);
                Err(expression.refuse(reason))
            }
        }
    }

    /// Number of groups among some prompts.
    pub(crate) fn count(&self, prompts: impl Iterator<Item = usize>) -> usize {
        prompts.map(|prompt| self.of[prompt]).collect::<BTreeSet<_>>().len()
    }
}
