//! Everything that can go wrong between a lake and its answers.

use hypercolumn_schemas::LakeError;

/// An error of the analysis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalyzeError {
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// DuckDB refused something that this program asked for: a fault here, not of the user's SQL.
    #[error("DuckDB could not {action}")]
    Engine {
        /// Verb phrase: "create view `prompts`", …
        action: String,
        /// DuckDB's reason.
        source: duckdb::Error,
    },
    /// A user's SQL does not parse, names something that does not exist, or fails while it runs.
    #[error("{message}")]
    Sql {
        /// The statement.
        sql: String,
        /// DuckDB's message, with its candidates and the marked position.
        message: String,
    },
    /// A statement that is no question, or more than one statement.
    #[error("{reason}")]
    NotAQuestion {
        /// The statement.
        sql: String,
        /// What was found instead.
        reason: String,
    },
}

impl AnalyzeError {
    /// Wraps an error of DuckDB with what was being done.
    pub(crate) fn engine(action: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Self {
        let action = action.into();
        move |source| Self::Engine { action, source }
    }
}
