//! Everything that can go wrong between a lake and its answers.

use hypercolumn_catalog::CatalogError;
use hypercolumn_schemas::LakeError;
use hypercolumn_stats::NumericsError;

/// An error of the analysis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalyzeError {
    /// The lake could not be read or written, or SQL could not be asked of it.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// An entry or setting of a study that makes no sense for the data.
    #[error("{entry}: {reason}")]
    Entry {
        /// The study's entry.
        entry: String,
        /// What is wrong, with what is accepted.
        reason: String,
    },
    /// A task that the lake does not hold.
    #[error("the lake has no task `{task}`; it has {known}")]
    UnknownTask {
        /// The name asked for.
        task: String,
        /// The names there are.
        known: String,
    },
    /// What a model read of a task are not the prompts that the lake holds now.
    #[error("the prompts of task `{task}` have changed since model `{model}` read them")]
    Stale {
        /// The model.
        model: String,
        /// The task.
        task: String,
    },
    /// A task that the model has not read.
    #[error("model `{model}` has not read task `{task}`; extracted so far: {known}")]
    NotExtracted {
        /// The model.
        model: String,
        /// The task.
        task: String,
        /// What has been extracted.
        known: String,
    },
    /// An extraction that was cut off.
    #[error("extraction of task `{task}` by model `{model}` is incomplete ({n_done} of {n_shards} shards)")]
    Incomplete {
        /// The model.
        model: String,
        /// The task.
        task: String,
        /// Shards committed.
        n_done: u64,
        /// Shards there should be.
        n_shards: u64,
    },
    /// Malformed input to a statistic: a fault here, not of the user.
    #[error("a statistic was asked for wrongly")]
    Numerics(#[from] NumericsError),
}

impl From<LakeError> for AnalyzeError {
    fn from(error: LakeError) -> Self {
        Self::Catalog(CatalogError::Lake(error))
    }
}

impl AnalyzeError {
    /// Wraps an error of DuckDB with what was being done.
    pub(crate) fn engine(action: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Self {
        let wrap = CatalogError::engine(action);
        move |source| Self::Catalog(wrap(source))
    }

    /// Whether the user's input is at fault (a study, a statement, a name), rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Catalog(error) => error.is_bad_input(),
            other => !matches!(other, Self::Numerics(_)),
        }
    }
}
