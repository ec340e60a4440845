//! Users' own prompts, from JSON Lines, JSON, CSV, TSV, Parquet or Arrow.
//!
//! Each format's reader turns a row into named JSON values; [`forms`] gives them the names of a prompt's fields, and one
//! check, the same for all, turns those into a [`Prompt`]. Every problem is collected with its location, field and
//! expectation, and the file is refused as a whole: a file with a bad row gives no prompts.

mod arrow_rows;
mod arrow_values;
mod choices;
mod column_map;
mod columns;
mod csv_rows;
mod csv_scan;
mod fields;
mod format;
mod forms;
mod intake;
mod item_table;
mod json_list;
mod json_text;
mod jsonl;
mod row;
mod segments;
mod values;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::IngestError;
use crate::read::format::{Format, FormattedFile, data_files, open, read_error};
use crate::read::intake::Intake;
use crate::read::row::Row;
use hypercolumn_schemas::Prompt;

pub use column_map::ColumnMap;
pub(crate) use fields::{ITEMS, Item};
pub(crate) use item_table::ItemTable;

/// A user's prompts: a file, or a directory that Hugging Face's `datasets` wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptsFile {
    /// The file; its extension says the format.
    pub path: PathBuf,
    /// The columns whose names are not those of a prompt's fields.
    pub map: ColumnMap,
}

/// Prompts as a file has them.
#[derive(Debug, PartialEq)]
pub struct Reading {
    /// The prompts, in file order.
    pub prompts: Vec<Prompt>,
    /// How the file was read, where that is not plain: which columns were taken for what.
    pub messages: Vec<String>,
}

impl PromptsFile {
    /// A file whose columns have the names of a prompt's fields, or one of the known forms.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), map: ColumnMap::default() }
    }

    /// Reads the prompts.
    ///
    /// JSON Lines holds one object a line. CSV and TSV (with a header), Parquet and Arrow hold the same fields as
    /// columns, nested ones as JSON text or as structs and lists. An empty cell of CSV is a missing value.
    ///
    /// # Errors
    ///
    /// [`IngestError`]: a file that cannot be opened or read, has an unknown extension or no column of texts, holds no
    /// prompts, or has rows that are refused.
    pub fn read(&self) -> Result<Reading, IngestError> {
        let (prompts, messages) = read_rows(&self.path, &self.map)?;
        Ok(Reading { prompts, messages })
    }

    /// What decides the prompts, for an ingest's key: the format, the content and the map, but not the path.
    ///
    /// # Errors
    /// [`IngestError`] where the file cannot be opened or read.
    pub(crate) fn describe(&self) -> Result<Value, IngestError> {
        let mut description = describe_file(&self.path)?;
        if !self.map.is_empty() {
            description["map"] = serde_json::to_value(&self.map).expect("names are JSON");
        }
        Ok(description)
    }

    /// Whether the format is known and the file is there, short of reading it.
    ///
    /// # Errors
    /// [`IngestError`] as [`Self::read`].
    pub fn check(&self) -> Result<(), IngestError> {
        check_file(&self.path)
    }
}

/// The rows of a file or a directory of datasets, and how they were read.
fn read_rows<R: Row>(path: &Path, map: &ColumnMap) -> Result<(Vec<R>, Vec<String>), IngestError> {
    let mut intake = Intake::new(map);
    let is_dataset = path.is_dir();
    for path in data_files(path)? {
        let file = FormattedFile::of(&path)?;
        match file.format {
            // Datasets are in files whose schema is one.
            _ if is_dataset => arrow_rows::read_arrow(&path, &mut intake)?,
            Format::JsonLines => jsonl::read(&path, &file, &mut intake)?,
            Format::Json => json_list::read(&path, &file, &mut intake)?,
            Format::Csv(dialect) => csv_rows::read(&path, &file, dialect, &mut intake)?,
            Format::Parquet => arrow_rows::read_parquet(&path, &mut intake)?,
            Format::Arrow => arrow_rows::read_arrow(&path, &mut intake)?,
        }
    }
    intake.finish(path)
}

/// The format and the content of a file, for an ingest's key.
fn describe_file(path: &Path) -> Result<Value, IngestError> {
    let mut hasher = blake3::Hasher::new();
    let mut extension = String::new();
    for path in data_files(path)? {
        extension = FormattedFile::of(&path)?.extension;
        io::copy(&mut io::BufReader::new(open(&path)?), &mut hasher).map_err(read_error(&path))?;
    }
    Ok(json!({ "format": extension, "blake3": hasher.finalize().to_hex().to_string() }))
}

/// Whether a file's format is known and the file is there, short of reading it.
fn check_file(path: &Path) -> Result<(), IngestError> {
    data_files(path)?.iter().try_for_each(|path| FormattedFile::of(path).and(open(path).map(drop)))
}
