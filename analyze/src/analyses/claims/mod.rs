//! Claims: what a study says beforehand that its results will show, and whether they do.
//!
//! A claim names one row of a result table (or two, whose difference is meant) and the sign that it expects. The row is
//! named in the study, a layer by its number or as the last: none is picked by its result, so that the row's own interval and
//! p-value hold. The claims of a task are corrected together.

mod verdict;

use super::entry::{Entry, Named};
use super::{Analysis, CheckedTask, Inputs, Results};
use crate::answer::ask;
use crate::catalog::Catalog;
use crate::checked_questions::CheckedQuestions;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, claims_section};
use crate::settings::AnalysisSettings;
use crate::stats::multiple_testing::benjamini_hochberg;
use hypercolumn_schemas::tables::{self, ClaimRow};
use hypercolumn_schemas::{Table, Undefined};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use verdict::{Effect, verdict};

/// What a study claims: table `claims`.
pub(crate) struct Claims;

/// A `[[claim]]` entry. Its SQL is over one row of the result table that it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Name of the task that it is about.
    pub task: String,
    /// The claim in words.
    pub claim: String,
    /// The result table that the claim is about.
    pub about: About,
    /// SQL over one row of that table: the row that the claim is about.
    #[serde(rename = "where")]
    pub row: String,
    /// SQL over one row: the row whose value is subtracted, if the claim is about a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<String>,
    /// The layer: a number, or `last`; for associations, which have layers of measures, as `where` says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// Whether the change against the reference condition is meant, or the level.
    #[serde(default)]
    pub value: Meant,
    /// The sign that the claim expects.
    pub expected: Sign,
    /// The smallest effect that would count, in the units of the estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest: Option<f64>,
}

/// A result table that claims can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Alignment with a hypothesis.
    Rsa,
    /// Attention ratios.
    AttentionRatios,
    /// Changes of behaviour and their associations with measures.
    Associations,
    /// Changes between the conditions of a declared contrast.
    Contrasts,
}

/// A layer by number or place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Layer {
    /// Its number.
    Number(i16),
    /// Its place.
    Place(Place),
}

/// A layer's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The last that the rows have.
    Last,
}

/// Which value of a row is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meant {
    /// The change against the reference condition.
    #[default]
    Change,
    /// The row's estimate.
    Level,
}

/// An expected sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Above 0.
    Positive,
    /// Below 0.
    Negative,
}

impl Sign {
    fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        }
    }
}

impl About {
    fn table(self) -> &'static Table {
        match self {
            Self::Rsa => &tables::RSA,
            Self::AttentionRatios => &tables::ATTENTION_RATIOS,
            Self::Associations => &tables::ASSOCIATIONS,
            Self::Contrasts => &tables::CONTRASTS,
        }
    }

    /// The columns of estimate, interval, p-value and number of observations. Associations and contrasts compare conditions
    /// themselves.
    fn columns(self, meant: Meant) -> [&'static str; 5] {
        match (self, meant) {
            (Self::Associations, _) => ["estimate", "ci_low", "ci_high", "p_value", "n"],
            (Self::Contrasts, _) => ["change", "ci_low", "ci_high", "p_value", "n_items"],
            (_, Meant::Change) => {
                ["change", "change_ci_low", "change_ci_high", "change_p_value", "n_prompts"]
            }
            (Self::Rsa, Meant::Level) => ["estimate", "ci_low", "ci_high", "p_value", "n_prompts"],
            (Self::AttentionRatios, Meant::Level) => {
                ["contrast", "contrast_ci_low", "contrast_ci_high", "p_value", "n_prompts"]
            }
        }
    }
}

impl Entry for Claim {
    fn task(&self) -> &str {
        &self.task
    }

    fn label(&self) -> String {
        self.claim.clone()
    }

    fn problem(&self) -> Option<String> {
        let is_wrong = self.smallest.is_some_and(|smallest| !(smallest.is_finite() && smallest > 0.0));
        is_wrong.then(|| "`smallest` must be a number above 0".to_owned())
    }

    fn to_json(&self) -> Value {
        json!(self)
    }
}

impl Analysis for Claims {
    type Entry = Claim;
    type Prepared = Vec<Arc<Claim>>;

    fn name(&self) -> &'static str {
        "claims"
    }

    fn entry_key(&self) -> Option<&'static str> {
        Some("claim")
    }

    fn code_version(&self) -> u32 {
        1
    }

    fn inputs(&self) -> &'static [&'static Table] {
        &[]
    }

    fn reads_results(&self) -> bool {
        true
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!({"confidence": shared.confidence, "seed": shared.seed.to_string()})
    }

    fn check(
        &self,
        task: &CheckedTask<'_>,
        entry: &Named<Claim>,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        for (key, sql) in entry.entry.conditions() {
            found.note(check_condition(task.catalog, entry, key, sql))?;
        }
        Ok(())
    }

    fn prepare(&self, inputs: Inputs<'_>, entries: &[Named<Claim>]) -> Result<Self::Prepared, AnalyzeError> {
        for entry in entries {
            let mut conditions = entry.entry.conditions();
            conditions.try_for_each(|(key, sql)| check_condition(inputs.catalog, entry, key, sql))?;
        }
        Ok(entries.iter().map(|named| Arc::clone(&named.entry)).collect())
    }

    fn compute(&self, inputs: Inputs<'_>, claims: &Self::Prepared) -> Result<Vec<Results>, AnalyzeError> {
        let mut rows: Vec<ClaimRow> =
            claims.iter().map(|claim| claim_row(inputs, claim)).collect::<Result<_, _>>()?;
        let p_values: Vec<Option<f64>> = rows.iter().map(|row| row.p_value).collect();
        for (row, q_value) in rows.iter_mut().zip(benjamini_hochberg(&p_values)) {
            row.q_value = q_value;
            row.verdict = verdict(row).to_owned();
        }
        Ok(vec![Results::corrected(&rows, &[])?])
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        Ok(claims_section(inputs)?.into_iter().collect())
    }
}

