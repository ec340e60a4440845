//! Behaviour: how good each answer is, by every metric that the prompt allows.

use super::entry::{Named, NoEntry};
use super::{Analysis, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::answer::ask;
use crate::error::AnalyzeError;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, behavior_section};
use crate::settings::AnalysisSettings;
use hypercolumn_schemas::Table;
use hypercolumn_schemas::tables::{self, BehaviorRow};
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
        1
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
    let Inputs { catalog, model, prompts, .. } = inputs;
    let sql = include_str!("../../queries/answers.sql");
    let task = prompts.task.as_str();
    let answer = ask(catalog.connection(), sql, &[&model, &task], "read the answers")?;
    let ids = answer.column::<String>("prompt_id")?;
    let expected = answer.column::<Option<String>>("expected")?;
    let responses = answer.column::<String>("response")?;
    let logprobs = answer.column::<Option<f64>>("expected_logprob")?;
    let choices = answer.column::<Option<String>>("choice")?;
    let forced = answer.column::<Option<f64>>("is_right")?;
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
            let (metric, score, parsed) = judge(&responses[i], expected);
            push(metric, score, parsed);
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

/// Metric, score and what was read from the response.
fn judge(response: &str, expected: &str) -> (&'static str, Option<f64>, Option<String>) {
    if let Ok(answer) = expected.trim().parse::<f64>()
        && answer.is_finite()
    {
        let parsed = find_number(response);
        let score = parsed.and_then(|text| text.parse::<f64>().ok()).map(|number| (number - answer).abs());
        return ("absolute_error", score, parsed.map(str::to_owned));
    }
    let found = find_answer(response, expected);
    ("exact", Some(f64::from(u8::from(found.is_some()))), found)
}

/// The first number in `text`: a sign, digits and decimals, as they stand. The reading ends at a
/// closing bracket, so that a second point that the model goes on to write is not taken for an answer.
pub(crate) fn find_number(text: &str) -> Option<&str> {
    let answer = &text[..text.find(')').unwrap_or(text.len())];
    let bytes = answer.as_bytes();
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let first = (0..bytes.len()).find(|&i| is_digit(i))?;
    let has_point = first > 0 && bytes[first - 1] == b'.';
    let mut start = first - usize::from(has_point);
    if start > 0 && matches!(bytes[start - 1], b'-' | b'+') && !(start > 1 && is_digit(start - 2)) {
        start -= 1;
    }
    let mut end = first;
    while is_digit(end) {
        end += 1;
    }
    if !has_point && bytes.get(end) == Some(&b'.') && is_digit(end + 1) {
        end += 1;
        while is_digit(end) {
            end += 1;
        }
    }
    Some(&answer[start..end])
}

/// The expected answer as it stands in the response's first sentence, whatever its case, as whole words.
fn find_answer(response: &str, expected: &str) -> Option<String> {
    let sentence = first_sentence(response);
    let (sentence, expected) = (sentence.to_lowercase(), expected.trim().to_lowercase());
    if expected.is_empty() {
        return None;
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (starts_word, ends_word) = (is_word(expected.chars().next()), is_word(expected.chars().last()));
    sentence.match_indices(&expected).find_map(|(at, found)| {
        let before = starts_word && is_word(sentence[..at].chars().last());
        let after = ends_word && is_word(sentence[at + found.len()..].chars().next());
        (!before && !after).then(|| found.to_owned())
    })
}

/// Up to the first full stop, question or exclamation mark that ends a word, or the end of the first line with text.
fn first_sentence(response: &str) -> &str {
    let text = response.trim_start();
    let ends = |(at, c): (usize, char)| {
        let next = text[at + c.len_utf8()..].chars().next();
        c == '\n' || (matches!(c, '.' | '!' | '?') && next.is_none_or(char::is_whitespace))
    };
    let end = text.char_indices().find(|&place| ends(place)).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_read_as_it_stands() {
        let cases = [
            ("22.2); (0.44,13.8)", Some("22.2")),
            (" -3", Some("-3")),
            ("+.5 or so", Some("+.5")),
            ("the answer is 7.", Some("7")),
            ("3-4", Some("3")),
            ("1.2.3", Some("1.2")),
            ("x); 5", None),
            ("none", None),
            ("", None),
        ];
        for (text, number) in cases {
            assert_eq!(find_number(text), number, "{text}");
        }
    }

    #[test]
    fn numbers_are_scored_by_their_distance() {
        assert_eq!(judge("25.5)", "24").1, Some(1.5));
        assert_eq!(judge("no idea", "24"), ("absolute_error", None, None));
    }

    #[test]
    fn an_answer_counts_in_the_first_sentence_as_whole_words() {
        assert_eq!(judge(" Watering the plants. Then more", "watering the plants").1, Some(1.0));
        assert_eq!(judge("\nKevin is reading. He is cooking.", "cooking").1, Some(0.0));
        assert_eq!(judge("overcooking", "cooking").1, Some(0.0));
        assert_eq!(judge("cooking", "cooking").2.as_deref(), Some("cooking"));
    }
}
