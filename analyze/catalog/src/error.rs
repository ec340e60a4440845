//! Everything that can go wrong between a lake and the rows that are read from it.

use hypercolumn_schemas::{Finding, LakeError};

/// An error of reading a lake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The lake could not be read.
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
    /// DuckDB answered this program otherwise than its SQL promises: a fault here.
    #[error("could not {action}: {reason}")]
    Answer {
        /// Verb phrase.
        action: String,
        /// The column, and what differs.
        reason: String,
    },
    /// polars or arrow refused something that this program asked for: a fault here.
    #[error("a dataframe operation failed: {reason}")]
    Frame {
        /// The library's reason.
        reason: String,
    },
    /// A table that was asked for, of which a file is not in place.
    #[error("table `{table}` is not whole: `{}` {}{}", first.path, first.problem, and_more(*n_more))]
    NotWhole {
        /// The table.
        table: &'static str,
        /// The first such file.
        first: Finding,
        /// How many more there are.
        n_more: usize,
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
    /// SQL of a study that cannot be asked of the data.
    #[error("{entry}: the SQL `{sql}` cannot be used for `{key}`: {reason}")]
    Expression {
        /// The study's entry, e.g. `[[rsa]] 2 "same line"`.
        entry: String,
        /// The entry's key.
        key: &'static str,
        /// The SQL.
        sql: String,
        /// DuckDB's message, or what was expected.
        reason: String,
    },
}

impl CatalogError {
    /// Wraps an error of DuckDB with what was being done.
    pub fn engine(action: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Self {
        let action = action.into();
        move |source| Self::Engine { action, source }
    }

    /// An error of a dataframe operation.
    pub fn frame(reason: impl Into<String>) -> Self {
        Self::Frame { reason: reason.into() }
    }

    /// Whether the user's input is at fault (a study, a statement), rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::Sql { .. } | Self::NotAQuestion { .. } | Self::Expression { .. })
    }
}

fn and_more(n: usize) -> String {
    match n {
        0 => String::new(),
        1 => " (and 1 more file)".to_owned(),
        n => format!(" (and {n} more files)"),
    }
}
