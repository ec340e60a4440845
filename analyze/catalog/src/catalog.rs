//! The catalog: an in-memory DuckDB with one view a table, over exactly the files that a lake lists.
//!
//! Every table of the schemas has a view of its name, partition columns first, typed as the schemas say;
//! a table without files is an empty view, so that a question about it has an answer. One more view,
//! `prompt_params`, has the prompts with their `params` unpacked into columns (see [`crate::params`]).
//!
//! The engine is shut in: no extension is fetched, nothing outside the listed files can be read, and
//! the configuration is locked. What a user may say to it is decided in [`crate::sql`].

use crate::error::CatalogError;
use crate::frames::{Partitions, read_selected_frame};
use crate::params::{ParamColumn, param_columns, prompt_params_query};
use crate::quote::{literal, quoted};
use duckdb::{Connection, InterruptHandle, params};
use hypercolumn_schemas::tables::{PromptRow, SegmentRow};
use hypercolumn_schemas::{
    ColumnType, FileEntry, Finding, Lake, Selection, Snapshot, Table, TaskRows, tables,
};
use polars::prelude::DataFrame;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Name of the view of prompts with their params as columns.
pub const PROMPT_PARAMS_VIEW: &str = "prompt_params";

/// A lake as DuckDB sees it, at one moment.
pub struct Catalog {
    /// The lake; `None` for prompts that are in no lake yet.
    lake: Option<Lake>,
    connection: Connection,
    snapshot: Snapshot,
    params: Vec<ParamColumn>,
    /// Listed files that are not in place; the views leave them out.
    misplaced: Vec<Finding>,
}

/// Ends the query that a catalog's engine answers, from another thread.
pub struct Interrupter(Arc<InterruptHandle>);

impl Interrupter {
    /// Ends the query; without one, does nothing.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

impl Catalog {
    /// What ends a query of this catalog.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.connection.interrupt_handle())
    }

    /// Opens the catalog of what `lake` holds now.
    ///
    /// # Errors
    /// When the log cannot be read, or DuckDB cannot read a listed file.
    pub fn open(lake: &Lake) -> Result<Self, CatalogError> {
        Self::of_snapshot(lake, lake.snapshot()?)
    }

    /// Opens the catalog of `snapshot`, a moment of `lake`. A table of which a file is not in place can be asked for what is
    /// left of it by this program alone, which checks what it reads; [`crate::query`] refuses it.
    ///
    /// # Errors
    /// When DuckDB cannot read a listed file.
    pub fn of_snapshot(lake: &Lake, snapshot: Snapshot) -> Result<Self, CatalogError> {
        let root = std::path::absolute(lake.root()).unwrap_or_else(|_| lake.root().to_owned());
        let connection = Connection::open_in_memory().map_err(CatalogError::engine("open a database"))?;
        let misplaced = lake.misplaced(&snapshot);
        let gone: HashSet<&str> = misplaced.iter().map(|finding| finding.path.as_str()).collect();
        shut_in(&connection, &root, &snapshot)?;
        for table in tables::ALL {
            let files: Vec<&FileEntry> =
                snapshot.files(table).filter(|file| !gone.contains(file.path.as_str())).collect();
            let sql = format!("CREATE VIEW {} AS {}", table.name, table_query(table, &root, &files));
            let action = format!("create view `{}`", table.name);
            connection.execute_batch(&sql).map_err(CatalogError::engine(action))?;
        }
        let params = create_params_view(&connection)?;
        Ok(Self { lake: Some(lake.clone()), connection, snapshot, params, misplaced })
    }

    /// A catalog of tasks whose prompts are in no lake yet: typed empty views of every other table.
    ///
    /// # Errors
    /// When DuckDB refuses, which is a fault here.
    pub fn of_tasks(tasks: &[TaskRows]) -> Result<Self, CatalogError> {
        let connection = Connection::open_in_memory().map_err(CatalogError::engine("open a database"))?;
        shut_in(&connection, Path::new(""), &Snapshot::default())?;
        for table in tables::ALL {
            let is_given = [tables::PROMPTS.name, tables::SEGMENTS.name].contains(&table.name);
            let kind = if is_given { "TABLE" } else { "VIEW" };
            let sql = format!("CREATE {kind} {} AS {}", table.name, empty_query(table));
            let action = format!("create `{}`", table.name);
            connection.execute_batch(&sql).map_err(CatalogError::engine(action))?;
        }
        for rows in tasks {
            insert_prompts(&connection, rows).map_err(CatalogError::engine("take in the prompts"))?;
        }
        let params = create_params_view(&connection)?;
        Ok(Self { lake: None, connection, snapshot: Snapshot::default(), params, misplaced: Vec::new() })
    }

    /// What the lake held when the catalog was opened.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The columns that params became in the view `prompt_params`, over all tasks.
    pub fn params(&self) -> &[ParamColumn] {
        &self.params
    }

    /// The rows of `table` in `partitions` as a frame, partition columns first.
    ///
    /// # Errors
    /// [`CatalogError::Lake`] where a listed file cannot be read; [`CatalogError::Frame`] where polars refuses, and for
    /// prompts that are in no lake yet.
    pub fn frame(
        &self,
        table: &'static Table,
        partitions: Partitions<'_>,
    ) -> Result<DataFrame, CatalogError> {
        self.selected_frame(table, partitions, Selection::default())
    }

