//! Behaviour: how good each answer is, by every metric that the prompt allows.

mod score;

use score::{OwnScore, Score};

use super::contrast_rows::{ContrastRows, FoundChange, Location};
use super::entry::Named;
use super::{Analysis, Correction, Inputs, Results, TaskContext};
use crate::analyses::CheckedTask;
use crate::answer::ask;
use crate::checked_questions::CheckedQuestions;
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, behavior_section};
use crate::responses::are_generated;
use crate::scoring::{Judgement, Scoring};
use crate::settings::AnalysisSettings;
use crate::stats::clusters::mean_over_clusters;
use hypercolumn_schemas::tables::{self, BehaviorRow, ContrastRow, SAMPLED};
use hypercolumn_schemas::{Progress, Table};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// How good the answers are: table `behavior`.
pub(crate) struct Behavior;

impl Analysis for Behavior {
    type Entry = Score;
    type Prepared = Vec<OwnScore>;

    fn name(&self) -> &'static str {
        "behavior"
    }

    fn entry_key(&self) -> Option<&'static str> {
        Some("score")
    }

    fn is_always_answered(&self) -> bool {
        true
    }

    fn code_version(&self) -> u32 {
        5
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 3] = [&tables::PROMPTS, &tables::RESPONSES, &tables::CHOICES];
        &INPUTS
    }

    fn settings(&self, settings: &AnalysisSettings) -> Value {
        json!({"confidence": settings.confidence})
    }

    fn check(
        &self,
        task: &CheckedTask<'_>,
        entry: &Named<Score>,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        found.note(entry.check(task)).map(drop)
    }

    fn prepare(&self, inputs: Inputs<'_>, entries: &[Named<Score>]) -> Result<Vec<OwnScore>, AnalyzeError> {
        let judged: Result<Vec<_>, _> = entries.iter().map(|entry| entry.judge(inputs)).collect();
        Ok(judged?.into_iter().flatten().collect())
    }

    fn compute(&self, inputs: Inputs<'_>, own: &Vec<OwnScore>) -> Result<Vec<Results>, AnalyzeError> {
        let rows = score_answers(inputs, own)?;
        let declared = contrast_scores(inputs.context(), &rows)?;
        Ok(vec![Results::of(&rows)?, Results::corrected(&declared, &[Correction::LEVEL])?])
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        Ok(vec![behavior_section(inputs)?])
    }
}

/// Rows of `behavior`, in order of prompt and response; `own` are the scores of the study's entries.
fn score_answers(inputs: Inputs<'_>, own: &[OwnScore]) -> Result<Vec<BehaviorRow>, AnalyzeError> {
    let Inputs { catalog, model, prompts, design, progress, .. } = inputs;
    let sql = include_str!("../../../queries/answers.sql");
    let task = prompts.task.as_str();
    let answer = ask(catalog.connection(), sql, &[&model, &task], "read the answers")?;
    let ids = answer.column::<String>("prompt_id")?;
    let samples = answer.column::<i64>("sample")?;
    let expected = answer.column::<Option<String>>("expected")?;
    let responses = answer.column::<String>("response")?;
    let logprobs = answer.column::<Option<f64>>("expected_logprob")?;
    let mut forced = forced_choices(inputs)?;
    if are_generated(catalog.snapshot(), model, task) {
        warn_of_empty_responses(prompts, &responses, progress);
    }
    let greedy = expected.iter().zip(&samples).filter(|(_, sample)| **sample == 0);
    let expected_of_prompts: Vec<_> = greedy.map(|(expected, _)| expected.clone()).collect();
    warn_of_answers_without_number(prompts, &design.scoring, &expected_of_prompts, progress);
    let mut own_of: HashMap<(usize, i16), Vec<Judgement>> = HashMap::new();
    for OwnScore { prompt, sample, judgement } in own {
        own_of.entry((*prompt, *sample)).or_default().push(judgement.clone());
    }
    let mut rows = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        let Some(prompt) = prompts.number(id) else { continue };
        let sample = samples[i] as i16;
        let mut judgements = match &expected[i] {
            Some(expected) => design.scoring.judge(&responses[i], expected),
            None => Vec::new(),
        };
        judgements.extend(own_of.remove(&(prompt, sample)).unwrap_or_default());
        if sample > 0 {
            judgements.iter_mut().for_each(|j| j.metric = format!("{SAMPLED}{}", j.metric).into());
        } else {
            let expected_logprob =
                |score| Judgement { metric: "expected_logprob".into(), score, parsed: None };
            judgements.extend(logprobs[i].map(|logprob| expected_logprob(Some(logprob))));
            judgements.extend(forced.remove(id).unwrap_or_default());
        }
        rows.extend(judgements.into_iter().map(|Judgement { metric, score, parsed }| BehaviorRow {
            prompt_id: prompts.ids[prompt].to_string(),
            item_id: prompts.items[prompt].to_string(),
            condition: prompts.conditions[prompts.condition_of[prompt]].to_string(),
            metric: metric.into_owned(),
            sample,
            score,
            parsed,
        }));
    }
    Ok(rows)
}

