//! Checks rows, and keeps the prompts of valid rows and the problems of the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{IngestError, Location, Problem};
use crate::read::column_map::ColumnMap;
use crate::read::columns::{check_columns, find_misspelt};
use crate::read::forms::Usage;
use crate::read::row::Row;
use crate::read::values::Finding;

/// Number of problems that a refusal lists; the rest are counted.
const MAX_LISTED: usize = 5;

/// The state of reading the rows of one source.
#[derive(Debug)]
pub(super) struct Intake<'a, R> {
    map: &'a ColumnMap,
    usage: Usage,
    /// Whether names were checked once, as those of columns; rows of JSON have names of their own.
    has_columns: bool,
    rows: Vec<R>,
    n_rows: u64,
    locations: HashMap<String, Location>,
    problems: Vec<Problem>,
    n_problems: u64,
}

impl<'a, R: Row> Intake<'a, R> {
    /// No rows yet, of a source whose columns are named by `map`.
    pub(super) fn new(map: &'a ColumnMap) -> Self {
        Self {
            map,
            usage: Usage::default(),
            has_columns: false,
            rows: Vec::new(),
            n_rows: 0,
            locations: HashMap::new(),
            problems: Vec::new(),
            n_problems: 0,
        }
    }

    pub(super) fn map(&self) -> &'a ColumnMap {
        self.map
    }

    /// The number of the row to be taken next, from 1.
    pub(super) fn next_row(&mut self) -> u64 {
        self.n_rows += 1;
        self.n_rows
    }

    /// Checks the names of a table's columns.
    pub(super) fn name_columns(
        &mut self,
        path: &Path,
        columns: Vec<String>,
    ) -> Result<Vec<String>, IngestError> {
        self.has_columns = true;
        let refuse = |problem| IngestError::Columns { path: path.to_owned(), problem };
        if let Some((field, column)) = self.map.pairs().find(|(_, name)| !columns.iter().any(|c| c == name)) {
            let names: Vec<_> = columns.iter().map(|name| format!("`{name}`")).collect();
            let columns = names.join(", ");
            return Err(refuse(format!(
                "there is no column `{column}`, which is to be `{field}`; the columns are {columns}"
            )));
        }
        check_columns(columns, R::FIELDS, self.map).map_err(refuse)
    }

    /// As [`Intake::take`], for the cells of a table's row, one a column.
    pub(super) fn take_cells(
        &mut self,
        location: Location,
        columns: &[String],
        cells: impl Iterator<Item = Result<Value, Finding>>,
    ) {
        let mut fields = Map::new();
        for (column, cell) in columns.iter().zip(cells) {
            match cell {
                Ok(Value::Null) => {}
                Ok(value) => {
                    fields.insert(column.clone(), value);
                }
                Err(Finding { field, message }) => {
                    let dot = if field.is_empty() || field.starts_with('[') { "" } else { "." };
                    self.refuse(location, Some(format!("{column}{dot}{field}")), message);
                    return;
                }
            }
        }
        self.take(location, fields);
    }

    /// Checks a row and keeps it or its problems.
    pub(super) fn take(&mut self, location: Location, row: Map<String, Value>) {
        if !self.has_columns {
            let names: Vec<&str> = row.keys().map(String::as_str).collect();
            if let Some(misspelt) = find_misspelt(&names, R::FIELDS, self.map) {
                let message = misspelt.describe("the name");
                return self.refuse(location, Some(misspelt.name), message);
            }
        }
        let mut findings = Vec::new();
        let checked = R::check(row, location, self.map, &mut self.usage, &mut findings);
        for finding in findings {
            self.refuse(location, Some(finding.field), finding.message);
        }
        let Some(checked) = checked else { return };
        match self.locations.entry(checked.id().to_owned()) {
            Entry::Occupied(first) => {
                let message = format!("`{}` is already the id of {}", first.key(), first.get());
                self.refuse(location, Some(R::ID.to_owned()), message);
            }
            Entry::Vacant(entry) => {
                entry.insert(location);
                // After a problem the file is refused, so its rows need not be held.
                if self.n_problems == 0 {
                    self.rows.push(checked);
                }
            }
        }
    }

    /// Records a problem.
    pub(super) fn refuse(&mut self, location: Location, field: Option<String>, message: String) {
        self.n_problems += 1;
        if self.problems.len() < MAX_LISTED {
            self.problems.push(Problem { location, field, message });
        }
    }

    /// The rows in file order and how they were read, or the refusal.
    pub(super) fn finish(self, path: &Path) -> Result<(Vec<R>, Vec<String>), IngestError> {
        let path = path.to_owned();
        let Self { map, usage, rows, problems, n_problems, .. } = self;
        if n_problems > 0 {
            return Err(IngestError::Refused { path, kind: R::KIND, n_problems, problems });
        }
        if rows.is_empty() {
            return Err(IngestError::Empty { path, kind: R::KIND });
        }
        if let Some((field, column)) = usage.unused(map).first() {
            let problem = format!("no row has `{column}`, which is to be `{field}`");
            return Err(IngestError::Columns { path, problem });
        }
        Ok((rows, usage.messages()))
    }
}
