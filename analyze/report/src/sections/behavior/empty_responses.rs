//! Empty responses by condition: the model ended at once. They are scored as they are, so that a change of their number is a part
//! of a change of the scores.

use crate::conditions::Conditions;
use crate::error::ReportError;
use crate::question::{Question, question};
use crate::request::ReportRequest;
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_catalog::responses::are_generated;

const EMPTY: Question = question!("report_empty_responses");

/// The empty responses of a task.
pub(super) struct EmptyResponses {
    /// Conditions in their order, each with its empty and all responses; none where no response is empty.
    counts: Vec<Count>,
    /// The SQL that gives them.
    pub(super) sql: String,
}

struct Count {
    condition: String,
    n_empty: i64,
    n_responses: i64,
}

impl EmptyResponses {
    /// Counts them; none where the model was asked for no responses.
    ///
    /// # Errors
    /// When the question cannot be answered.
    pub(super) fn read(
        catalog: &Catalog,
        request: &ReportRequest,
        conditions: &Conditions,
    ) -> Result<Self, ReportError> {
        let (model, task) = (request.model.as_str(), conditions.task.as_str());
        let answer = EMPTY.ask(catalog, &[("model", model), ("task", task)])?;
        let is_generated = are_generated(catalog.snapshot(), model, task);
        let mut counts = Vec::new();
        for condition in conditions.all.iter().filter(|_| is_generated) {
            for row in answer.rows_where("condition", &condition.name)? {
                let (n_empty, n_responses) = (row.integer("n_empty")?, row.integer("n_responses")?);
                counts.push(Count { condition: condition.name.clone(), n_empty, n_responses });
            }
        }
        Ok(Self { counts, sql: answer.sql })
    }

    /// What is said of them below the figure; nothing where there are none.
    pub(super) fn sentence(&self) -> Option<String> {
        let said =
            |c: &Count| format!("{} of {} responses are empty in {}", c.n_empty, c.n_responses, c.condition);
        let counts: Vec<String> = self.counts.iter().map(said).collect();
        (!counts.is_empty()).then(|| {
            format!(
                "{}; white space alone counts as empty, and all are scored as what they are.",
                counts.join(", ")
            )
        })
    }
}
