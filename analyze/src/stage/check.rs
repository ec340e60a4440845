//! A study's questions asked of its prompts alone: what can be refused before a model has read anything.
//!
//! Every SQL expression is prepared over the prompts (or their pairs, or segments), so that a slip in it
//! costs seconds and not an extraction. What depends on what was extracted is found out by
//! [`super::run`].

use super::entries::{self, TaskEntries};
use crate::catalog::Catalog;
use crate::columns::ask;
use crate::error::AnalyzeError;
use crate::expression::{Expression, ValueKind};
use crate::prompts::{INDEX, TaskPrompts};
use crate::settings::{AttentionRatio, Hypothesis, Probe, Questions};
use hypercolumn_schemas::{Lake, OWN_ROLES};

/// Checks `questions` against the prompts of a lake, with or without extractions.
///
/// # Errors
/// [`AnalyzeError::UnknownTask`], [`AnalyzeError::Entry`] and [`AnalyzeError::Expression`], as
/// [`super::run`] would give them; errors of the lake.
pub fn check(lake: &Lake, questions: &Questions) -> Result<(), AnalyzeError> {
    entries::check(questions, &questions.tasks)?;
    let catalog = Catalog::open(lake)?;
    for (number, task) in questions.tasks.iter().enumerate() {
        let prompts = TaskPrompts::load(&catalog, task, format!("checked_prompts_{number}"))?;
        let checked = Checked { catalog: &catalog, roles: read_roles(&catalog, task)?, prompts };
        let entries = TaskEntries::of(questions, task);
        entries.hypotheses.iter().try_for_each(|(entry, asked)| checked.hypothesis(entry, asked))?;
        entries.probes.iter().try_for_each(|(entry, asked)| checked.probe(entry, asked))?;
        entries.ratios.iter().try_for_each(|(entry, asked)| checked.ratio(entry, asked))?;
    }
    Ok(())
}

/// The roles of a task's segments, and those of every prompt.
fn read_roles(catalog: &Catalog, task: &str) -> Result<Vec<String>, AnalyzeError> {
    let sql = "SELECT DISTINCT role FROM segments WHERE task = ? ORDER BY role";
    let mut roles = ask(catalog.connection(), sql, &[&task], "read the roles")?.names(0);
    roles.extend(OWN_ROLES.map(str::to_owned));
    Ok(roles)
}

/// A task whose entries are checked.
struct Checked<'a> {
    catalog: &'a Catalog,
    roles: Vec<String>,
    prompts: TaskPrompts,
}

impl Checked<'_> {
    fn hypothesis(&self, entry: &str, asked: &Hypothesis) -> Result<(), AnalyzeError> {
        self.role(entry, &asked.segment)?;
        for (key, sql) in [("where", &asked.filter), ("rows", &asked.rows), ("columns", &asked.columns)] {
            self.condition(entry, key, sql.as_deref())?;
        }
        if let Some(sql) = &asked.blocks {
            Expression { entry, key: "blocks", sql }.check(self.catalog, INDEX, &self.prompts.table)?;
        }
        let pairs = format!("{0} AS a, {0} AS b", self.prompts.table);
        let sql = Expression { entry, key: "sql", sql: &asked.sql };
        match sql.check(self.catalog, &format!("a.{INDEX}"), &pairs)? {
            ValueKind::Other => Err(sql.refuse("it must be a number or a boolean, but gives another type")),
            _ => Ok(()),
        }
    }

    fn probe(&self, entry: &str, asked: &Probe) -> Result<(), AnalyzeError> {
        self.role(entry, &asked.segment)?;
        self.condition(entry, "where", asked.filter.as_deref())?;
        for (key, sql) in [("target", &asked.target), ("group", &asked.group)] {
            Expression { entry, key, sql }.check(self.catalog, INDEX, &self.prompts.table)?;
        }
        Ok(())
    }

    fn ratio(&self, entry: &str, asked: &AttentionRatio) -> Result<(), AnalyzeError> {
        let segments = format!(
            "(SELECT {}, NULL::SMALLINT AS segment, NULL::VARCHAR AS role FROM {} AS p)",
            self.prompts.columns_except(&["segment", "role"]),
            self.prompts.table
        );
        let parts =
            [("query", &asked.query), ("relevant", &asked.relevant), ("irrelevant", &asked.irrelevant)];
        for (key, sql) in parts {
            Expression { entry, key, sql }.check_condition(self.catalog, INDEX, &segments)?;
        }
        Ok(())
    }

    fn condition(&self, entry: &str, key: &'static str, sql: Option<&str>) -> Result<(), AnalyzeError> {
        let Some(sql) = sql else { return Ok(()) };
        Expression { entry, key, sql }.check_condition(self.catalog, INDEX, &self.prompts.table)
    }

    fn role(&self, entry: &str, role: &str) -> Result<(), AnalyzeError> {
        if self.roles.iter().any(|known| known == role) {
            return Ok(());
        }
        let known = self.roles.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(", ");
        let reason = format!("no prompt has a segment with role `{role}`; there are {known}");
        Err(AnalyzeError::Entry { entry: entry.to_owned(), reason })
    }
}
