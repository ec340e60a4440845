//! Checks rows, and keeps the prompts of valid rows and the problems of the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use crate::error::{IngestError, Location, Problem};
use crate::read::fields::{Fields, check_prompt};
use hypercolumn_schemas::Prompt;

/// Number of problems that a refusal lists; the rest are counted.
const MAX_LISTED: usize = 5;

/// The state of reading one file.
#[derive(Debug, Default)]
pub(super) struct Intake {
    prompts: Vec<Prompt>,
    locations: HashMap<String, Location>,
    problems: Vec<Problem>,
    n_problems: u64,
}

impl Intake {
    /// Checks a row and keeps its prompt or its problems.
    pub(super) fn take(&mut self, location: Location, fields: Fields) {
        let mut findings = Vec::new();
        let prompt = check_prompt(fields, &mut findings);
        for finding in findings {
            self.refuse(location, Some(finding.field), finding.message);
        }
        let Some(prompt) = prompt else { return };
        match self.locations.entry(prompt.prompt_id.clone()) {
            Entry::Occupied(first) => {
                let message = format!("`{}` is already the id of {}", first.key(), first.get());
                self.refuse(location, Some("prompt_id".to_owned()), message);
            }
            Entry::Vacant(entry) => {
                entry.insert(location);
                // After a problem the file is refused, so its prompts need not be held.
                if self.n_problems == 0 {
                    self.prompts.push(prompt);
                }
            }
        }
    }

    /// Records a problem.
    pub(super) fn refuse(&mut self, location: Location, field: Option<String>, message: String) {
        self.n_problems += 1;
        if self.problems.len() < MAX_LISTED {
            self.problems.push(Problem { location, field, message });
        }
    }

    /// The prompts in file order, or the refusal.
    pub(super) fn finish(self, path: &Path) -> Result<Vec<Prompt>, IngestError> {
        let path = path.to_owned();
        let Self { prompts, problems, n_problems, .. } = self;
        if n_problems > 0 {
            return Err(IngestError::Refused { path, n_problems, problems });
        }
        if prompts.is_empty() {
            return Err(IngestError::Empty { path });
        }
        Ok(prompts)
    }
}
