//! A scratch lake with a study's prompts and nothing else, in the system's temporary directory.
//!
//! Questions are checked and extractions are counted over it before the user's lake is touched, so that
//! a study that is refused leaves that lake as it was.

use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::resolve::ResolvedTask;
use hypercolumn_schemas::Lake;
use tempfile::TempDir;

/// A lake that is removed when dropped.
pub struct Scratch {
    /// The lake.
    pub lake: Lake,
    _directory: TempDir,
}

impl Scratch {
    /// A scratch lake with the prompts of `tasks`.
    ///
    /// # Errors
    /// Where prompts are refused, or the temporary directory cannot be written.
    pub fn new(tasks: &[ResolvedTask]) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("hypercolumn-").tempdir().map_err(|e| {
            Failure::new(Exit::Failure, "could not make a temporary directory")
                .because(e.to_string())
                .hint("TMPDIR names another directory for temporary files")
        })?;
        let path = directory.path().join("lake");
        let lake = Lake::create(&path).map_err(could_not("make lake", path.display()))?;
        for task in tasks {
            hypercolumn_ingest::ingest(&lake, &task.name, &task.source)
                .map_err(could_not("ingest", &task.name))?;
        }
        Ok(Self { lake, _directory: directory })
    }
}
