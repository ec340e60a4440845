//! Everything that can go wrong between memory and a lake.

use std::io;
use std::path::PathBuf;

/// An error of the lake: files, commits and their formats.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The operating system refused something.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// Verb phrase: "create directory", "rename", …
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No lake at this path.
    #[error("`{}` is not a hypercolumn lake: {reason}", path.display())]
    NotALake {
        /// The directory that was named.
        path: PathBuf,
        /// What is missing or in the way.
        reason: &'static str,
    },
    /// A slot that the log could not be read with.
    #[error("{reason}")]
    Slot {
        /// What is wrong with it.
        reason: String,
    },
    /// A commit file cannot be understood.
    #[error("commit `{}` cannot be read: {reason}", path.display())]
    Commit {
        /// The commit file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another format version than this program knows.
    #[error(
        "commit `{}` has format {found}, this program reads format {known}: use the program that wrote this lake, or write the lake anew in another directory",
        path.display()
    )]
    Format {
        /// The commit file.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Version that this program writes and reads.
        known: u32,
    },
    /// Rows that do not fit their table: a fault of the writer.
    #[error("rows do not fit table `{table}`")]
    Batch {
        /// Table's name.
        table: &'static str,
        /// Arrow's reason.
        source: arrow::error::ArrowError,
    },
    /// A column that is not what its table says.
    #[error("column `{column}` of table `{table}` {problem}")]
    Column {
        /// Table's name.
        table: &'static str,
        /// Column's name.
        column: String,
        /// What differs.
        problem: String,
    },
    /// A NaN or an infinity on its way into a table.
    #[error("column `{column}` of table `{table}` has a value that is not finite in row {row}")]
    NotFinite {
        /// Table's name.
        table: &'static str,
        /// Column's name.
        column: String,
        /// Row of the batch, from 0.
        row: usize,
    },
    /// Parquet could not be written or read.
    #[error("could not {action} Parquet file `{}`", path.display())]
    Parquet {
        /// "write" or "read".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: parquet::errors::ParquetError,
    },
    /// A file differs from what its commit recorded.
    #[error("file `{}` {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What differs.
        problem: String,
    },
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
