//! What the study's declared contrasts say of one task, as sentences for the section of each analysis.

use super::conditions::{Conditions, contrast};
use super::error::ReportError;
use super::layers::{Change, Place, change_sentence, judge};
use super::question::{Question, Row, question};
use super::request::ReportRequest;
use super::wording::{interval, reason_words, signed};
use hypercolumn_catalog::catalog::Catalog;

const CONTRASTS: Question = question!("report_contrasts");

/// The contrasts of one task in one analysis.
#[derive(Debug, Default)]
pub(super) struct DeclaredContrasts {
    rows: Vec<ChangeRow>,
    /// The statement that gives them.
    pub(super) sql: Option<String>,
}

/// One row of `contrasts`.
#[derive(Debug)]
struct ChangeRow {
    contrast: String,
    condition: String,
    reference: String,
    question: String,
    variant: String,
    change: Option<Change>,
    n_items: i64,
    /// Why there is no change.
    reason: Option<String>,
}

fn change_row(row: Row<'_>) -> Result<ChangeRow, ReportError> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    let estimate = row.estimate("change", "ci_low", "ci_high")?;
    let place = Place::new(row.integer("layer")?, row.optional_text("site")?.unwrap_or_default());
    let q_value = row.optional_number("q_value")?;
    Ok(ChangeRow {
        contrast: text("contrast")?,
        condition: text("condition")?,
        reference: text("reference_condition")?,
        question: text("question")?,
        variant: text("variant")?,
        change: estimate.map(|estimate| Change { place, estimate, q_value }),
        n_items: row.integer("n_items")?,
        reason: row.optional_text("reason")?.map(str::to_owned),
    })
}

impl DeclaredContrasts {
    /// Reads what an analysis found.
    ///
    /// # Errors
    /// When the question cannot be answered.
    pub(super) fn read(
        catalog: &Catalog,
        request: &ReportRequest,
        conditions: &Conditions,
        analysis: &str,
    ) -> Result<Self, ReportError> {
        let places = [
            ("study", request.study.as_str()),
            ("model", request.model.as_str()),
            ("task", conditions.task.as_str()),
            ("analysis", analysis),
        ];
        let answer = CONTRASTS.ask(catalog, &places)?;
        let rows: Vec<ChangeRow> = answer.rows().map(change_row).collect::<Result<_, _>>()?;
        let sql = (!rows.is_empty()).then(|| answer.sql.clone());
        Ok(Self { rows, sql })
    }

    /// One sentence a contrast about a question measured in one way, over its layers; nothing where none is declared.
    pub(super) fn sentences(
        &self,
        (question, variant): (&str, &str),
        subject: &str,
        conditions: &Conditions,
    ) -> String {
        let is_asked = |row: &&ChangeRow| row.question == question && row.variant == variant;
        let asked: Vec<&ChangeRow> = self.rows.iter().filter(is_asked).collect();
        let sentence = |rows: &[&ChangeRow]| {
            let ChangeRow { contrast: name, condition, reference, .. } = rows[0];
            let n_items = rows.iter().map(|row| row.n_items).max().unwrap_or(0);
            let words = contrast(&conditions.find(reference), &conditions.find(condition));
            let changes: Vec<Change> = rows.iter().filter_map(|row| row.change.clone()).collect();
            match judge(&changes) {
                None => {
                    let reason = reason_words(rows.iter().find_map(|row| row.reason.as_deref()));
                    format!(" Contrast “{name}”: the change of {subject} is not computed: {reason}.")
                }
                Some(verdict) if verdict.largest.place.layer < 0 => {
                    let estimate = verdict.largest.estimate;
                    let said = if verdict.is_reliable() { "" } else { ", not reliably different from 0" };
                    let size = format!("{} ({})", signed(estimate.value), interval(estimate));
                    format!(
                        " Contrast “{name}”, {words}: {subject} changes by {size}{said}, n = {n_items} items."
                    )
                }
                Some(verdict) => {
                    let said = change_sentence(&words, subject, &verdict);
                    format!(" Contrast “{name}”, n = {n_items} items: {said}")
                }
            }
        };
        asked.chunk_by(|a, b| a.contrast == b.contrast).map(sentence).collect()
    }
}
