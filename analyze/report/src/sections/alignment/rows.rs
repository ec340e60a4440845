//! Rows of table `rsa` as the figures of alignment need them.

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
    pub(super) nuisances: String,
    pub(super) rival: String,
    pub(super) rival_difference: Option<Estimate>,
    pub(super) rival_q_value: Option<f64>,
    pub(super) change: Option<Estimate>,
    pub(super) p_value_fwer: Option<f64>,
    pub(super) change_q_value: Option<f64>,
    pub(super) reference: String,
    pub(super) n_prompts: i64,
    pub(super) n_pairs: i64,
    pub(super) reason: String,
    pub(super) hover: String,
}

impl Cell {
    /// What the estimate is with nuisances left in; empty where there are none.
    pub(super) fn unadjusted_clause(&self) -> String {
        let said = |value| format!("; {} with nuisances ({}) left in", number(value), self.nuisances);
        self.unadjusted.map_or_else(String::new, said)
    }
}

/// The setting of a row.
pub(super) fn setting(row: Row<'_>) -> Setting {
    let text = |column: &str| row.text(column).to_owned();
    Setting {
        role: text("role"),
        pooling: text("pooling"),
        similarity: text("similarity"),
        comparison: text("comparison"),
    }
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
pub(super) fn cell(row: Row<'_>) -> Cell {
    let estimate = |value: &str, low: &str, high: &str| {
        row.number(value).map(|value| Estimate {
            value,
            low: row.number(low),
            high: row.number(high),
            confidence: row.number("confidence").unwrap_or_default(),
        })
    };
    let place = Place::new(row.integer("layer"), row.text("site"));
    let shown = estimate("estimate", "ci_low", "ci_high");
    let q_value = row.number("q_value").map_or_else(String::new, |q| format!(", q = {q:.3}"));
    let value = shown.map_or_else(|| "undefined".to_owned(), with_interval);
    let unadjusted = row.number("unadjusted");
    let raw = unadjusted.map_or_else(String::new, |v| format!(", {} with nuisances left in", number(v)));
    Cell {
        condition: row.text("condition").to_owned(),
        hover: format!("{}, {}: {value}{q_value}{raw}", row.text("condition"), place.name()),
        unadjusted,
        nuisances: row.text("nuisances").to_owned(),
        rival: row.text("rival").to_owned(),
        rival_difference: estimate("rival_difference", "rival_ci_low", "rival_ci_high"),
        rival_q_value: row.number("rival_q_value"),
        place,
        site: row.text("site").to_owned(),
        normalization: row.text("normalization").to_owned(),
        estimate: shown,
        change: estimate("change", "change_ci_low", "change_ci_high"),
        p_value_fwer: row.number("p_value_fwer"),
        change_q_value: row.number("change_q_value"),
        reference: row.text("reference_condition").to_owned(),
        n_prompts: row.integer("n_prompts"),
        n_pairs: row.integer("n_pairs"),
        reason: row.text("reason").to_owned(),
    }
}

/// Units, permutations, clusters and seed, in words.
pub(super) fn inference(answer: &Answer) -> String {
    let Some(row) = answer.rows().next() else { return String::new() };
    let held = match row.text("nuisances") {
        "" => String::new(),
        nuisances => format!(", and Student's t over clusters; held constant: {nuisances}"),
    };
    format!(
        "{} permutations of {} units (equal {}){held}; bands: {} intervals over {} clusters (equal {}); seed {}",
        thousands(row.integer("n_permutations") as usize),
        row.integer("n_units"),
        row.text("units"),
        coverage(row.number("confidence").unwrap_or_default()),
        row.integer("n_clusters"),
        row.text("cluster"),
        row.text("seed")
    )
}