    /// As [`Catalog::frame`], of the selected rows and columns alone.
    ///
    /// # Errors
    /// As [`Catalog::frame`].
    pub fn selected_frame(
        &self,
        table: &'static Table,
        partitions: Partitions<'_>,
        selection: Selection<'_>,
    ) -> Result<DataFrame, CatalogError> {
        let lake = self.lake.as_ref().ok_or_else(|| CatalogError::frame("there is no lake to read"))?;
        read_selected_frame(lake, &self.snapshot, table, partitions, selection)
    }

    /// Refuses to answer from tables of which a file is not in place.
    pub fn refuse_misplaced(
        &self,
        mut asked: impl Iterator<Item = &'static Table>,
    ) -> Result<(), CatalogError> {
        let is_of = |finding: &&Finding, table: &Table| finding.path.split('/').next() == Some(table.name);
        let found = asked.find_map(|table| {
            let mut of_table = self.misplaced.iter().filter(|finding| is_of(finding, table));
            Some((table.name, of_table.next()?.clone(), of_table.count()))
        });
        match found {
            Some((table, first, n_more)) => Err(CatalogError::NotWhole { table, first, n_more }),
            None => Ok(()),
        }
    }

    /// DuckDB itself, for the project's own questions.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

fn create_params_view(connection: &Connection) -> Result<Vec<ParamColumn>, CatalogError> {
    let params = param_columns(connection, None)?;
    let sql = format!("CREATE VIEW {PROMPT_PARAMS_VIEW} AS {}", prompt_params_query(&params));
    let action = format!("create view `{PROMPT_PARAMS_VIEW}`");
    connection.execute_batch(&sql).map_err(CatalogError::engine(action))?;
    Ok(params)
}

fn insert_prompts(connection: &Connection, rows: &TaskRows) -> Result<(), duckdb::Error> {
    let mut prompts = connection.appender(tables::PROMPTS.name)?;
    for p in &rows.prompts {
        let PromptRow { prompt_id, item_id, condition, n_examples, text, expected, params } = p;
        prompts.append_row(params![
            rows.task, prompt_id, item_id, condition, n_examples, text, expected, params
        ])?;
    }
    prompts.flush()?;
    let mut segments = connection.appender(tables::SEGMENTS.name)?;
    for s in &rows.segments {
        let SegmentRow { prompt_id, segment, role, start, end, text } = s;
        segments.append_row(params![rows.task, prompt_id, segment, role, start, end, text])?;
    }
    segments.flush()
}

/// Closes every way out: only the listed files can be read, nothing can be installed or set.
fn shut_in(connection: &Connection, root: &Path, snapshot: &Snapshot) -> Result<(), CatalogError> {
    let paths: Vec<String> =
        snapshot.commits().flat_map(|c| &c.files).map(|f| file_literal(root, f)).collect();
    let spill = std::env::temp_dir().join(format!("hypercolumn-{}", std::process::id()));
    let sql = format!(
        "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;
         SET temp_directory = {}; SET allowed_paths = [{}];
         SET enable_external_access = false; SET lock_configuration = true;",
        literal(&spill.to_string_lossy()),
        paths.join(", ")
    );
    connection.execute_batch(&sql).map_err(CatalogError::engine("shut its configuration"))
}

/// The SELECT behind a table's view.
fn table_query(table: &Table, root: &Path, files: &[&FileEntry]) -> String {
    if files.is_empty() {
        return empty_query(table);
    }
    let length = shared_vector_length(files);
    let partitions = table.partitions.iter().map(|p| p.name().to_owned());
    let columns = table.columns.iter().map(|c| match (c.kind, length) {
        (ColumnType::Vector, Some(n)) => format!("{0}::FLOAT[{n}] AS {0}", c.name),
        _ => quoted(c.name),
    });
    let selected: Vec<String> = partitions.chain(columns).collect();
    let paths: Vec<String> = files.iter().map(|f| file_literal(root, f)).collect();
    let types: Vec<String> =
        table.partitions.iter().map(|p| format!("'{}': {}", p.name(), p.duckdb())).collect();
    format!(
        "SELECT {} FROM read_parquet([{}], hive_partitioning = true, hive_types = {{{}}})",
        selected.join(", "),
        paths.join(", "),
        types.join(", ")
    )
}

fn empty_query(table: &Table) -> String {
    let partitions = table.partitions.iter().map(|p| format!("NULL::{} AS {}", p.duckdb(), p.name()));
    let columns = table.columns.iter().map(|c| format!("NULL::{} AS {}", c.kind.duckdb(), quoted(c.name)));
    format!("SELECT {} WHERE false", partitions.chain(columns).collect::<Vec<_>>().join(", "))
}

/// The length of all vectors, if there is one length.
fn shared_vector_length(files: &[&FileEntry]) -> Option<i32> {
    let lengths: BTreeSet<Option<i32>> = files.iter().map(|f| f.vector_length).collect();
    match lengths.len() {
        1 => lengths.into_iter().next().flatten(),
        _ => None,
    }
}

fn file_literal(root: &Path, file: &FileEntry) -> String {
    literal(&root.join(&file.path).to_string_lossy())
}
