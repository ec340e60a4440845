//! The prompts of a study that is being resolved, and its questions asked of them.

use super::Draft;
use crate::exit::Exit;
use crate::explain::Explain;
use crate::failure::{Failure, could_not};
use crate::study::{Problem, Study};
use hypercolumn_analyze::{AnalyzeError, AttentionAsked, CatalogError, TaskDesign};
use hypercolumn_extract::stage::settings::Settings;
use hypercolumn_schemas::{RESPONSE, TaskRows};
use std::ops::Range;

impl Draft {
    /// Reads the prompts of the tasks. What is refused in the prompts of a task that is not refused itself is a problem; a
    /// task without prompts is left out.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(super) fn read_prompts(&mut self) -> Result<Vec<TaskRows>, Failure> {
        let mut all = Vec::new();
        let Self { study, tasks, problems, .. } = self;
        let mut fault = None;
        tasks.retain(|draft| {
            let task = &draft.task;
            match hypercolumn_ingest::rows(&task.name, &task.source).map_err(could_not("ingest", &task.name))
            {
                Ok(rows) => {
                    all.push(rows);
                    return true;
                }
                Err(failure) if failure.exit() != Exit::Usage => fault = Some(failure),
                Err(failure) if !draft.is_flawed => {
                    let entry = study.tasks[draft.index].get_ref();
                    let span = entry.prompts.as_ref().unwrap_or(&entry.name).span();
                    problems.push(Problem::of_failure(span, failure));
                }
                Err(_) => {}
            }
            false
        });
        fault.map_or(Ok(all), Err)
    }

    /// Asks the study's questions of its prompts, which are in the order of the tasks.
    ///
    /// # Errors
    /// Faults of DuckDB.
    pub(super) fn check_questions(&mut self, rows: &[TaskRows]) -> Result<(), Failure> {
        let designs = self.tasks.iter().map(|draft| (draft.task.name.clone(), draft.task.design.clone()));
        let mut questions = self.study.questions(designs.collect());
        questions.entries.retain(|entry| questions.tasks.iter().any(|task| task == entry.entry.task()));
        let found = hypercolumn_analyze::check(rows, &questions)
            .map_err(could_not("use study", &self.study.label))?;
        for error in found.problems {
            if !self.follows_from_another(&error) {
                self.problems.push(problem_of(&self.study, &error));
            }
        }
        let unkept: Vec<Problem> =
            found.attention.iter().filter_map(|asked| self.unkept_attention(asked)).collect();
        self.problems.extend(unkept);
        Ok(())
    }

    /// The problem of attention that the task's `[extract]` settings do not keep.
    fn unkept_attention(&self, asked: &AttentionAsked) -> Option<Problem> {
        let AttentionAsked { entry, key, roles } = asked;
        let own = self.study.entries.iter().find(|own| own.name == *entry && !self.study.is_flawed(own))?;
        let task = self.tasks.iter().find(|draft| draft.task.name == own.entry.task())?;
        let Settings { attention, max_new_tokens, .. } = &task.task.extract;
        let is_query = *key == "query";
        let is_kept = |role: &String| match is_query {
            true => attention.keeps_query(role) && (role != RESPONSE || *max_new_tokens > 0),
            false => attention.keeps_key(role),
        };
        if task.is_extract_flawed || roles.iter().any(is_kept) {
            return None;
        }
        let names = roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ");
        let (direction, setting) = if is_query { ("from", "query_roles") } else { ("to", "key_roles") };
        let message = format!(
            "{entry}: its `{key}` asks for attention {direction} segments {names}, which the task's extract settings do not keep"
        );
        let hint = match is_query && roles.iter().all(|role| role == RESPONSE) && *max_new_tokens == 0 {
            true => "there are no responses where max_new_tokens = 0".to_owned(),
            false => format!("add {names} to attention.{setting}"),
        };
        let span = self.study.locate_entry(own, Some(key));
        Some(Problem { shows_line: false, ..Problem::at(span, message) }.hint(hint))
    }

    /// Whether an error may be there only because something else was refused: what depends on the prompts of a task whose
    /// settings are not all known, or on an entry's keys that could not be read. SQL has the same columns in any case.
    fn follows_from_another(&self, error: &AnalyzeError) -> bool {
        let AnalyzeError::Entry { entry, .. } = error else { return false };
        let of_entry = self.study.entries.iter().find(|e| e.name == *entry);
        let is_of_task = |draft: &super::DraftTask| match of_entry {
            Some(own) => own.entry.task() == draft.task.name,
            None => {
                let design = &draft.task.design;
                TaskDesign::label(&draft.task.name) == *entry
                    || design.contrasts.iter().any(|contrast| contrast.entry() == *entry)
            }
        };
        of_entry.is_some_and(|own| self.study.is_flawed(own))
            || self.tasks.iter().any(|draft| draft.is_flawed && is_of_task(draft))
    }
}

/// The problem that an error of the analysis tells of, at its key in the study.
fn problem_of(study: &Study, error: &AnalyzeError) -> Problem {
    let span = match error {
        AnalyzeError::Catalog(CatalogError::Expression { entry, key, .. }) => {
            position(study, entry, Some(key))
        }
        AnalyzeError::Entry { entry, .. } => position(study, entry, None),
        _ => None,
    };
    Problem { span, hint: error.remedy(), shows_line: false, ..Problem::new(error.to_string()) }
}

/// The position of what messages call `name`, or of one of its keys.
fn position(study: &Study, name: &str, key: Option<&str>) -> Option<Range<usize>> {
    if let Some(entry) = study.entries.iter().find(|entry| entry.name == name) {
        return Some(study.locate_entry(entry, key));
    }
    let index = study.tasks.iter().position(|task| TaskDesign::label(task.get_ref().name.get_ref()) == name);
    let place = |table: &str, index: usize| {
        let index = index.to_string();
        study.locate(&[Some(table), Some(&index), key].into_iter().flatten().collect::<Vec<_>>())
    };
    let of_contrast = || {
        let mut contrasts = study.file.contrast.iter();
        contrasts.position(|contrast| contrast.contrast().entry() == name)
    };
    match index {
        Some(index) => Some(place("task", index)),
        None => of_contrast().map(|index| place("contrast", index)),
    }
}
