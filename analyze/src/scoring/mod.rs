//! Scorers: how a response is compared with the expected answer, from the two texts alone.

mod number;

use crate::error::AnalyzeError;
use hypercolumn_schemas::is_unspaced;
pub use number::NumberForm;
use number::{find_number, read_number};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How responses of a task are scored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scorer {
    /// The response contains the expected answer as whole words.
    Contains,
    /// The response is the expected answer.
    ExactMatch,
    /// The response's first line with text is the expected answer.
    FirstLine,
    /// The response's first number lies within the tolerance of the expected one.
    Numeric,
}

impl Scorer {
    /// The name in studies, and of the metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::ExactMatch => "exact_match",
            Self::FirstLine => "first_line",
            Self::Numeric => "numeric",
        }
    }
}

/// What a task's study says of scoring.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scoring {
    /// The scorer; by the expected answer if absent: the absolute error of numbers, [`Scorer::Contains`] of texts.
    pub scorer: Option<Scorer>,
    /// Largest absolute error that [`Scorer::Numeric`] counts as right; 0 if absent.
    pub tolerance: Option<f64>,
    /// Forms of numbers that are read beside the plain ones.
    pub numbers: Vec<NumberForm>,
    /// The condition whose prompts give the log-probability of candidates without the question, for pointwise mutual
    /// information (Holtzman et al. 2021, arXiv:2104.08315).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pmi_baseline: Option<String>,
}

/// A response's score.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judgement {
    pub(crate) metric: Cow<'static, str>,
    /// Null where the response holds no number that could be compared.
    pub(crate) score: Option<f64>,
    /// What was read from the response.
    pub(crate) parsed: Option<String>,
}

impl Scoring {
    /// Whether the study says nothing.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses a tolerance that nothing uses or that is no distance.
    ///
    /// # Errors
    /// [`AnalyzeError::Entry`] for the task's entry.
    pub(crate) fn check(&self, label: &str) -> Result<(), AnalyzeError> {
        let refuse =
            |reason: &str| AnalyzeError::Entry { entry: label.to_owned(), reason: reason.to_owned() };
        match self.tolerance {
            Some(_) if self.scorer != Some(Scorer::Numeric) => {
                Err(refuse("its `tolerance` is for `scorer = \"numeric\"`"))
            }
            Some(tolerance) if !(tolerance.is_finite() && tolerance >= 0.0) => {
                Err(refuse("its `tolerance` is not a number from 0"))
            }
            _ => Ok(()),
        }
    }

    /// Scores a response.
    pub(crate) fn judge(&self, response: &str, expected: &str) -> Vec<Judgement> {
        let right = |metric: Scorer, found: Option<&str>| {
            let score = Some(f64::from(u8::from(found.is_some())));
            vec![Judgement { metric: metric.name().into(), score, parsed: found.map(str::to_owned) }]
        };
        match self.scorer {
            None => match read_number(expected, &self.numbers) {
                Some(answer) => vec![self.absolute_error(response, answer)],
                None => right(Scorer::Contains, find_answer(response, expected)),
            },
            Some(Scorer::Contains) => right(Scorer::Contains, find_answer(response, expected)),
            Some(Scorer::ExactMatch) => {
                let response = response.trim();
                right(Scorer::ExactMatch, Some(response).filter(|r| *r == expected.trim()))
            }
            Some(Scorer::FirstLine) => {
                let first = response.lines().map(str::trim).find(|line| !line.is_empty());
                right(Scorer::FirstLine, first.filter(|line| *line == expected.trim()))
            }
            Some(Scorer::Numeric) => self.judge_number(response, expected),
        }
    }

    /// The absolute error, and whether it is within the tolerance; nothing where the expected answer is no number.
    fn judge_number(&self, response: &str, expected: &str) -> Vec<Judgement> {
        let Some(answer) = read_number(expected, &self.numbers) else { return Vec::new() };
        let error = self.absolute_error(response, answer);
        let tolerance = self.tolerance.unwrap_or(0.0);
        let is_right = error.score.is_some_and(|error| error <= tolerance);
        let accuracy = Judgement {
            metric: Scorer::Numeric.name().into(),
            score: Some(f64::from(u8::from(is_right))),
            parsed: error.parsed.clone(),
        };
        vec![error, accuracy]
    }

    fn absolute_error(&self, response: &str, answer: f64) -> Judgement {
        let found = find_number(response, &self.numbers);
        Judgement {
            metric: "absolute_error".into(),
            score: found.map(|found| (found.value - answer).abs()),
            parsed: found.map(|found| found.text.to_owned()),
        }
    }

