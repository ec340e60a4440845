//! The report of a lake's results as a file: every analysis gives its sections, in the order of [`ANALYSES`].

use crate::analyses::ANALYSES;
use crate::catalog::Catalog;
use crate::report::{ComposedPage, ReportError, ReportRequest, WrittenReport, compose};
use hypercolumn_catalog::CatalogError;
use hypercolumn_schemas::Lake;
use std::fs;
use std::path::Path;

/// Writes the report to `path`, replacing what was there only when the new page is whole; a file that is the same page is
/// left alone.
///
/// # Errors
/// [`ReportError::Catalog`] when a file that the page is made of is damaged; [`ReportError::Question`] when DuckDB cannot
/// answer; [`ReportError::Write`] when the file cannot be written. Empty tables are no error: their sections say which command fills them.
pub fn write_report(lake: &Lake, request: &ReportRequest, path: &Path) -> Result<WrittenReport, ReportError> {
    let page = compose_report(lake, request)?;
    if is_at(&page, path) {
        return Ok(page.report);
    }
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

/// Whether the file at `path` is the page that [`write_report`] would make.
///
/// # Errors
/// As [`write_report`], but for writing.
pub fn report_is_current(lake: &Lake, request: &ReportRequest, path: &Path) -> Result<bool, ReportError> {
    Ok(path.exists() && is_at(&compose_report(lake, request)?, path))
}

fn is_at(page: &ComposedPage, path: &Path) -> bool {
    fs::read(path).is_ok_and(|there| there == page.html.as_bytes())
}

fn compose_report(lake: &Lake, request: &ReportRequest) -> Result<ComposedPage, ReportError> {
    let catalog = Catalog::open(lake)?;
    let commits = catalog.snapshot().commits().filter(|commit| request.concerns(&commit.slot));
    for file in commits.flat_map(|commit| &commit.files) {
        lake.check(file).map_err(CatalogError::from)?;
    }
    compose(&catalog, request, |inputs| {
        let mut sections = Vec::new();
        for analysis in ANALYSES {
            sections.extend(analysis.sections(inputs)?);
        }
        // What was claimed beforehand comes first.
        sections.sort_by_key(|section| !section.opens_report());
        Ok(sections)
    })
}
