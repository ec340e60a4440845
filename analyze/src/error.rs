//! Everything that can go wrong between a lake and its answers.

use crate::stats::NumericsError;
use hypercolumn_schemas::{Finding, LakeError};

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

impl AnalyzeError {
    /// Wraps an error of DuckDB with what was being done.
    pub(crate) fn engine(action: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Self {
        let action = action.into();
        move |source| Self::Engine { action, source }
    }

    /// An error of a dataframe operation.
    pub(crate) fn frame(reason: impl Into<String>) -> Self {
        Self::Frame { reason: reason.into() }
    }

    /// Whether the user's input is at fault (a study, a statement, a name), rather than the machine.
    pub fn is_bad_input(&self) -> bool {
        !matches!(
            self,
            Self::Lake(_)
                | Self::NotWhole { .. }
                | Self::Engine { .. }
                | Self::Answer { .. }
                | Self::Frame { .. }
                | Self::Numerics(_)
        )
    }
}

fn and_more(n: usize) -> String {
    match n {
        0 => String::new(),
        1 => " (and 1 more file)".to_owned(),
        n => format!(" (and {n} more files)"),
    }
}