    /// Whether the scorer can compare responses with this expected answer.
    pub(crate) fn can_score(&self, expected: &str) -> bool {
        self.scorer != Some(Scorer::Numeric) || read_number(expected, &self.numbers).is_some()
    }
}

/// The expected answer as it stands in the response, as whole words. Case counts, but that an answer which begins with a
/// small letter may begin a sentence.
fn find_answer<'r>(response: &'r str, expected: &str) -> Option<&'r str> {
    let expected = expected.trim();
    let first = expected.chars().next()?;
    let capital: String = first.to_uppercase().chain(expected.chars().skip(1)).collect();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && !is_unspaced(c));
    [expected, &capital].into_iter().find_map(|answer| {
        let (starts_word, ends_word) = (is_word(answer.chars().next()), is_word(answer.chars().next_back()));
        response.match_indices(answer).find_map(|(at, found)| {
            let before = starts_word && is_word(response[..at].chars().next_back());
            let after = ends_word && is_word(response[at + found.len()..].chars().next());
            (!before && !after).then_some(found)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(scoring: &Scoring, response: &str, expected: &str) -> Vec<(String, Option<f64>)> {
        scoring.judge(response, expected).into_iter().map(|j| (j.metric.into_owned(), j.score)).collect()
    }

    fn by(scorer: Scorer) -> Scoring {
        Scoring { scorer: Some(scorer), ..Scoring::default() }
    }

    #[test]
    fn numbers_are_scored_by_their_distance_unless_told_otherwise() {
        let default = Scoring::default();
        assert_eq!(scores(&default, "25.5)", "24"), [("absolute_error".to_owned(), Some(1.5))]);
        assert_eq!(scores(&default, "no idea", "24"), [("absolute_error".to_owned(), None)]);
        let numeric = Scoring { tolerance: Some(1.0), ..by(Scorer::Numeric) };
        assert_eq!(
            scores(&numeric, "24.5", "24"),
            [("absolute_error".to_owned(), Some(0.5)), ("numeric".to_owned(), Some(1.0))]
        );
        assert_eq!(
            scores(&numeric, "26", "24"),
            [("absolute_error".to_owned(), Some(2.0)), ("numeric".to_owned(), Some(0.0))]
        );
        assert_eq!(
            scores(&numeric, "none", "24"),
            [("absolute_error".to_owned(), None), ("numeric".to_owned(), Some(0.0))]
        );
        assert_eq!(scores(&numeric, "24", "red"), []);
        assert!(!numeric.can_score("red") && numeric.can_score("24") && default.can_score("red"));
        assert_eq!(scores(&by(Scorer::ExactMatch), "24", "24"), [("exact_match".to_owned(), Some(1.0))]);
    }

    #[test]
    fn an_answer_that_stands_there_is_contained() {
        let is_right = |response, expected| scores(&Scoring::default(), response, expected)[0].1 == Some(1.0);
        for (expected, response) in [
            ("St. Louis", " St. Louis. It"),
            ("U.S.", " U.S. dollars"),
            ("Washington, D.C.", " Washington, D.C. is"),
            ("I do not know.", " I do not know."),
            ("Yes!", " Yes!"),
            ("No. 5", " No. 5"),
            ("Strange", " Dr. Strange"),
            ("watering the plants", " Watering the plants. Then more"),
            ("巴黎", "是巴黎。"),
            ("C++", "C++, of course"),
        ] {
            assert!(is_right(response, expected), "{expected} in {response}");
        }
        for (expected, response) in [
            ("Paris", " London."),
            ("Paris", " paris"),
            ("St. Louis", " St. Petersburg."),
            ("cooking", "overcooking"),
            ("cat", "cats"),
        ] {
            assert!(!is_right(response, expected), "{expected} in {response}");
        }
    }

    #[test]
    fn whole_responses_and_first_lines_are_compared() {
        let exact = |response| scores(&by(Scorer::ExactMatch), response, "Paris")[0].1;
        assert_eq!((exact(" Paris\n"), exact("Paris."), exact("paris")), (Some(1.0), Some(0.0), Some(0.0)));
        let first = |response| scores(&by(Scorer::FirstLine), response, "Paris")[0].1;
        assert_eq!((first("\n Paris\nLondon"), first("It is Paris\n")), (Some(1.0), Some(0.0)));
    }
}
