//! A refusal of a study, with its line; and all refusals of one study, as one failure.

use crate::failure::Failure;
use std::ops::Range;

/// The most problems that one failure shows.
const SHOWN: usize = 20;

/// A refusal of one position in a study's text.
#[derive(Debug)]
pub struct Problem {
    /// Byte range in the text; absent where the whole file is meant.
    pub span: Option<Range<usize>>,
    pub message: String,
    /// The accepted values.
    pub hint: Option<String>,
    /// Whether the line of the text is shown: the message may quote it.
    pub shows_line: bool,
    /// The failure to show where there is no other problem, if the position in the text adds nothing to it.
    pub alone: Option<Failure>,
}

impl Problem {
    /// A problem of the whole file.
    pub fn new(message: impl Into<String>) -> Self {
        Self { span: None, message: message.into(), hint: None, shows_line: true, alone: None }
    }

    /// A problem at `span`.
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span: Some(span), ..Self::new(message) }
    }

    /// The problem at `span` that `failure` tells of.
    pub fn of_failure(span: Range<usize>, failure: Failure) -> Self {
        let (message, hint) = failure.sentence();
        Self { hint, shows_line: false, alone: Some(failure), ..Self::at(span, message) }
    }

    /// Adds what would be accepted.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The TOML reader's refusal.
    pub fn from_toml(error: &toml::de::Error) -> Self {
        Self { span: error.span(), ..Self::new(error.message().trim_end()) }
    }

    /// The failure to show: file, line, and the line itself.
    pub fn into_failure(mut self, file: &str, text: &str) -> Failure {
        if let Some(failure) = self.alone.take() {
            return failure;
        }
        let failure = Failure::usage(subject(file)).because(self.located(text, &self.message));
        match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The message with its line.
    fn located(&self, text: &str, message: &str) -> String {
        match self.span.as_ref().and_then(|span| locate(text, span.start)) {
            Some((number, line)) if self.shows_line => format!("line {number}: {message}\n  {line}"),
            Some((number, _)) => format!("line {number}: {message}"),
            None => message.to_owned(),
        }
    }

    /// The problem as one of a list: only its first line is not indented.
    fn listed(&self, text: &str) -> String {
        let lines: Vec<&str> = self.message.lines().filter(|line| !line.trim().is_empty()).collect();
        let located = self.located(text, &lines.join("\n  "));
        match &self.hint {
            Some(hint) => format!("{located}\n  hint: {hint}"),
            None => located,
        }
    }
}

/// The failure to show for all problems of a study, in the order of its lines; `None` where there is none.
pub fn refuse_all(mut problems: Vec<Problem>, file: &str, text: &str) -> Option<Failure> {
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
    problems.dedup_by(|a, b| a.span == b.span && a.message == b.message);
    if problems.len() < 2 {
        return problems.pop().map(|problem| problem.into_failure(file, text));
    }
    let mut listed: Vec<String> = problems.iter().take(SHOWN).map(|problem| problem.listed(text)).collect();
    if problems.len() > SHOWN {
        listed.push(format!("and {} more", problems.len() - SHOWN));
    }
    let subject = format!("{}: it has {} problems", subject(file), problems.len());
    Some(Failure::usage(subject).because(listed.join("\n")))
}

fn subject(file: &str) -> String {
    format!("could not use study `{file}`")
}

/// The number of the line that holds byte `offset`, from 1, and the line.
fn locate(text: &str, offset: usize) -> Option<(usize, &str)> {
    let before = text.get(..offset.min(text.len()))?;
    let number = before.matches('\n').count() + 1;
    text.lines().nth(number - 1).map(|line| (number, line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(problems: Vec<Problem>) -> String {
        let Some(Failure::Message(message)) = refuse_all(problems, "s.toml", "a = 1\nb = 2\n") else {
            panic!("a failure with a message")
        };
        message.render()
    }

    #[test]
    fn problems_stand_in_the_order_of_their_lines_each_with_its_hint() {
        let second = Problem::at(6..7, "no such b").hint("try `a`");
        let twice = Problem::at(6..7, "no such b").hint("try `a`");
        let whole = Problem::new("nothing\n\nis asked");
        let first = Problem { shows_line: false, ..Problem::at(0..1, "no such a") };
        assert_eq!(
            shown(vec![second, whole, first, twice]),
            "error: could not use study `s.toml`: it has 3 problems\n  nothing\n    is asked\n  line 1: no such a\n  \
             line 2: no such b\n    b = 2\n    hint: try `a`\n"
        );
        assert!(refuse_all(Vec::new(), "s.toml", "").is_none());
    }

    #[test]
    fn one_problem_is_no_list_and_many_are_counted() {
        let alone = Problem::of_failure(0..1, Failure::usage("could not ingest `t`").because("no text"));
        assert_eq!(shown(vec![alone]), "error: could not ingest `t`\n  no text\n");
        let many = (0..SHOWN + 3).map(|n| Problem::at(0..1, format!("problem {n}"))).collect();
        let many = shown(many);
        assert!(many.contains("it has 23 problems") && many.ends_with("  and 3 more\n"), "{many}");
    }
}
