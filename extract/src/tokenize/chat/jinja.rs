//! Renders a checkpoint's chat template as transformers does: Jinja with `trim_blocks` and `lstrip_blocks`, loop
//! controls, Python's string methods, `raise_exception` and a `tojson` that escapes no HTML.
//!
//! `strftime_now` gives the date of the settings: what a model reads must not depend on the day. Without one it is left out;
//! templates that ask whether it is there take the date that they have written down, others are refused.

use super::ChatDate;
use crate::tokenize::chat_files::ChatFiles;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use std::io::{self, Write};

/// Steps that a template may take: far more than any needs, few enough to end within a second.
const FUEL: u64 = 2_000_000;

const NAME: &str = "chat_template";

/// Transformers' function that gives the date and time of now.
const STRFTIME: &str = "strftime_now";

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    source: String,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn new(source: &str, date: Option<ChatDate>, files: &ChatFiles) -> Result<Self, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| describe(&e))?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        if let Some(date) = date {
            environment.add_function(STRFTIME, move |format: String| -> Result<String, Error> {
                date.format(&format).map_err(|problem| Error::new(ErrorKind::InvalidOperation, problem))
            });
        }
        for (name, spelling) in &files.tokens {
            environment.add_global(name.clone(), spelling.clone());
        }
        environment.add_template_owned(NAME, without_generation(source)).map_err(|e| describe(&e))?;
        Ok(Self { environment, source: source.to_owned() })
    }

    /// A chat of one message from the user, up to the assistant's turn.
    ///
    /// # Errors
    /// Why the template refuses it.
    pub fn render(&self, message: &str) -> Result<String, String> {
        let values = context! {
            messages => [context! { role => "user", content => message }],
            add_generation_prompt => true,
            tools => (),
            documents => (),
        };
        let template = self.environment.get_template(NAME).map_err(|e| describe(&e))?;
        template.render(values).map_err(|e| describe(&e))
    }

    /// The template as the file has it.
    pub fn source(&self) -> &str {
        &self.source
    }
}

fn describe(error: &Error) -> String {
    let place = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let asks_for_date = error.kind() == ErrorKind::UnknownFunction && error.to_string().contains(STRFTIME);
    let hint = match asks_for_date {
        true => "; it asks for the date: --chat-date YYYY-MM-DD, or chat_date in [extract], says one",
        false => "",
    };
    format!("it does not render{place}: {error}{hint}")
}

/// Transformers marks the assistant's words with `{% generation %}`; nothing of it shows in the text.
fn without_generation(source: &str) -> String {
    let mut made = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let (before, tag) = (&rest[..start], &rest[start..start + length]);
        made.push_str(before);
        match tag.trim_matches(|c: char| "{%-+".contains(c) || c.is_whitespace()) {
            "generation" => made.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => made.push_str(&tag.replace("endgeneration", "endif")),
            _ => made.push_str(tag),
        }
        rest = &rest[start + length..];
    }
    made + rest
}

/// Python's `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut bytes = Vec::new();
    let written = match indent {
        Some(n) => {
            let spaces = " ".repeat(n);
            value.serialize(&mut Serializer::with_formatter(
                &mut bytes,
                PrettyFormatter::with_indent(spaces.as_bytes()),
            ))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut bytes, Spaced)),
    };
    written.map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))
}

/// JSON on one line, with a space after commas and colons.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
