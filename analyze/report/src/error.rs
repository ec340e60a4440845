//! What can go wrong while a report is written.

use hypercolumn_catalog::CatalogError;
use std::io;
use std::path::PathBuf;

/// An error of the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The lake could not be opened, or a file that the page is made of is damaged.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The report's own question could not be answered.
    #[error("could not answer the report's question `{question}`")]
    Question {
        /// Name of the question's file.
        question: &'static str,
        /// What the engine said.
        source: CatalogError,
    },
    /// The file could not be written.
    #[error("could not write report `{}`", path.display())]
    Write {
        /// The report's path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The plotting crate ships its script in a shape that this program does not know.
    #[error("the plotting script of the plotly crate was not found where it is expected")]
    PlottingScript,
}
