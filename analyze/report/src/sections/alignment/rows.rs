//! Rows of table `rsa` as the figures of alignment need them.

use crate::error::ReportError;
use crate::layers::Place;
use crate::question::{Answer, Row};
use crate::wording::{Estimate, coverage, number, thousands, with_interval};

/// How the rows of a figure were measured, apart from the normalization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Setting {
    pub(super) role: String,
    pub(super) pooling: String,
    pub(super) similarity: String,
    pub(super) comparison: String,
}

/// One row of `rsa`.
pub(super) struct Cell {
    pub(super) condition: String,
    pub(super) place: Place,
    pub(super) site: String,
    pub(super) normalization: String,
    pub(super) estimate: Option<Estimate>,
    /// The same with nuisances left in, and the nuisances.
    pub(super) unadjusted: Option<f64>,
    pub(super) nuisances: Option<String>,
    pub(super) rival: Option<String>,
    pub(super) rival_difference: Option<Estimate>,
    pub(super) rival_q_value: Option<f64>,
    pub(super) change: Option<Estimate>,
    pub(super) p_value_fwer: Option<f64>,
    pub(super) change_q_value: Option<f64>,
    pub(super) reference: Option<String>,
    pub(super) n_prompts: i64,
    pub(super) n_pairs: i64,
    pub(super) reason: Option<String>,
    pub(super) hover: String,
}

impl Cell {
    /// What the estimate is with nuisances left in; empty where there are none.
    pub(super) fn unadjusted_clause(&self) -> String {
        let both = self.unadjusted.zip(self.nuisances.as_ref());
        both.map_or_else(String::new, |(value, nuisances)| {
            format!("; {} with nuisances ({nuisances}) left in", number(value))
        })
    }
}

/// The setting of a row.
///
/// # Errors
/// When a column is not as the table says.
pub(super) fn setting(row: Row<'_>) -> Result<Setting, ReportError> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    Ok(Setting {
        role: text("role")?,
        pooling: text("pooling")?,
        similarity: text("similarity")?,
        comparison: text("comparison")?,
    })
}

/// Settings are chosen by name, not by result: rho-a, cosine, the whole prompt, mean first.
pub(super) fn preference(setting: &Setting) -> (bool, bool, bool, bool, Setting) {
    (
        setting.comparison != "rho_a",
        setting.similarity != "cosine",
        setting.role != "prompt",
        setting.pooling != "mean",
        setting.clone(),
    )
}

/// A row, read.
///
/// # Errors
/// When a column is not as the table says.
pub(super) fn cell(row: Row<'_>) -> Result<Cell, ReportError> {
    let optional = |column: &str| Ok::<_, ReportError>(row.optional_text(column)?.map(str::to_owned));
    let (condition, site) = (row.text("condition")?, row.text("site")?);
    let place = Place::new(row.integer("layer")?, site);
    let shown = row.estimate("estimate", "ci_low", "ci_high")?;
    let q_value = row.optional_number("q_value")?.map_or_else(String::new, |q| format!(", q = {q:.3}"));
    let value = shown.map_or_else(|| "not computed".to_owned(), with_interval);
    let unadjusted = row.optional_number("unadjusted")?;
    let raw = unadjusted.map_or_else(String::new, |v| format!(", {} with nuisances left in", number(v)));
    Ok(Cell {
        condition: condition.to_owned(),
        hover: format!("{condition}, {}: {value}{q_value}{raw}", place.name()),
        unadjusted,
        nuisances: optional("nuisances")?,
        rival: optional("rival")?,
        rival_difference: row.estimate("rival_difference", "rival_ci_low", "rival_ci_high")?,
        rival_q_value: row.optional_number("rival_q_value")?,
        place,
        site: site.to_owned(),
        normalization: row.text("normalization")?.to_owned(),
        estimate: shown,
        change: row.estimate("change", "change_ci_low", "change_ci_high")?,
        p_value_fwer: row.optional_number("p_value_fwer")?,
        change_q_value: row.optional_number("change_q_value")?,
        reference: optional("reference_condition")?,
        n_prompts: row.integer("n_prompts")?,
        n_pairs: row.integer("n_pairs")?,
        reason: optional("reason")?,
    })
}

/// Units, permutations, clusters and seed, in words.
///
/// # Errors
/// When a column is not as the table says.
pub(super) fn inference(answer: &Answer) -> Result<String, ReportError> {
    let Some(row) = answer.rows().next() else { return Ok(String::new()) };
    let held = row.optional_text("nuisances")?;
    let held = held.map_or_else(String::new, |nuisances| {
        format!(", and Student's t over clusters; held constant: {nuisances}")
    });
    Ok(format!(
        "{} permutations of {} units (equal {}){held}; bands: {} intervals over {} clusters (equal {}); seed {}",
        thousands(row.integer("n_permutations")? as usize),
        row.integer("n_units")?,
        row.text("units")?,
        coverage(row.number("confidence")?),
        row.integer("n_clusters")?,
        row.text("cluster")?,
        row.text("seed")?
    ))
}
