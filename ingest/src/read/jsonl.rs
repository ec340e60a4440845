//! JSON Lines: one object a line, UTF-8.

use std::io::BufRead;
use std::path::Path;

use crate::error::{IngestError, Location};
use crate::read::format::{FormattedFile, describe_utf8_error, read_error};
use crate::read::intake::Intake;
use crate::read::json_text::parse_json;
use crate::read::row::Row;
use serde_json::Value;

/// Reads a file of which each line is an object or blank.
pub(super) fn read<R: Row>(
    path: &Path,
    file: &FormattedFile,
    intake: &mut Intake<'_, R>,
) -> Result<(), IngestError> {
    let mut reader = file.open_text(path)?;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(read_error(path))? == 0 {
            break;
        }
        let bytes = line.trim_ascii_end();
        if bytes.is_empty() {
            continue;
        }
        let location = Location::Line(number);
        match std::str::from_utf8(bytes) {
            Ok(text) => take_object(text, location, intake),
            Err(error) => {
                let at = error.valid_up_to();
                intake.refuse(location, None, describe_utf8_error(at, bytes[at]));
            }
        }
    }
    Ok(())
}

/// Hands over the object that a text holds, or refuses it.
pub(super) fn take_object<R: Row>(text: &str, location: Location, intake: &mut Intake<'_, R>) {
    match parse_json(text) {
        Ok(Value::Object(object)) => intake.take(location, object),
        Ok(_) => {
            let message = "expected an object with the fields of a prompt".to_owned();
            intake.refuse(location, None, message);
        }
        Err(finding) => {
            let field = Some(finding.field).filter(|field| !field.is_empty());
            intake.refuse(location, field, finding.message);
        }
    }
}
