//! A study's questions asked of its prompts alone: what can be refused before a model has read anything.
//!
//! Every SQL expression is prepared over the prompts (or their pairs, or segments), so that a slip in it costs seconds
//! and not an extraction. The prompts need not be in a lake: they are given, and every other table is empty and typed.
//! What depends on what was extracted is found out by [`super::run`].

use crate::analyses::CheckedTask;
use crate::answer::ask;
use crate::catalog::Catalog;
use crate::checked_questions::CheckedQuestions;
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use crate::questions::Questions;
use hypercolumn_schemas::{FIRST_TOKEN, OWN_ROLES, TaskRows};

/// Checks `questions` against the prompts of their tasks: finds every [`AnalyzeError::Entry`] and
/// [`crate::CatalogError::Expression`] that [`super::run`] would give one by one. The `[analysis]` settings are not asked about,
/// nor is what was extracted.
///
/// # Errors
/// Faults of DuckDB.
pub fn check(tasks: &[TaskRows], questions: &Questions) -> Result<CheckedQuestions, AnalyzeError> {
    let problems = questions.entries.problems(&questions.tasks);
    let mut found = CheckedQuestions { problems, ..CheckedQuestions::default() };
    let catalog = Catalog::of_tasks(tasks)?;
    for (number, task) in questions.tasks.iter().enumerate() {
        let prompts = TaskPrompts::load(&catalog, task, format!("checked_prompts_{number}"))?;
        questions.design(task).check(&catalog, &prompts, &mut found)?;
        let checked = CheckedTask { catalog: &catalog, roles: read_roles(&catalog, task)?, prompts };
        for entry in questions.entries.iter().filter(|e| e.entry.task() == task) {
            entry.analysis.check(&checked, entry, &mut found)?;
        }
    }
    Ok(found)
}

/// The roles of a task's segments, and those of every prompt.
fn read_roles(catalog: &Catalog, task: &str) -> Result<Vec<String>, AnalyzeError> {
    let sql = "SELECT DISTINCT role FROM segments WHERE task = ? ORDER BY role";
    let mut roles = ask(catalog.connection(), sql, &[&task], "read the roles")?.column::<String>("role")?;
    // The first token has attention and no states.
    roles.extend(OWN_ROLES.iter().filter(|role| **role != FIRST_TOKEN).map(|role| (*role).to_owned()));
    Ok(roles)
}
