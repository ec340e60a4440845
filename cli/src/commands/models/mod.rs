//! `models`: the known models and those that are cached, what one is, and fetching one.

mod inspect;
mod list;

use super::print;
use crate::args::{ModelsAction, ModelsArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model_argument::{fetch, parse};
use crate::progress::Reporter;
use hypercolumn_extract::model::source::ALIASES;

pub fn run(args: &ModelsArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    match &args.action {
        None => list::list(form(args.json), reporter),
        Some(ModelsAction::List { json }) => list::list(form(args.json || *json), reporter),
        Some(ModelsAction::Inspect(inspected)) => {
            inspect::inspect(inspected, form(args.json || inspected.json), reporter)
        }
        Some(ModelsAction::Fetch { model }) => {
            let name = model.as_deref().unwrap_or(ALIASES[0].name);
            let resolved = fetch(&parse(name)?, reporter)?;
            print(&format!("{}\n", resolved.path.display()))?;
            Ok(Exit::Success)
        }
    }
}

/// The output form of a list or a description of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Json,
}

const fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::Table }
}
