//! The design of a task: what its prompts have in common, so that they are not independent.

use crate::catalog::Catalog;
use crate::checked_questions::CheckedQuestions;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::TaskPrompts;
use crate::scoring::Scoring;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a study says of a task's design.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TaskDesign {
    /// SQL over one prompt: prompts with equal values belong to one cluster, the unit of every test and interval that
    /// has no other. Items if absent.
    pub cluster: Option<String>,
    /// The condition that others are compared with; the one with the fewest examples if absent.
    pub reference: Option<String>,
    /// SQL over one segment: the matched control of attention ratios that compare with these segments and name no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// Changes between two conditions that are told beside those from the reference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contrasts: Vec<Contrast>,
    /// How its responses are scored.
    #[serde(skip_serializing_if = "Scoring::is_default")]
    pub scoring: Scoring,
}

/// A `[[contrast]]` of a study: the change from one condition to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contrast {
    /// Its name in the tables; made of the conditions if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The condition whose value counts positively.
    pub condition: String,
    /// The condition whose value is subtracted.
    pub reference: String,
}

impl Contrast {
    /// Its name in the tables.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{} against {}", self.condition, self.reference))
    }

    /// How messages name its entry.
    pub fn entry(&self) -> String {
        format!("[[contrast]] \"{}\"", self.label())
    }

    fn evaluate(&self, prompts: &TaskPrompts) -> Result<DeclaredContrast, AnalyzeError> {
        let entry = self.entry();
        let find = |key: &str, name: &str| find_condition(prompts, key, name, &entry);
        let condition = find("condition", &self.condition)?;
        let reference = find("reference", &self.reference)?;
        let refuse = |reason: String| Err(AnalyzeError::Entry { entry: entry.clone(), reason });
        if condition == reference {
            return refuse(format!("it compares condition `{}` with itself", self.condition));
        }
        let items = |condition: usize| -> BTreeSet<&str> {
            let own = prompts.condition_of.iter().zip(&prompts.items).filter(|(c, _)| **c == condition);
            own.map(|(_, item)| &**item).collect()
        };
        if items(condition).is_disjoint(&items(reference)) {
            return refuse(format!(
                "it compares conditions item by item, and no item_id has prompts in both `{}` and `{}`",
                self.condition, self.reference
            ));
        }
        Ok(DeclaredContrast { name: self.label(), condition, reference })
    }
}

/// A [`Contrast`] whose conditions are numbers in the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeclaredContrast {
    pub(crate) name: String,
    pub(crate) condition: usize,
    pub(crate) reference: usize,
}

impl TaskDesign {
    /// How messages name a task's entry.
    pub fn label(task: &str) -> String {
        format!("[[task]] \"{task}\"")
    }

    /// Evaluates the design over the prompts of its task.
    pub(crate) fn evaluate(&self, catalog: &Catalog, prompts: &TaskPrompts) -> Result<Design, AnalyzeError> {
        self.scoring.check(&Self::label(&prompts.task))?;
        let items = Grouping::of_values("item_id", &prompts.items);
        let cluster = self.cluster_of(catalog, prompts)?;
        let reference = self.reference_of(prompts)?;
        self.check_baseline(prompts)?;
        let contrasts = self
            .contrasts
            .iter()
            .map(|contrast| contrast.evaluate(prompts))
            .collect::<Result<Vec<_>, _>>()?;
        self.check_names()?;
        let (control, scoring) = (self.control.clone(), self.scoring.clone());
        Ok(Design { items, cluster, reference, control, contrasts, scoring })
    }

    /// Refuses all that [`TaskDesign::evaluate`] would refuse.
    pub(crate) fn check(
        &self,
        catalog: &Catalog,
        prompts: &TaskPrompts,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        found.note(self.scoring.check(&Self::label(&prompts.task)))?;
        found.note(self.cluster_of(catalog, prompts))?;
        found.note(self.reference_of(prompts))?;
        found.note(self.check_baseline(prompts))?;
        for contrast in &self.contrasts {
            found.note(contrast.evaluate(prompts))?;
        }
        found.note(self.check_names()).map(drop)
    }

    fn cluster_of(&self, catalog: &Catalog, prompts: &TaskPrompts) -> Result<Option<Grouping>, AnalyzeError> {
        let Some(sql) = &self.cluster else { return Ok(None) };
        let label = Self::label(&prompts.task);
        Grouping::evaluate(catalog, prompts, Expression { entry: &label, key: "cluster", sql }).map(Some)
    }

    fn reference_of(&self, prompts: &TaskPrompts) -> Result<Option<usize>, AnalyzeError> {
        let Some(name) = &self.reference else { return Ok(None) };
        find_condition(prompts, "reference", name, &Self::label(&prompts.task)).map(Some)
    }

    fn check_baseline(&self, prompts: &TaskPrompts) -> Result<(), AnalyzeError> {
        let Some(name) = &self.scoring.pmi_baseline else { return Ok(()) };
        find_condition(prompts, "pmi_baseline", name, &Self::label(&prompts.task)).map(drop)
    }

    /// Refuses contrasts that the tables could not tell apart.
    fn check_names(&self) -> Result<(), AnalyzeError> {
        let mut names = BTreeSet::new();
        match self.contrasts.iter().find(|contrast| !names.insert(contrast.label())) {
            None => Ok(()),
            Some(twice) => {
                let reason = "another contrast of the task has the same name; give it a name of its own";
                Err(AnalyzeError::Entry { entry: twice.entry(), reason: reason.to_owned() })
            }
        }
    }
}

fn find_condition(prompts: &TaskPrompts, key: &str, name: &str, label: &str) -> Result<usize, AnalyzeError> {
    prompts.conditions.iter().position(|c| **c == *name).ok_or_else(|| {
        let known = prompts.conditions.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        let reason =
            format!("its `{key}` is `{name}`, which no prompt has as its condition; there are {known}");
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
    /// The matched control of attention ratios, where the task has one.
    pub(crate) control: Option<String>,
    /// The contrasts that the study declares.
    pub(crate) contrasts: Vec<DeclaredContrast>,
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
                Err(expression.refuse(reason).into())
            }
        }
    }

    /// Number of groups among some prompts.
    pub(crate) fn count(&self, prompts: impl Iterator<Item = usize>) -> usize {
        prompts.map(|prompt| self.of[prompt]).collect::<BTreeSet<_>>().len()
    }
}
