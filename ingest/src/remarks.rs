//! What a user should know of prompts that are accepted: traits that make results wrong or empty without an error.

use hypercolumn_schemas::Prompt;
use std::collections::BTreeSet;

/// Warnings about prompts, each with the number of prompts and the first of them.
pub(crate) fn warnings(prompts: &[Prompt]) -> Vec<String> {
    let checks = [
        Remark {
            applies: |p| p.text.ends_with(char::is_whitespace),
            words: "end in white space, which most tokenizers make a token of its own that no text they learned from has there",
        },
        Remark {
            applies: |p| p.expected.as_ref().is_some_and(|e| e.ends_with(char::is_whitespace)),
            words: "have an expected answer that ends in white space, which is scored as a part of it",
        },
        Remark {
            applies: |p| has_duplicates(p),
            words: "have two equal choices, between which a forced choice is a tie",
        },
        Remark {
            applies: |p| !p.choices().is_empty() && p.expected.is_some() && !is_candidate(p),
            words: "have an expected answer that is none of the choices, so that their forced choice is undefined",
        },
        Remark {
            applies: |p| !p.choices().is_empty() && p.expected.is_none(),
            words: "have choices and no expected answer, so that their forced choice is undefined",
        },
    ];
    let mut warnings: Vec<String> = checks.iter().filter_map(|remark| remark.count(prompts)).collect();
    warnings.extend(floats_for_integers(prompts));
    warnings
}

/// A trait of some prompts.
struct Remark {
    applies: fn(&Prompt) -> bool,
    words: &'static str,
}

impl Remark {
    /// The warning, with the number of prompts that have the trait and the first of them.
    fn count(&self, prompts: &[Prompt]) -> Option<String> {
        let mut found = prompts.iter().filter(|prompt| (self.applies)(prompt));
        let first = found.next()?;
        let n = 1 + found.count();
        let of = prompts.len();
        Some(format!("{n} of {of} prompts {} (the first is `{}`)", self.words, first.prompt_id))
    }
}

fn has_duplicates(prompt: &Prompt) -> bool {
    let choices = prompt.choices();
    choices.iter().map(|(_, text)| text).collect::<BTreeSet<_>>().len() < choices.len()
}

fn is_candidate(prompt: &Prompt) -> bool {
    prompt.choices().iter().any(|(_, text)| Some(text) == prompt.expected.as_ref())
}

/// Whether answers look like integers that a data frame turned into floats: `8.0` is not what a model writes.
fn floats_for_integers(prompts: &[Prompt]) -> Option<String> {
    let answers: Vec<&str> = prompts.iter().filter_map(|prompt| prompt.expected.as_deref()).collect();
    let is_float =
        |answer: &&str| answer.strip_suffix(".0").is_some_and(|whole| whole.parse::<i64>().is_ok());
    (!answers.is_empty() && answers.iter().all(is_float)).then(|| {
        format!(
            "every expected answer ends in .0, as `{}`: data frames write integers so beside missing values, and a model \
             does not",
            answers[0]
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prompt(text: &str, expected: Option<&str>, params: serde_json::Value) -> Prompt {
        Prompt {
            prompt_id: "p".into(),
            item_id: "p".into(),
            condition: "all".into(),
            n_examples: 0,
            text: text.into(),
            expected: expected.map(str::to_owned),
            params: params.as_object().expect("an object").clone(),
            segments: Vec::new(),
        }
    }

    #[test]
    fn each_trait_is_counted_and_good_prompts_have_none() {
        let two = json!({"choice_1": "red", "choice_2": "blue"});
        let good = prompt("Which? Answer:", Some("red"), two.clone());
        assert_eq!(warnings(std::slice::from_ref(&good)), Vec::<String>::new());
        let cases = [
            (prompt("Answer: ", None, json!({})), "1 of 2 prompts end in white space"),
            (prompt("Answer:", Some("red\n"), json!({})), "expected answer that ends in white space"),
            (prompt("Answer:", Some("A"), two.clone()), "expected answer that is none of the choices"),
            (prompt("Answer:", None, two), "choices and no expected answer"),
            (
                prompt("Answer:", Some("red"), json!({"choice_1": "red", "choice_2": "red"})),
                "two equal choices",
            ),
        ];
        for (bad, words) in cases {
            let warnings = warnings(&[good.clone(), bad]);
            assert!(warnings.len() == 1 && warnings[0].contains(words), "{warnings:?}");
        }
        let floats =
            warnings(&[prompt("4 + 4 =", Some("8.0"), json!({})), prompt("2 + 1 =", Some("3.0"), json!({}))]);
        assert!(floats.len() == 1 && floats[0].contains("`8.0`"), "{floats:?}");
    }
}