/// By item, its mean score, turned so that positive is better.
type ItemScores<'a> = BTreeMap<&'a str, f64>;

/// The change of each metric between the conditions of declared contrasts, over the items scored in both.
fn contrast_scores(context: TaskContext<'_>, rows: &[BehaviorRow]) -> Result<Vec<ContrastRow>, AnalyzeError> {
    let TaskContext { prompts, design, settings } = context;
    let clusters = design.clusters();
    let cluster_of: HashMap<&str, u32> =
        prompts.items.iter().zip(&clusters.of).map(|(item, cluster)| (&**item, *cluster)).collect();
    let mut metrics: Vec<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let mut found = Vec::new();
    for contrast in &design.contrasts {
        for metric in &metrics {
            let scores = |condition: usize| mean_by_item(rows, metric, &prompts.conditions[condition]);
            let (before, after) = (scores(contrast.reference), scores(contrast.condition));
            let change = |(item, after): (&&str, &f64)| Some((after - before.get(item)?, cluster_of[item]));
            let (changes, of): (Vec<f64>, Vec<u32>) = after.iter().filter_map(change).unzip();
            let estimate = match mean_over_clusters(&changes, &of) {
                Ok(estimate) => Ok(estimate),
                Err(error) => Err(error.undefined().ok_or(AnalyzeError::Numerics(error))?),
            };
            let of_question = ContrastRows {
                context,
                contrast,
                analysis: "behavior",
                question: metric,
                variant: "",
                family: None,
                cluster: &clusters.sql,
            };
            let change = FoundChange::new(estimate, settings.confidence, changes.len());
            found.push(of_question.row(&Location::NOWHERE, change));
        }
    }
    Ok(found)
}

fn mean_by_item<'r>(rows: &'r [BehaviorRow], metric: &str, condition: &str) -> ItemScores<'r> {
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.metric == metric && row.condition == condition) {
        let Some(score) = row.score else { continue };
        let (sum, count) = sums.entry(&row.item_id).or_default();
        *sum += if is_error(metric) { -score } else { score };
        *count += 1.0;
    }
    sums.into_iter().map(|(item, (sum, count))| (item, sum / count)).collect()
}

/// Whether smaller is better.
fn is_error(metric: &str) -> bool {
    metric.strip_prefix(SAMPLED).unwrap_or(metric) == "absolute_error"
}

/// The forced choices of each prompt that has any.
fn forced_choices(inputs: Inputs<'_>) -> Result<HashMap<String, Vec<Judgement>>, AnalyzeError> {
    let Inputs { catalog, model, prompts, design, .. } = inputs;
    let sql = include_str!("../../../queries/forced_choices.sql");
    let (task, baseline) = (prompts.task.as_str(), design.scoring.pmi_baseline.as_deref());
    let answer = ask(catalog.connection(), sql, &[&model, &task, &baseline], "read the forced choices")?;
    let metrics = answer.column::<String>("metric")?.into_iter();
    let choices = answer.column::<String>("choice")?.into_iter();
    let scores = answer.column::<f64>("is_right")?.into_iter();
    let judgements = metrics.zip(choices).zip(scores).map(|((metric, choice), score)| Judgement {
        metric: metric.into(),
        score: Some(score),
        parsed: Some(choice),
    });
    let mut of_prompt: HashMap<String, Vec<Judgement>> = HashMap::new();
    for (id, judgement) in answer.column::<String>("prompt_id")?.into_iter().zip(judgements) {
        of_prompt.entry(id).or_default().push(judgement);
    }
    Ok(of_prompt)
}

