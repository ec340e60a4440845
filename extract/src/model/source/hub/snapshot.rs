//! Which models of the hub are whole on this machine.
//!
//! Hugging Face's cache does not say whether a snapshot is all that a model needs: other programs fetch
//! single files. So a record, kept in this program's own cache, lists the files of each model that was
//! fetched here with their sizes; with it nothing is asked of the network. Without one the hub is asked,
//! or, offline, the files that every model needs must be there.

use super::{Hub, HubError, HubModel, is_commit};
use crate::model::source::CachedModel;
use crate::model::source::directory::{CONFIG, missing_file};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Levels below a snapshot at which GGUF files are looked for.
const GGUF_DEPTH: usize = 2;

/// What was fetched of one revision.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub source: String,
    /// Sizes by path.
    pub files: BTreeMap<String, u64>,
}

/// A model that is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model::source) struct Found {
    pub path: PathBuf,
    /// The model at its commit.
    pub source: String,
}

impl Found {
    pub(super) fn new(hub: &Hub, model: &HubModel, commit: &str) -> Self {
        let snapshot = snapshot(hub, model, commit);
        let path = model.file.as_ref().map_or(snapshot.clone(), |file| snapshot.join(file));
        Self { path, source: model.at_commit(commit).to_string() }
    }
}

/// The model, if it is on this machine and nothing needs to be asked of the network.
pub(in crate::model::source) fn find(cache_dir: &Path, hub: &Hub, model: &HubModel) -> Option<Found> {
    let commit = known_commit(hub, model)?;
    let is_whole = match read_record(cache_dir, &model.at_commit(&commit)) {
        Some(record) => holds(&snapshot(hub, model, &commit), &record),
        None => hub.is_offline && missing(&snapshot(hub, model, &commit), model).is_none(),
    };
    is_whole.then(|| Found::new(hub, model, &commit))
}

/// Why [`find`] has nothing, when nothing may be fetched.
pub(super) fn explain_absence(hub: &Hub, model: &HubModel) -> HubError {
    let missing = match known_commit(hub, model) {
        None => format!("there is no revision `{}`", model.revision_or_default()),
        Some(commit) => missing(&snapshot(hub, model, &commit), model)
            .map_or("a file has another size than when it was fetched".to_owned(), |m| {
                format!("there is no {m}")
            }),
    };
    HubError::Offline { model: Box::new(model.clone()), missing, cache_dir: hub.cache_dir.clone() }
}

/// Where the cache keeps a commit's files.
pub(super) fn snapshot(hub: &Hub, model: &HubModel, commit: &str) -> PathBuf {
    hub.cache().repo(model.at(commit)).pointer_path(commit)
}

/// Notes that all files of a model are there; `model` is at its commit.
pub(super) fn write_record(
    cache_dir: &Path,
    model: &HubModel,
    files: BTreeMap<String, u64>,
) -> Result<(), HubError> {
    let path = record_path(cache_dir, model);
    let directory = path.parent().unwrap_or(cache_dir);
    fs::create_dir_all(directory).map_err(HubError::io("create directory", directory))?;
    let mut staged =
        tempfile::NamedTempFile::new_in(directory).map_err(HubError::io("create a file in", directory))?;
    let record = Record { source: model.to_string(), files };
    serde_json::to_writer_pretty(&mut staged, &record).map_err(|e| HubError::io("write", &path)(e.into()))?;
    staged.persist(&path).map_err(|e| HubError::io("create", &path)(e.error))?;
    Ok(())
}

/// Every model of the hub's cache, by name.
pub(in crate::model::source) fn cached_models(cache_dir: &Path, hub: &Hub) -> Vec<CachedModel> {
    let mut found = Vec::new();
    for (name, directory) in entries(&hub.cache_dir) {
        let Some((organisation, name)) = name.strip_prefix("models--").and_then(|n| n.split_once("--"))
        else {
            continue;
        };
        let repository = format!("{organisation}/{name}");
        let refs = refs(&directory.join("refs"));
        for (commit, snapshot) in entries(&directory.join("snapshots")) {
            let revision = match refs.get(&commit) {
                Some(name) if name == super::DEFAULT_REVISION => None,
                Some(name) => Some(name.clone()),
                None => Some(commit.clone()),
            };
            let model = HubModel { repository: repository.clone(), revision, file: None };
            found.extend(models_of(cache_dir, &model, &commit, &snapshot));
        }
    }
    found.sort_by(|a, b| a.source.cmp(&b.source));
    found
}