impl Claim {
    fn conditions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let minus = self.minus.as_deref().map(|sql| ("minus", sql));
        std::iter::once(("where", self.row.as_str())).chain(minus)
    }
}

/// Refuses SQL that is no condition on a row of the claim's table.
fn check_condition(
    catalog: &Catalog,
    entry: &Named<Claim>,
    key: &'static str,
    sql: &str,
) -> Result<(), AnalyzeError> {
    let table = entry.entry.about.table().name;
    Ok(Expression { entry: &entry.name, key, sql }.check_condition(catalog, "condition", table)?)
}

/// A row of the result table that a claim names.
struct Found {
    condition: String,
    reference_condition: Option<String>,
    layer: i64,
    estimate: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    p_value: Option<f64>,
    n: i64,
    n_units: i64,
    n_clusters: i64,
    reason: Option<String>,
}

fn claim_row(inputs: Inputs<'_>, claim: &Claim) -> Result<ClaimRow, AnalyzeError> {
    let confidence = inputs.settings.confidence;
    let mut row = ClaimRow {
        preset: inputs.study.to_owned(),
        claim: claim.claim.clone(),
        about: claim.about.table().name.to_owned(),
        condition: None,
        reference_condition: None,
        layer: None,
        expected_sign: claim.expected.name().to_owned(),
        estimate: None,
        ci_low: None,
        ci_high: None,
        p_value: None,
        q_value: None,
        verdict: String::new(),
        smallest: claim.smallest,
        detectable: None,
        n: None,
        n_units: None,
        n_clusters: None,
        confidence,
        family: "claims".to_owned(),
        seed: inputs.settings.seed.to_string(),
        reason: None,
    };
    let mut found = Vec::new();
    for (_, sql) in claim.conditions() {
        match find(inputs, claim, sql)? {
            Ok(one) => found.push(one),
            Err(reason) => {
                row.reason = Some(reason.to_string());
                return Ok(row);
            }
        }
    }
    let first = &found[0];
    let fewest = |of: fn(&Found) -> i64| found.iter().map(of).min().map(|n| n as i32);
    row.condition = Some(first.condition.clone());
    row.reference_condition = first.reference_condition.clone();
    row.layer = Some(first.layer as i16);
    (row.n, row.n_units, row.n_clusters) = (fewest(|f| f.n), fewest(|f| f.n_units), fewest(|f| f.n_clusters));
    row.reason = found.iter().find_map(|f| f.reason.clone());
    let degrees = f64::from(row.n_clusters.unwrap_or_default() - 1);
    let effects: Option<Vec<Effect>> = found.iter().map(|f| Effect::of(f, confidence, degrees)).collect();
    if let Some(effects) = effects {
        let effect = match effects.as_slice() {
            [one] => *one,
            [one, other] => one.minus(other, confidence, degrees),
            _ => unreachable!("a claim names one row or two"),
        };
        (row.estimate, row.ci_low, row.ci_high) = (Some(effect.value), Some(effect.low), Some(effect.high));
        (row.p_value, row.detectable) = (effect.p_value, Some(effect.detectable(degrees)));
    }
    Ok(row)
}

/// The one row that `sql` leaves of the claim's table, or why there is not one.
fn find(inputs: Inputs<'_>, claim: &Claim, sql: &str) -> Result<Result<Found, Undefined>, AnalyzeError> {
    let Inputs { catalog, study, model, prompts, .. } = inputs;
    let table = claim.about.table().name;
    let [estimate, low, high, p_value, n] = claim.about.columns(claim.value);
    let rows = format!(
        "FROM {table} WHERE study = $1::VARCHAR AND model = $2::VARCHAR AND task = $3::VARCHAR AND (\n{sql}\n)"
    );
    let layer = match claim.layer {
        None => String::new(),
        Some(Layer::Number(layer)) => format!(" AND layer = {layer}"),
        Some(Layer::Place(Place::Last)) => format!(" AND layer = (SELECT max(layer) {rows})"),
    };
    let is_level = claim.value == Meant::Level && matches!(claim.about, About::Rsa | About::AttentionRatios);
    let reference = if is_level { "NULL::VARCHAR" } else { "reference_condition" };
    let question = format!(
        "SELECT condition, {reference} AS reference_condition, layer, {estimate} AS estimate, {low} AS ci_low, {high} AS \
         ci_high, {p_value} AS p_value, {n} AS n, n_units, n_clusters, reason {rows}{layer}"
    );
    let task = prompts.task.as_str();
    let answer =
        ask(catalog.connection(), &question, &[&study, &model, &task], "look for the row of a claim")?;
    let conditions = answer.column::<String>("condition")?;
    Ok(match conditions.len() {
        0 => Err(Undefined::NoRow),
        1 => Ok(Found {
            condition: conditions[0].clone(),
            reference_condition: answer.column("reference_condition")?.remove(0),
            layer: answer.column("layer")?.remove(0),
            estimate: answer.column("estimate")?.remove(0),
            ci_low: answer.column("ci_low")?.remove(0),
            ci_high: answer.column("ci_high")?.remove(0),
            p_value: answer.column("p_value")?.remove(0),
            n: answer.column("n")?.remove(0),
            n_units: answer.column("n_units")?.remove(0),
            n_clusters: answer.column("n_clusters")?.remove(0),
            reason: answer.column("reason")?.remove(0),
        }),
        _ => Err(Undefined::SeveralRows),
    })
}
