//! Checks of entries that need the prompts of their task and nothing else.

use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::{INDEX, TaskPrompts};

/// A task whose entries are checked.
pub struct CheckedTask<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) prompts: TaskPrompts,
    /// The roles of the task's segments, and those of every prompt.
    pub(crate) roles: Vec<String>,
}

impl CheckedTask<'_> {
    /// Refuses SQL that is no condition on a prompt.
    pub(crate) fn check_condition(
        &self,
        entry: &str,
        key: &'static str,
        sql: Option<&str>,
    ) -> Result<(), AnalyzeError> {
        let Some(sql) = sql else { return Ok(()) };
        Ok(Expression { entry, key, sql }.check_condition(self.catalog, INDEX, &self.prompts.table)?)
    }

    /// Refuses a role that no segment has.
    pub(crate) fn check_role(&self, entry: &str, role: &str) -> Result<(), AnalyzeError> {
        if self.roles.iter().any(|known| known == role) {
            return Ok(());
        }
        let known = self.roles.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(", ");
        let reason = format!("no prompt has a segment with role `{role}`; there are {known}");
        Err(AnalyzeError::Entry { entry: entry.to_owned(), reason })
    }
}