fn models_of(cache_dir: &Path, model: &HubModel, commit: &str, snapshot: &Path) -> Vec<CachedModel> {
    let mut found = Vec::new();
    let is_recorded = |model: &HubModel| {
        read_record(cache_dir, &model.at_commit(commit)).map(|record| holds(snapshot, &record))
    };
    if snapshot.join(CONFIG).exists() {
        let is_whole = is_recorded(model).unwrap_or_else(|| missing(snapshot, model).is_none());
        let n_bytes = entries(snapshot).iter().filter_map(|(_, path)| size(path)).sum();
        found.push(CachedModel { source: model.to_string(), path: snapshot.to_owned(), n_bytes, is_whole });
    }
    for path in ggufs(snapshot, GGUF_DEPTH) {
        let file = path.strip_prefix(snapshot).unwrap_or(&path).to_owned();
        let model = HubModel { file: Some(file), ..model.clone() };
        let (is_whole, n_bytes) = (is_recorded(&model).unwrap_or(true), size(&path).unwrap_or(0));
        found.push(CachedModel { source: model.to_string(), path, n_bytes, is_whole });
    }
    found
}

fn ggufs(directory: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (_, path) in entries(directory) {
        if path.is_dir() && depth > 1 {
            found.extend(ggufs(&path, depth - 1));
        } else if path.is_file() && crate::model::source::has_gguf_extension(&path) {
            found.push(path);
        }
    }
    found
}

/// The commit that a revision was at when it was last fetched.
fn known_commit(hub: &Hub, model: &HubModel) -> Option<String> {
    if let Some(commit) = model.commit() {
        return Some(commit.to_owned());
    }
    let refs = hub.cache_dir.join(model.at("").folder_name()).join("refs");
    let commit = fs::read_to_string(refs.join(model.revision_or_default())).ok()?;
    let commit = commit.trim();
    is_commit(commit).then(|| commit.to_owned())
}

/// The revisions that name commits: the shortest name of each, the default first.
fn refs(directory: &Path) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, path) in entries(directory) {
        let Ok(commit) = fs::read_to_string(&path) else { continue };
        let commit = commit.trim().to_owned();
        if name == super::DEFAULT_REVISION || !found.contains_key(&commit) {
            found.insert(commit, name);
        }
    }
    found
}

/// The first thing that a snapshot lacks to be a model, if any.
fn missing(snapshot: &Path, model: &HubModel) -> Option<String> {
    let has = |name: &str| snapshot.join(name).is_file();
    if let Some(file) = model.file_text() {
        return (!has(&file)).then(|| format!("`{file}`"));
    }
    if !has("tokenizer.json") && !has("tokenizer.model") {
        return Some("`tokenizer.json` or `tokenizer.model`".to_owned());
    }
    // Without it the beginning and end of a text might not be marked as the model expects.
    const SETTINGS: &str = "tokenizer_config.json";
    if !has(SETTINGS) {
        return Some(format!("`{SETTINGS}`"));
    }
    missing_file(snapshot).map(|name| format!("`{name}`"))
}

fn holds(snapshot: &Path, record: &Record) -> bool {
    record.files.iter().all(|(path, n_bytes)| size(&snapshot.join(path)) == Some(*n_bytes))
}

fn read_record(cache_dir: &Path, model: &HubModel) -> Option<Record> {
    serde_json::from_slice(&fs::read(record_path(cache_dir, model)).ok()?).ok()
}

/// Place of the record of a model that is at its commit.
fn record_path(cache_dir: &Path, model: &HubModel) -> PathBuf {
    let commit = model.revision_or_default();
    let name = match model.file_text() {
        Some(file) => format!("{commit}--{}.json", file.replace('/', "--")),
        None => format!("{commit}.json"),
    };
    cache_dir.join("models").join("hub").join(model.at(commit).folder_name()).join(name)
}

/// Size of the file that a link leads to.
pub(super) fn size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| m.len())
}

/// Names and paths in a directory, in order; none if it cannot be listed.
fn entries(directory: &Path) -> Vec<(String, PathBuf)> {
    let Ok(listed) = fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<_> = listed
        .filter_map(Result::ok)
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()))
        .collect();
    found.sort();
    found
}
