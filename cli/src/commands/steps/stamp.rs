//! Stamp files: what steps gave, as digests, for programs that ask a file whether something has changed.

use super::{Choice, Graph};
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::select_options::Stage;
use hypercolumn_schemas::{Lake, Snapshot, content_key};
use std::fs;
use std::path::Path;

/// Writes the digests of the selected steps' tables to `path`, one line a step. A file that says the same is left alone, so
/// that its time of modification changes only when a table does. The report is no table.
///
/// # Errors
/// If the lake cannot be read or the file not written.
pub fn write_stamp(lake: &Lake, graph: &Graph, choice: &Choice, path: &Path) -> Result<(), Failure> {
    let snapshot = lake.snapshot().map_err(could_not("read lake", lake.root().display()))?;
    let is_table = |number: &usize| graph.steps[*number].stage != Stage::Report;
    let line = |number: usize| format!("{}\t{}\n", graph.name(number), digest(&snapshot, graph, number));
    let text: String = choice.numbers().filter(is_table).map(line).collect();
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    fs::write(path, text).map_err(|error| {
        Failure::new(Exit::Failure, format!("could not write stamp `{}`", path.display()))
            .because(error.to_string())
    })
}

/// The digest of a step's files.
fn digest(snapshot: &Snapshot, graph: &Graph, number: usize) -> String {
    let commits = snapshot.commits().filter(|commit| graph.step_of(&commit.slot) == Some(number));
    let files = commits.flat_map(|commit| &commit.files);
    let mut digests: Vec<String> = files.map(|file| format!("{}:{}", file.path, file.blake3)).collect();
    digests.sort();
    content_key(&digests)
}
