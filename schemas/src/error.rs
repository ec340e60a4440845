//! Everything that can go wrong between memory and a lake.

use crate::damage::LogProblem;
use std::io;
use std::path::PathBuf;

/// An error of the lake: files, commits and their formats.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are what their names say.
pub enum LakeError {
    /// The operating system refused something.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// Verb phrase: "create directory", "rename", …
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// There is no directory at this path.
    #[error("directory `{}` does not exist", path.display())]
    Missing { path: PathBuf },
    /// The path holds something that is not a lake.
    #[error("`{}` is not a hypercolumn lake: {reason}", path.display())]
    NotALake { path: PathBuf, reason: &'static str },
    /// A slot that the log could not be read with.
    #[error("{reason}")]
    Slot { reason: String },
    /// Entries of the log are lost, so that what the lake holds is not sure.
    #[error("the log of `{}` is damaged: {}", root.display(), first.as_ref())]
    Log {
        root: PathBuf,
        /// The first problem.
        first: Box<LogProblem>,
        /// All problems.
        n_problems: usize,
    },
    /// Another process fills the same slots.
    #[error("another process is at work on {what}")]
    Busy { what: String },
    /// What a commit was computed from is not in the lake any more.
    #[error("`{path}` was replaced while what it gave was computed")]
    Outdated { path: String },
    /// Numbers of the log are taken by other writers again and again.
    #[error("could not add an entry to `{}`: other writers take its number", path.display())]
    Contended { path: PathBuf },
    /// Another format version than this program knows.
    #[error(
        "commit `{}` has format {found}, this program reads formats 2 to {known}: use the program that wrote this lake, or write the lake anew in another directory",
        path.display()
    )]
    Format { path: PathBuf, found: u32, known: u32 },
    /// Rows that do not fit their table: a fault of the writer.
    #[error("rows do not fit table `{table}`")]
    Batch { table: &'static str, source: arrow::error::ArrowError },
    /// A column that is not what its table says.
    #[error("column `{column}` of table `{table}` {problem}")]
    Column { table: &'static str, column: String, problem: String },
    /// A NaN or an infinity on its way into a table.
    #[error("column `{column}` of table `{table}` has a value that is not finite in row {row}")]
    NotFinite {
        table: &'static str,
        column: String,
        /// Row of the batch, from 0.
        row: usize,
    },
    /// Parquet could not be written or read.
    #[error("could not {action} Parquet file `{}`", path.display())]
    Parquet {
        /// "write" or "read".
        action: &'static str,
        path: PathBuf,
        source: parquet::errors::ParquetError,
    },
    /// A file differs from what its commit recorded.
    #[error("file `{}` {problem}", path.display())]
    Damaged { path: PathBuf, problem: String },
}

impl LakeError {
    /// Wraps an I/O error with what was being done to which path.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Wraps a Parquet error with what was being done to which file.
    pub fn parquet(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let path = path.into();
        move |source| Self::Parquet { action, path, source }
    }
}
