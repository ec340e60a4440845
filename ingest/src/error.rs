//! Errors of generating, reading and writing prompts.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why prompts could not be generated or read. Nothing has been written when one of these is
/// returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are what their names say.
pub enum IngestError {
    /// A task cannot have this name.
    #[error("`{name}` cannot be a task's name: {problem}")]
    TaskName { name: String, problem: String },
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] hypercolumn_schemas::LakeError),
    /// No built-in task has this name.
    #[error("no built-in task is called `{name}`; there are {known}, or give a prompts file")]
    UnknownTask { name: String, known: String },
    /// A built-in task has no such setting.
    #[error("task `{task}` has no setting `{key}`; its settings are {known}")]
    UnknownSetting { task: &'static str, key: String, known: String },
    /// A setting's value, as given, is impossible, alone or together with the others.
    #[error("setting `{key}` of task `{task}` is {found}; accepted: {accepted}")]
    Setting { task: &'static str, key: String, found: String, accepted: String },
    /// The file's extension, `found` as written or `missing`, is none of a format that can be read.
    #[error("{path}: the extension is {found}; accepted: {accepted}", path = path.display())]
    Extension { path: PathBuf, found: String, accepted: String },
    /// The file could not be opened.
    #[error("could not open {path}", path = path.display())]
    Open { path: PathBuf, source: io::Error },
    /// The file could be opened but not read to its end.
    #[error("could not read {path}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file's text is not UTF-8.
    #[error("{path}: {problem}", path = path.display())]
    Encoding { path: PathBuf, problem: String },
    /// The file is not an Arrow file or stream that can be read.
    #[error("could not read {path} as Arrow", path = path.display())]
    Arrow { path: PathBuf, source: arrow::error::ArrowError },
    /// The directory is none that Hugging Face's `datasets` wrote.
    #[error("{path} is a directory: {problem}", path = path.display())]
    Dataset { path: PathBuf, problem: String },
    /// A map of columns to fields makes no sense by itself.
    #[error("the map of columns: {problem}")]
    ColumnMap { problem: String },
    /// The file is not a Parquet file that can be read.
    #[error("could not read {path} as Parquet", path = path.display())]
    Parquet { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    /// A table's columns are not those of a prompts table.
    #[error("{path}: {problem}", path = path.display())]
    Columns {
        path: PathBuf,
        /// The column, the problem and the accepted columns.
        problem: String,
    },
    /// The file holds no row at all.
    #[error("{path}: the file holds no {kind}", path = path.display())]
    Empty { path: PathBuf, kind: &'static str },
    /// A template, or a setting that goes with it, is refused.
    #[error("`{key}`: {problem}")]
    Template { key: &'static str, problem: String },
    /// Rows of the file were refused.
    #[error("{}", describe_refused(path, *n_problems, problems))]
    Refused {
        path: PathBuf,
        /// What the rows are: prompts or items.
        kind: &'static str,
        /// Number of problems in the file.
        n_problems: u64,
        /// The first of them, in file order.
        problems: Vec<Problem>,
    },
}

/// The location of a problem in a file; all numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A line of a text file.
    Line(u64),
    /// A data row of a CSV file (the header is not counted) and the line on which it starts.
    CsvRow {
        /// The row.
        row: u64,
        /// The line of the file.
        line: u64,
    },
    /// An object of a JSON list, counted from 1, and the line on which it starts.
    Item {
        /// The object.
        item: u64,
        /// The line of the file.
        line: u64,
    },
    /// A row of a Parquet or Arrow file.
    Row(u64),
}

impl Location {
    /// The number of the line, the row or the object.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Line(number)
            | Self::Row(number)
            | Self::CsvRow { row: number, .. }
            | Self::Item { item: number, .. } => number,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::CsvRow { row, line } => write!(f, "row {row} (line {line})"),
            Self::Item { item, line } => write!(f, "object {item} (line {line})"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// One refused value: where it is, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The row.
    pub location: Location,
    /// The field, e.g. `segments[1].end`; `None` where the row as a whole is unreadable.
    pub field: Option<String>,
    /// The expected and the given value.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}: field `{field}`: {}", self.location, self.message),
            None => write!(f, "{}: {}", self.location, self.message),
        }
    }
}

fn describe_refused(path: &std::path::Path, n_problems: u64, problems: &[Problem]) -> String {
    let path = path.display();
    if let [problem] = problems {
        return format!("{path}: {problem}");
    }
    let shown = match n_problems - problems.len() as u64 {
        0 => String::new(),
        _ => format!(", of which the first {}", problems.len()),
    };
    let mut text = format!("{path}: {n_problems} problems{shown}:");
    for problem in problems {
        text.push_str(&format!("\n  {problem}"));
    }
    text
}
