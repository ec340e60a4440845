//! JSON: a list of objects. Files of this extension that hold JSON Lines are read as those.

use std::path::Path;

use serde_json::value::RawValue;

use crate::error::{IngestError, Location};
use crate::read::format::FormattedFile;
use crate::read::intake::Intake;
use crate::read::jsonl;
use crate::read::jsonl::take_object;
use crate::read::row::Row;

/// Reads a file that holds a list of objects, or an object a line.
pub(super) fn read<R: Row>(
    path: &Path,
    file: &FormattedFile,
    intake: &mut Intake<'_, R>,
) -> Result<(), IngestError> {
    let text = file.read_text(path)?;
    if !text.trim_start().starts_with('[') {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        return match lines.next().is_none_or(is_object) {
            true => jsonl::read(path, file, intake),
            false => {
                let problem = "expected a list of objects, as pandas' to_json(orient='records') writes it, or one \
                               object a line";
                Err(IngestError::Columns { path: path.to_owned(), problem: problem.to_owned() })
            }
        };
    }
    let items: Vec<&RawValue> = match serde_json::from_str(&text) {
        Ok(items) => items,
        Err(error) => {
            let message = format!("not valid JSON at column {}: {error}", error.column());
            intake.refuse(Location::Line(error.line() as u64), None, message);
            return Ok(());
        }
    };
    let (mut line, mut counted) = (1, 0);
    for (number, item) in (1..).zip(items) {
        let start = item.get().as_ptr() as usize - text.as_ptr() as usize;
        line += text[counted..start].matches('\n').count() as u64;
        counted = start;
        take_object(item.get(), Location::Item { item: number, line }, intake);
    }
    Ok(())
}

/// Whether a line is a whole object by its ends, and none that maps columns to values as pandas writes by default.
fn is_object(line: &str) -> bool {
    let is_whole = line.trim().starts_with('{') && line.trim().ends_with('}');
    let parsed = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line);
    let is_table = parsed.is_ok_and(|object| !object.is_empty() && object.values().all(|v| v.is_object()));
    is_whole && !is_table
}
