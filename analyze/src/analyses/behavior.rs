//! Behaviour: how good each answer is, by every metric that the prompt allows.

use super::entry::{Named, NoEntry};
use super::{Analysis, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::answer::ask;
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, behavior_section};
use crate::scoring::Judgement;
use crate::settings::AnalysisSettings;
use hypercolumn_schemas::tables::{self, BehaviorRow};
use hypercolumn_schemas::{Progress, Table};
use serde_json::Value;

/// How good the answers are: table `behavior`.
pub(crate) struct Behavior;

impl Analysis for Behavior {
    type Entry = NoEntry;
    type Prepared = ();

    fn name(&self) -> &'static str {
        "behavior"
    }

    fn code_version(&self) -> u32 {
        2
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 3] = [&tables::PROMPTS, &tables::RESPONSES, &tables::CHOICES];
        &INPUTS
    }

    fn settings(&self, _: &AnalysisSettings) -> Value {
        Value::Null
    }

    fn check(&self, _: &CheckedTask<'_>, entry: &Named<NoEntry>) -> Result<(), AnalyzeError> {
        match *entry.entry {}
    }

    fn prepare(&self, _: Inputs<'_>, _: &[Named<NoEntry>]) -> Result<(), AnalyzeError> {
        Ok(())
    }

    fn compute(&self, inputs: Inputs<'_>, (): &()) -> Result<Vec<Results>, AnalyzeError> {
        Ok(vec![Results::of(&score_answers(inputs)?)?])
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        Ok(vec![behavior_section(inputs)?])
    }
}

/// Rows of `behavior`, in order of prompt and metric.
fn score_answers(inputs: Inputs<'_>) -> Result<Vec<BehaviorRow>, AnalyzeError> {
    let Inputs { catalog, model, prompts, design, progress, .. } = inputs;
    let sql = include_str!("../../queries/answers.sql");
    let task = prompts.task.as_str();
    let answer = ask(catalog.connection(), sql, &[&model, &task], "read the answers")?;
    let ids = answer.column::<String>("prompt_id")?;
    let expected = answer.column::<Option<String>>("expected")?;
    let responses = answer.column::<String>("response")?;
    let logprobs = answer.column::<Option<f64>>("expected_logprob")?;
    let choices = answer.column::<Option<String>>("choice")?;
    let forced = answer.column::<Option<f64>>("is_right")?;
    warn_of_empty_responses(prompts, &responses, progress);
    let mut rows = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        let Some(prompt) = prompts.number(id) else { continue };
        let mut push = |metric: &str, score: Option<f64>, parsed: Option<String>| {
            rows.push(BehaviorRow {
                prompt_id: prompts.ids[prompt].to_string(),
                item_id: prompts.items[prompt].to_string(),
                condition: prompts.conditions[prompts.condition_of[prompt]].to_string(),
                metric: metric.to_owned(),
                score,
                parsed,
            });
        };
        if let Some(expected) = &expected[i] {
            for Judgement { metric, score, parsed } in design.scoring.judge(&responses[i], expected) {
                push(metric, score, parsed);
            }
        }
        if logprobs[i].is_some() {
            push("expected_logprob", logprobs[i], None);
        }
        if forced[i].is_some() {
            push("forced_choice", forced[i], choices[i].clone());
        }
    }
    Ok(rows)
}

/// A model that wrote nothing has no behaviour to speak of; where responses were asked for, their number is said.
fn warn_of_empty_responses(prompts: &TaskPrompts, responses: &[String], progress: &dyn Progress) {
    let n_empty = responses.iter().filter(|response| response.trim().is_empty()).count();
    if n_empty > 0 && n_empty < responses.len() {
        let (task, n) = (&prompts.task, responses.len());
        progress
            .warn(&format!("{task}: {n_empty} of {n} responses are empty; they are scored as what they are"));
    }
}
