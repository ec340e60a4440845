//! A refusal of a study, with its line.

use crate::failure::Failure;
use std::ops::Range;

/// A refusal of one position in a study's text.
#[derive(Debug)]
pub struct Problem {
    /// Byte range in the text; absent where the whole file is meant.
    pub span: Option<Range<usize>>,
    pub message: String,
    /// The accepted values.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at `span`.
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), hint: None }
    }

    /// Adds what would be accepted.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The TOML reader's refusal.
    pub fn from_toml(error: &toml::de::Error) -> Self {
        Self { span: error.span(), message: error.message().trim_end().to_owned(), hint: None }
    }

    /// The failure to show: file, line, and the line itself.
    pub fn into_failure(self, file: &str, text: &str) -> Failure {
        let mut failure = Failure::usage(format!("could not use study `{file}`"));
        failure = match self.span.and_then(|span| locate(text, span.start)) {
            Some((number, line)) => failure.because(format!("line {number}: {}\n  {line}", self.message)),
            None => failure.because(self.message),
        };
        match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// The number of the line that holds byte `offset`, from 1, and the line.
fn locate(text: &str, offset: usize) -> Option<(usize, &str)> {
    let before = text.get(..offset.min(text.len()))?;
    let number = before.matches('\n').count() + 1;
    text.lines().nth(number - 1).map(|line| (number, line.trim()))
}