/// Where numbers are scored, says how many expected answers are none and have no score.
fn warn_of_answers_without_number(
    prompts: &TaskPrompts,
    scoring: &Scoring,
    expected: &[Option<String>],
    progress: &dyn Progress,
) {
    let mut unread = expected.iter().flatten().filter(|answer| !scoring.can_score(answer));
    let Some(first) = unread.next() else { return };
    let (task, n, of) = (&prompts.task, 1 + unread.count(), expected.len());
    progress.warn(&format!(
        "{task}: {n} of {of} prompts have an expected answer that is no number and are not scored by `numeric` (the first is \
         `{first}`)"
    ));
}

/// A model that wrote nothing has no behaviour to speak of; where responses were asked for, their number is said.
fn warn_of_empty_responses(prompts: &TaskPrompts, responses: &[String], progress: &dyn Progress) {
    let n_empty = responses.iter().filter(|response| response.trim().is_empty()).count();
    if n_empty > 0 {
        let (task, n) = (&prompts.task, responses.len());
        progress
            .warn(&format!("{task}: {n_empty} of {n} responses are empty; they are scored as what they are"));
    }
}

#[cfg(test)]
mod tests {
    use crate::answer::ask;

    #[test]
    fn candidates_are_compared_by_sum_and_by_length() {
        let connection = duckdb::Connection::open_in_memory().expect("a database");
        let prompts = "CREATE TABLE prompts AS SELECT 't' AS task, * FROM (VALUES
            ('p', 'i', 'full'), ('q', 'i', 'other'), ('r', 'i', 'full'), ('s', 'i', 'cue')
        ) AS rows(prompt_id, item_id, condition)";
        connection.execute_batch(prompts).expect("a table");
        let choices = "CREATE TABLE choices AS SELECT 'm' AS model, 't' AS task, * FROM (VALUES
            ('p', 'ab', 1::INTEGER, (-2.0)::FLOAT, false), ('p', 'abcdef', 3::INTEGER, (-3.0)::FLOAT, true),
            ('q', 'ab', 2::INTEGER, (-2.0)::FLOAT, true), ('q', 'cd', 2::INTEGER, (-2.0)::FLOAT, false),
            ('r', 'ab', 1::INTEGER, (-1.0)::FLOAT, false), ('r', 'cd', 1::INTEGER, (-9.0)::FLOAT, false),
            ('s', 'ab', 1::INTEGER, (-1.5)::FLOAT, true), ('s', 'cd', 1::INTEGER, (-4.0)::FLOAT, false)
        ) AS rows(prompt_id, text, n_tokens, logprob, is_expected)";
        connection.execute_batch(choices).expect("a table");
        let sql = include_str!("../../../queries/forced_choices.sql");
        let ask_for = |baseline: Option<&str>| {
            ask(&connection, sql, &[&"m", &"t", &baseline], "read the forced choices").expect("an answer")
        };
        let answer = ask_for(None);
        let metrics = ["forced_choice", "forced_choice_per_token", "forced_choice_per_character"];
        let ids = answer.column::<String>("prompt_id").expect("ids");
        assert_eq!(
            ids,
            ["p", "p", "p", "q", "q", "q", "s", "s", "s"],
            "a prompt without an expected candidate has no choice"
        );
        assert_eq!(answer.column::<String>("metric").expect("metrics"), [metrics; 3].concat());
        let scores = answer.column::<f64>("is_right").expect("scores");
        let expected = [0.0, 1.0, 1.0, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0];
        assert_eq!(scores, expected, "sums favour short candidates; a tie is shared");
        // By what they gain over -1.5 and -4, q's candidates are -0.5 and +2; p has a candidate without a baseline, and the
        // baseline's own prompt gains nothing.
        let answer = ask_for(Some("cue"));
        let ids = answer.column::<String>("prompt_id").expect("ids").into_iter();
        let rows = ids.zip(answer.column::<String>("metric").expect("metrics"));
        let rows = rows.zip(answer.column::<f64>("is_right").expect("scores"));
        let pmi: Vec<_> = rows.filter(|((_, metric), _)| metric == "forced_choice_pmi").collect();
        assert_eq!(pmi, [(("q".to_owned(), "forced_choice_pmi".to_owned()), 0.0)]);
    }
}
