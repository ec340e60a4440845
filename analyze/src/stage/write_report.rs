//! The report of a lake's results as a file: every analysis gives its sections, in the order of [`ANALYSES`].

use crate::analyses::ANALYSES;
use crate::catalog::Catalog;
use crate::report::{ReportError, ReportRequest, WrittenReport, compose};
use std::fs;
use std::path::Path;

/// Writes the report to `path`, replacing what was there only when the new page is whole.
///
/// # Errors
/// [`ReportError::Question`] when DuckDB cannot answer, [`ReportError::Write`] when the file cannot be
/// written. Empty tables are no error: their sections say which command fills them.
pub fn write_report(
    catalog: &Catalog,
    request: &ReportRequest,
    path: &Path,
) -> Result<WrittenReport, ReportError> {
    let page = compose(catalog, request, |inputs| {
        let mut sections = Vec::new();
        for analysis in ANALYSES {
            sections.extend(analysis.sections(inputs)?);
        }
        Ok(sections)
    })?;
    let refused = |source| ReportError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(refused)?;
    }
    let mut staging = path.as_os_str().to_owned();
    staging.push(format!(".{}.partial", std::process::id()));
    let staging = Path::new(&staging);
    let written = fs::write(staging, &page.html).and_then(|()| fs::rename(staging, path));
    if let Err(source) = written {
        // Best effort: the error that is reported is the one that matters.
        let _ = fs::remove_file(staging);
        return Err(refused(source));
    }
    Ok(page.report)
}
