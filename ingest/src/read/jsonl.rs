//! JSON Lines: one object a line, UTF-8.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::error::{IngestError, Location};
use crate::read::fields::Fields;
use crate::read::intake::Intake;
use crate::read::{describe_json_error, describe_utf8_error, skip_byte_order_mark};
use hypercolumn_schemas::Prompt;

const BUFFER_BYTES: usize = 1 << 20;

pub(super) fn read(path: &Path, file: File) -> Result<Vec<Prompt>, IngestError> {
    let read_error = |source| IngestError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    skip_byte_order_mark(&mut reader).map_err(read_error)?;
    let mut intake = Intake::default();
    let mut blank = None;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(read_error)? == 0 {
            break;
        }
        let bytes = line.trim_ascii_end();
        if bytes.is_empty() {
            blank.get_or_insert(number);
            continue;
        }
        // A blank line is known to be out of location only once something follows it.
        if let Some(blank) = blank.take() {
            let message = "blank; blank lines may only stand at the end of the file".to_owned();
            intake.refuse(Location::Line(blank), None, message);
        }
        let location = Location::Line(number);
        match parse_line(bytes) {
            Ok(fields) => intake.take(location, fields),
            Err(message) => intake.refuse(location, None, message),
        }
    }
    intake.finish(path)
}

fn parse_line(bytes: &[u8]) -> Result<Fields, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| describe_utf8_error(&error, bytes))?;
    serde_json::from_str(text).map_err(|error| describe_json_error(&error, text))
}
