//! Jinja for prompts: `trim_blocks` and `lstrip_blocks` as in chat templates, Python's string methods, and an error for
//! every name that has no value.

use super::markup;
use crate::read::Item;
use hypercolumn_schemas::Segment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Steps that one prompt may take: far more than any needs, few enough to end within a second.
const FUEL: u64 = 2_000_000;

/// The name of the list of demonstrations, in templates.
pub(super) const DEMONSTRATIONS: &str = "demonstrations";
/// The name of the answer that a demonstration shows.
pub(super) const ANSWER: &str = "answer";

const NAME: &str = "template";

/// A compiled template.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    /// Names that the template uses and does not set.
    pub(super) names: BTreeSet<String>,
}

impl Template {
    /// Compiles a template with `[[role: text]]` for segments.
    ///
    /// # Errors
    /// The line, and what is wrong there.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        if markup::has_mark(source) {
            return Err("it holds a noncharacter (U+FDD0 to U+FDD2)".to_owned());
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| describe(&e))?);
        environment.set_fuel(Some(FUEL));
        // Errors then say which part of the template they are about.
        environment.set_debug(true);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        let marked = markup::mark(source).map_err(|problem| {
            // Brackets may be out of step because an expression is never closed, which Jinja says better.
            environment.template_from_str(source).err().map_or(problem, |error| describe(&error))
        })?;
        environment.add_template_owned(NAME, marked).map_err(|e| describe(&e))?;
        let template = environment.get_template(NAME).map_err(|e| describe(&e))?;
        let globals: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
        let names = template.undeclared_variables(false);
        let names = names.into_iter().filter(|name| !globals.contains(name.as_str())).collect();
        Ok(Self { environment, names })
    }

    /// The text and the segments for an item behind demonstrations, each with the answer that it shows.
    ///
    /// # Errors
    /// What the template refuses, or a segment that is empty or has no role.
    pub(super) fn render(
        &self,
        item: &Item,
        demonstrations: &[(&Item, Option<&str>)],
    ) -> Result<(String, Vec<Segment>), String> {
        let shown = demonstrations.iter().map(|(item, answer)| {
            let mut variables = item.variables.clone();
            variables.shift_remove(ANSWER);
            if let Some(answer) = answer {
                variables.insert(ANSWER.to_owned(), Value::from(*answer));
            }
            Value::Object(variables)
        });
        let mut variables = item.variables.clone();
        variables.insert(DEMONSTRATIONS.to_owned(), Value::Array(shown.collect()));
        check_marks(&variables)?;
        let template = self.environment.get_template(NAME).map_err(|e| describe(&e))?;
        let rendered =
            template.render(Serde(&variables)).map_err(|e| format!("the template, {}", describe(&e)))?;
        markup::split(&rendered)
    }
}

/// Refuses values that would be taken for marks.
fn check_marks(variables: &Map<String, Value>) -> Result<(), String> {
    match variables.iter().find(|(_, value)| markup::has_mark(&value.to_string())) {
        Some((name, _)) => Err(format!("`{name}` holds a noncharacter (U+FDD0 to U+FDD2)")),
        None => Ok(()),
    }
}

fn describe(error: &Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let part = error.range().and_then(|range| error.template_source()?.get(range));
    if let Some(part) = part.filter(|_| error.kind() == ErrorKind::UndefinedError) {
        return format!("{line}`{part}` has no value");
    }
    let detail = error
        .detail()
        .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    format!("{line}{detail}")
}
