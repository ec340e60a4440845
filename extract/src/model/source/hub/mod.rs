//! Models on the Hugging Face Hub: `hf:ORG/NAME[@REV]`, or one GGUF file, `hf:ORG/NAME[@REV]/PATH.gguf`.
//!
//! Files go into the cache that Hugging Face's own tools use, so that what is there already is not
//! fetched again and what is fetched here serves them too. [`Hub`] is what the environment says about
//! the hub; `choose` says which files of a repository make a model, `snapshot` whether they are all
//! there, `fetch` gets them. Speaking HTTP and laying out the cache are left to the hf-hub crate.

mod cause;
mod choose;
mod environment;
mod error;
mod fetch;
mod snapshot;

pub use environment::Hub;
pub use error::HubError;

pub(super) use fetch::fetch;
pub(super) use snapshot::{Found, cached_models, find};

use std::fmt;
use std::path::{Component, Path, PathBuf};

/// The revision that is meant where none is written.
const DEFAULT_REVISION: &str = "main";

/// Hexadecimal digits of a commit.
const N_COMMIT_DIGITS: usize = 40;

/// Digits of a commit in a model's name.
const N_NAME_DIGITS: usize = 12;

/// One revision of a repository, or one GGUF file of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubModel {
    /// ORG/NAME.
    pub repository: String,
    /// Branch, tag or commit; `None` for the default branch.
    pub revision: Option<String>,
    /// A GGUF file of the repository; `None` for its safetensors.
    pub file: Option<PathBuf>,
}

impl HubModel {
    /// Reads `ORG/NAME[@REV][/PATH.gguf]`.
    pub(super) fn parse(text: &str) -> Result<Self, HubError> {
        let refuse = |reason| HubError::Form { text: text.to_owned(), reason };
        let (organisation, rest) = text.split_once('/').ok_or_else(|| refuse("there is no ORG/NAME"))?;
        let end = rest.find(['@', '/']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        if !is_plain(organisation) || !is_plain(name) {
            return Err(refuse("ORG and NAME have letters, digits, -, _ and . only"));
        }
        let (revision, file) = match rest.strip_prefix('@') {
            Some(rest) => split_revision(rest),
            None => ("", rest.trim_start_matches('/')),
        };
        if rest.starts_with('@') && !revision.split('/').all(is_plain) {
            return Err(refuse("REV is no branch, tag or commit"));
        }
        let path = Path::new(file);
        if !path.components().all(|c| matches!(c, Component::Normal(_))) {
            return Err(refuse("the file must lie inside the repository"));
        }
        if !file.is_empty() && !super::has_gguf_extension(path) {
            return Err(refuse("a single file of a repository must be a .gguf"));
        }
        Ok(Self {
            repository: format!("{organisation}/{name}"),
            revision: (!revision.is_empty()).then(|| revision.to_owned()),
            file: (!file.is_empty()).then(|| path.to_owned()),
        })
    }

    /// Name of the model's partitions: NAME, or the file's stem, with `@REV` where a revision was asked for; of a
    /// commit its first digits.
    pub(super) fn name(&self) -> String {
        let name = match &self.file {
            Some(file) => super::name_of(file.file_stem(), file),
            None => self.repository.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        match self.revision.as_deref() {
            None => name,
            Some(commit) if is_commit(commit) => format!("{name}@{}", &commit[..N_NAME_DIGITS]),
            Some(revision) => format!("{name}@{revision}"),
        }
    }

    /// The same model at exactly this commit: what provenance records.
    fn at_commit(&self, commit: &str) -> Self {
        Self { revision: Some(commit.to_owned()), ..self.clone() }
    }

    fn revision_or_default(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }

    /// The revision, if it is a commit written out.
    fn commit(&self) -> Option<&str> {
        self.revision.as_deref().filter(|r| is_commit(r))
    }

    /// The file as the hub spells it.
    fn file_text(&self) -> Option<String> {
        self.file.as_ref().map(|file| file.to_string_lossy().replace('\\', "/"))
    }

    fn at(&self, revision: &str) -> hf_hub::Repo {
        let revision = revision.to_owned();
        hf_hub::Repo::with_revision(self.repository.clone(), hf_hub::RepoType::Model, revision)
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}", self.repository)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        match self.file_text() {
            Some(file) => write!(f, "/{file}"),
            None => Ok(()),
        }
    }
}

/// REV and FILE of REV[/FILE]. Only `refs/pr/N`, and a REV without a file behind it, may have slashes.
fn split_revision(text: &str) -> (&str, &str) {
    if !super::has_gguf_extension(Path::new(text)) {
        return (text, "");
    }
    let n_parts = if text.starts_with("refs/") { 3 } else { 1 };
    let end = text.match_indices('/').nth(n_parts - 1).map_or(text.len(), |(at, _)| at);
    (&text[..end], text[end..].trim_start_matches('/'))
}

/// Whether a part of a name can stand in a path and an address as it is.
fn is_plain(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !part.contains("..")
}

fn is_commit(text: &str) -> bool {
    text.len() == N_COMMIT_DIGITS && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> HubModel {
        HubModel::parse(text).expect("the right form")
    }

    #[test]
    fn each_form_is_taken_apart() {
        let model = parse("org/Tiny-1.1B");
        assert_eq!((model.repository.as_str(), model.name().as_str()), ("org/Tiny-1.1B", "Tiny-1.1B"));
        assert_eq!((model.revision_or_default(), model.commit()), ("main", None));
        let revision = |text| parse(text).revision.expect("a revision");
        assert_eq!(revision("org/name@v1.0"), "v1.0");
        assert_eq!(revision("org/name@refs/pr/3"), "refs/pr/3");
        let file = parse("org/name@refs/pr/3/quantised/a.Q4_0.gguf");
        assert_eq!(file.revision.as_deref(), Some("refs/pr/3"));
        assert_eq!(
            (file.file_text().as_deref(), file.name().as_str()),
            (Some("quantised/a.Q4_0.gguf"), "a.Q4_0@refs/pr/3")
        );
        assert_eq!(parse("org/name/a.gguf").file, Some("a.gguf".into()));
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in ["org/name", "org/name@main", "org/name/a.gguf", "org/name@v1/b/a.gguf"] {
            assert_eq!(parse(text).to_string(), format!("hf:{text}"));
        }
    }

    #[test]
    fn what_could_reach_outside_is_refused() {
        for text in [
            "name",
            "/name",
            "org/",
            "org/..",
            "org/a b",
            "org/name@",
            "org/name@../x",
            "org/name@-x",
            "org/name/../a.gguf",
            "org/name@v1/../a.gguf",
            "org/name/model.bin",
            "org/name?x=1",
            "org/name@a//b",
        ] {
            assert!(HubModel::parse(text).is_err(), "{text}");
        }
    }
}
