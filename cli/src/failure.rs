//! The failure of a command and its text: the subject (`could not VERB \`OBJECT\``), the causes indented, one hint.

use crate::exit::Exit;
use crate::explain::Explain;
use crate::visible::visible;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// A message, with causes and a hint.
    Message(Box<Message>),
    /// The reader of standard output has gone (`| head`): nothing is shown.
    ReaderGone,
}

/// The text of a failure: the subject, its causes and a hint.
#[derive(Debug)]
pub struct Message {
    exit: Exit,
    subject: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure without a cause below it.
    pub fn new(exit: Exit, subject: impl Into<String>) -> Self {
        let message = Message { exit, subject: subject.into(), causes: Vec::new(), hint: None };
        Self::Message(Box::new(message))
    }

    /// Bad usage or bad input.
    pub fn usage(subject: impl Into<String>) -> Self {
        Self::new(Exit::Usage, subject)
    }

    /// Adds a cause below the message.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        if let Self::Message(message) = &mut self {
            message.causes.push(cause.into());
        }
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Message(message) = &mut self {
            message.hint = Some(hint.into());
        }
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::ReaderGone => Exit::Success,
            Self::Message(message) => message.exit,
        }
    }

    /// The message and its causes as one sentence, and the hint.
    pub fn sentence(&self) -> (String, Option<String>) {
        match self {
            Self::ReaderGone => (String::new(), None),
            Self::Message(message) => {
                let parts: Vec<&str> =
                    std::iter::once(&message.subject).chain(&message.causes).map(String::as_str).collect();
                (parts.join(": "), message.hint.clone())
            }
        }
    }

    /// Writes the failure to standard error and gives its exit code.
    pub fn show(&self) -> ExitCode {
        match self {
            Self::ReaderGone => Exit::Success.into(),
            Self::Message(message) => {
                // A closed standard error has no reader.
                let _ = io::stderr().write_all(message.render().as_bytes());
                message.exit.into()
            }
        }
    }
}

impl Message {
    /// The text on the terminal.
    pub fn render(&self) -> String {
        let mut text = format!("error: {}\n", visible(&self.subject));
        for (depth, cause) in self.causes.iter().enumerate() {
            let indent = "  ".repeat(depth + 1);
            for line in visible(cause).lines() {
                text.push_str(&format!("{indent}{line}\n"));
            }
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("hint: {}\n", visible(hint)));
        }
        text
    }
}

/// Turns a library's error into a failure: `could not VERB `SUBJECT``, then the error and its sources.
pub fn could_not<E: Explain + Error>(
    verb: &str,
    subject: impl std::fmt::Display,
) -> impl FnOnce(E) -> Failure {
    let message = format!("could not {verb} `{subject}`");
    move |error| {
        let mut failure = Failure::new(error.exit(), message);
        let mut previous = String::new();
        let mut next: Option<&dyn Error> = Some(&error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // A wrapper that repeats its source's words adds nothing.
            if text != previous && !previous.ends_with(&text) {
                failure = failure.because(text.clone());
            }
            previous = text;
            next = cause.source();
        }
        match error.remedy() {
            Some(remedy) => failure.hint(remedy),
            None => failure,
        }
    }
}

/// Errors of writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::new(Exit::Failure, "could not write to `standard output`").because(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_indented_and_the_hint_is_last() {
        let Failure::Message(message) = Failure::usage("could not read `a`")
            .because("line 3\nof it")
            .because("no such thing")
            .hint("try `b`")
        else {
            panic!("a failure with a message")
        };
        assert_eq!(
            message.render(),
            "error: could not read `a`\n  line 3\n  of it\n    no such thing\nhint: try `b`\n"
        );
    }
}
