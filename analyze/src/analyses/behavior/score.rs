//! Metrics of a study's own, in SQL over a prompt and the response to it.

use crate::analyses::entry::{Entry, Named};
use crate::analyses::{CheckedTask, Inputs};
use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::{Expression, ValueKind};
use crate::prompts::{INDEX, TaskPrompts};
use crate::quote::literal;
use crate::scoring::Judgement;
use hypercolumn_schemas::tables::SAMPLED;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A `[[score]]` entry: a metric of behaviour, of which larger is better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Score {
    /// Name of the task that it is about.
    pub(crate) task: String,
    /// Name of the metric.
    pub(crate) metric: String,
    /// SQL over one prompt (its columns and params) and its `response`, `n_tokens` and `expected_logprob`: a number, or true or
    /// false as 1 and 0. Larger is better; null is no score.
    pub(crate) sql: String,
}

/// Metrics that are there without an entry.
const BUILT_IN: [&str; 10] = [
    "absolute_error",
    "contains",
    "exact_match",
    "expected_logprob",
    "first_line",
    "forced_choice",
    "forced_choice_per_character",
    "forced_choice_per_token",
    "forced_choice_pmi",
    "numeric",
];

/// The column of a response's number, called so that no param has the name.
const SAMPLE: &str = "__sample";

/// The columns of a response that a score is asked over, with their types.
const OF_RESPONSE: [(&str, &str); 3] =
    [("response", "VARCHAR"), ("n_tokens", "INTEGER"), ("expected_logprob", "FLOAT")];

impl Entry for Score {
    fn task(&self) -> &str {
        &self.task
    }

    fn label(&self) -> String {
        self.metric.clone()
    }

    fn problem(&self) -> Option<String> {
        if self.metric.trim().is_empty() || self.metric.chars().any(char::is_control) {
            return Some("the name of a metric is empty or has control characters".to_owned());
        }
        if self.metric.starts_with(SAMPLED) {
            return Some(format!("names that begin with `{SAMPLED}` are those of drawn responses"));
        }
        BUILT_IN.contains(&self.metric.as_str()).then(|| {
            format!("`{}` is a metric that every study has; give this one another name", self.metric)
        })
    }

    fn to_json(&self) -> Value {
        json!(self)
    }
}

impl Named<Score> {
    fn expression(&self) -> Expression<'_> {
        Expression { entry: &self.name, key: "sql", sql: &self.entry.sql }
    }

    /// Refuses SQL that gives no number over prompts and responses; no response needs to be there.
    pub(super) fn check(&self, task: &CheckedTask<'_>) -> Result<(), AnalyzeError> {
        let nothing = OF_RESPONSE.map(|(column, kind)| format!("NULL::{kind} AS {column}")).join(", ");
        let from =
            format!("(SELECT {}, {nothing} FROM {} AS p)", prompt_columns(&task.prompts), task.prompts.table);
        self.check_kind(task.catalog, &from)
    }

    fn check_kind(&self, catalog: &Catalog, from: &str) -> Result<(), AnalyzeError> {
        match self.expression().check(catalog, INDEX, from)? {
            ValueKind::Boolean | ValueKind::Integer | ValueKind::Number => Ok(()),
            ValueKind::Other => Err(self.expression().refuse("a score is a number, or true or false").into()),
        }
    }

    /// The score of each response; infinities and NaN are null.
    pub(super) fn judge(&self, inputs: Inputs<'_>) -> Result<Vec<OwnScore>, AnalyzeError> {
        let Inputs { catalog, model, prompts, .. } = inputs;
        let from = answered(prompts, model);
        self.check_kind(catalog, &from)?;
        let sql = format!(
            "SELECT {INDEX}, {SAMPLE}, CASE WHEN isfinite(value) THEN value END AS score
             FROM (SELECT {INDEX}, {SAMPLE}, {}::DOUBLE AS value FROM {from}) ORDER BY {INDEX}, {SAMPLE}",
            self.expression().parenthesized()
        );
        let answer = self.expression().ask(catalog, &sql)?;
        let scores = answer.column::<Option<f64>>("score")?;
        let samples = answer.column::<i64>(SAMPLE)?;
        let responses = answer.column::<i64>(INDEX)?.into_iter().zip(samples).zip(scores);
        let judge = |((prompt, sample), score)| OwnScore {
            prompt: prompt as usize,
            sample: sample as i16,
            judgement: Judgement { metric: self.entry.metric.clone().into(), score, parsed: None },
        };
        Ok(responses.map(judge).collect())
    }
}

/// What an entry says of a response.
#[derive(Clone, Debug)]
pub(crate) struct OwnScore {
    /// The prompt's number.
    pub(super) prompt: usize,
    /// The response: 0 is the greedy one.
    pub(super) sample: i16,
    pub(super) judgement: Judgement,
}

/// The prompts of a task beside the model's responses, as a relation.
fn answered(prompts: &TaskPrompts, model: &str) -> String {
    let columns = OF_RESPONSE.map(|(column, kind)| format!("r.{column}::{kind} AS {column}")).join(", ");
    format!(
        "(SELECT {}, {columns}, r.sample::BIGINT AS {SAMPLE} FROM {} AS p JOIN responses AS r USING (prompt_id)
          WHERE r.model = {} AND r.task = {})",
        prompt_columns(prompts),
        prompts.table,
        literal(model),
        literal(&prompts.task)
    )
}

/// The columns of prompts but for params that are called as a column of responses.
fn prompt_columns(prompts: &TaskPrompts) -> String {
    prompts.columns_except(&OF_RESPONSE.map(|(column, _)| column))
}
