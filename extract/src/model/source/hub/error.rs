//! Why a model of the hub could not be had, and what would help.

use super::HubModel;
use std::io;
use std::path::PathBuf;

/// A model of the hub that cannot be named, found or fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// `hf:` with something else behind it than a repository.
    #[error("`hf:{text}` is not hf:ORG/NAME[@REV] or hf:ORG/NAME[@REV]/FILE.gguf: {reason}")]
    Form {
        /// What was written behind `hf:`.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The hub knows no such repository or revision, or hides it.
    #[error("the hub at {endpoint} shows no model `{model}`")]
    NotFound {
        /// What was asked for.
        model: Box<HubModel>,
        /// Who was asked.
        endpoint: String,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The hub wants to know who asks, or does not let them.
    #[error("`{model}` needs permission: {endpoint} answered {status}{}", if *.has_token { "" } else { ", no token was sent" })]
    Denied {
        /// What was asked for.
        model: Box<HubModel>,
        /// Who was asked.
        endpoint: String,
        /// HTTP status.
        status: u16,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The hub could not be reached.
    #[error("could not reach the hub at {endpoint}: {reason}")]
    Network {
        /// Who was asked.
        endpoint: String,
        /// The client's reason.
        reason: String,
    },
    /// The hub answered something else than it should.
    #[error("{endpoint} gave an answer that is not a hub's: {reason}")]
    Answer {
        /// Who was asked.
        endpoint: String,
        /// What is odd about it.
        reason: String,
    },
    /// Nothing may be fetched, and something is missing.
    #[error("`{model}` is not in the cache and HF_HUB_OFFLINE forbids fetching it: {missing}")]
    Offline {
        /// What was asked for.
        model: Box<HubModel>,
        /// What is not there.
        missing: String,
        /// Where it was looked for.
        cache_dir: PathBuf,
    },
    /// A transfer ended early.
    #[error("the transfer of `{path}` of `{model}` was interrupted: {reason}")]
    Interrupted {
        /// What was asked for.
        model: Box<HubModel>,
        /// The file.
        path: String,
        /// The client's reason.
        reason: String,
    },
    /// A file is not what the hub says it is; it was removed from the cache.
    #[error("`{path}` of `{model}` arrived damaged: {problem}")]
    Damaged {
        /// What was asked for.
        model: Box<HubModel>,
        /// The file.
        path: String,
        /// What differs.
        problem: String,
    },
    /// The repository's files make no model.
    #[error("`{model}` has no {missing}")]
    NoWeights {
        /// What was asked for.
        model: Box<HubModel>,
        /// What is not there.
        missing: &'static str,
        /// GGUF files of the repository.
        ggufs: Vec<String>,
        /// Weights in formats that are not read.
        others: Vec<String>,
    },
    /// The repository has no such file.
    #[error("`{model}` has no file `{path}`{}", if .why.is_empty() { String::new() } else { format!(", though {why}") })]
    NoFile {
        /// What was asked for.
        model: String,
        /// The file.
        path: String,
        /// Who says that it should be there; empty for the user.
        why: String,
        /// Files that might have been meant.
        candidates: Vec<String>,
    },
    /// The index of the shards cannot be used.
    #[error("`{index}` of `{model}` cannot be used: {reason}")]
    Index {
        /// What was asked for.
        model: String,
        /// The index.
        index: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process holds a file for long.
    #[error("another process is fetching into `{}`", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
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
}

impl HubError {
    /// Wraps an I/O error with what was being done to which path.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Whether what was asked for is wrong, and not the world.
    pub fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::Form { .. }
                | Self::NotFound { .. }
                | Self::NoWeights { .. }
                | Self::NoFile { .. }
                | Self::Index { .. }
        )
    }

    /// What the user can do about it, as one line.
    pub fn remedy(&self) -> String {
        match self {
            Self::Form { .. } => {
                "for example hf:HuggingFaceTB/SmolLM2-135M, hf:org/name@v1.0 or hf:org/name/model.Q4_0.gguf".into()
            }
            Self::NotFound { has_token: true, .. } => {
                "check ORG/NAME and REV; a private repository looks the same to a token that may not see it".into()
            }
            Self::NotFound { has_token: false, .. } => {
                "check ORG/NAME and REV; for a private repository give a token: HF_TOKEN=hf_… or `hf auth login`"
                    .into()
            }
            Self::Denied { model, endpoint, has_token, .. } => permission(model, endpoint, *has_token),
            Self::Network { .. } => "check the connection, or set HF_ENDPOINT to a mirror; a model that \
                 `hf download ORG/NAME` has put into the cache needs no network with HF_HUB_OFFLINE=1"
                .into(),
            Self::Answer { .. } => "HF_ENDPOINT names the hub or a mirror of it, for example \
                 https://huggingface.co; try again later if it is right"
                .into(),
            Self::Offline { cache_dir, .. } => format!(
                "run once without HF_HUB_OFFLINE; HF_HUB_CACHE or HF_HOME say where the cache is (now `{}`)",
                cache_dir.display()
            ),
            Self::Interrupted { .. } => "run the same command again: it goes on where this one stopped".into(),
            Self::Damaged { .. } => "run the same command again; a proxy or mirror may have altered it".into(),
            Self::NoWeights { model, ggufs, others, .. } => other_weights(model, ggufs, others),
            Self::NoFile { candidates, .. } if candidates.is_empty() => {
                "the repository's page lists its files; REV names another revision".into()
            }
            Self::NoFile { candidates, .. } => format!("it has: {}", candidates.join(", ")),
            Self::Index { .. } => "the repository is faulty; another REV may be whole".into(),
            Self::Locked { .. } => "wait for it; if there is none, the file system may lack locks: \
                 HF_HUB_CACHE names another directory"
                .into(),
            Self::Io { .. } => "HF_HUB_CACHE chooses another directory for models of the hub, \
                 HYPERCOLUMN_CACHE for the record of what is whole"
                .into(),
        }
    }
}

fn permission(model: &HubModel, endpoint: &str, has_token: bool) -> String {
    let page = format!("{endpoint}/{}", model.repository);
    match has_token {
        true => format!("accept its conditions at {page} with the token's account, or use another HF_TOKEN"),
        false => {
            format!("accept its conditions at {page}, then give a token: HF_TOKEN=hf_… or `hf auth login`")
        }
    }
}

fn other_weights(model: &HubModel, ggufs: &[String], others: &[String]) -> String {
    if let Some(first) = ggufs.first() {
        let list = ggufs.join(", ");
        return format!("it has GGUF files ({list}); one is named by `{model}/{first}`");
    }
    match others.first() {
        Some(first) => format!(
            "`{first}` is not read; the repository's pull requests often hold converted weights, \
             named by hf:{}@refs/pr/N",
            model.repository
        ),
        None => "only repositories of language models with config.json and safetensors can be used".into(),
    }
}
