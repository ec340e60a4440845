//! Formats of prompts files by extension, and their bytes as text.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::error::IngestError;
use crate::read::csv_scan::{Dialect, InnerQuotes};

/// Formats of prompts files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One object a line.
    JsonLines,
    /// A list of objects, or JSON Lines under this extension.
    Json,
    /// Separated values with a header.
    Csv(Dialect),
    /// Parquet.
    Parquet,
    /// Arrow IPC, as a file (Feather) or a stream.
    Arrow,
}

/// Extensions and formats; `accepted` of messages lists them in this order.
const FORMATS: [(&str, Format); 10] = [
    ("jsonl", Format::JsonLines),
    ("ndjson", Format::JsonLines),
    ("json", Format::Json),
    ("csv", Format::Csv(Dialect { delimiter: b',', inner_quotes: InnerQuotes::Refused })),
    ("tsv", Format::Csv(Dialect { delimiter: b'\t', inner_quotes: InnerQuotes::Literal })),
    ("parquet", Format::Parquet),
    ("arrow", Format::Arrow),
    ("ipc", Format::Arrow),
    ("feather", Format::Arrow),
    ("arrows", Format::Arrow),
];

/// Extension of a text file that gzip has compressed, after the format's own.
const GZIP: &str = "gz";

/// The file that a directory of Hugging Face's `datasets` (`save_to_disk`) lists its data files in.
const DATASET_STATE: &str = "state.json";

impl Format {
    fn is_text(self) -> bool {
        matches!(self, Self::JsonLines | Self::Json | Self::Csv(_))
    }
}

/// A file with its format.
#[derive(Debug)]
pub(super) struct FormattedFile {
    pub(super) format: Format,
    /// The extension in lower case, compression included, e.g. `csv.gz`: part of an ingest's key.
    pub(super) extension: String,
    is_gzip: bool,
}

impl FormattedFile {
    /// The format that a file's extension says.
    ///
    /// # Errors
    /// [`IngestError::Extension`] where the extension is none that is accepted.
    pub(super) fn of(path: &Path) -> Result<Self, IngestError> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (bare, is_gzip) =
            name.strip_suffix(&format!(".{GZIP}")).map_or((name.as_str(), false), |n| (n, true));
        let extension = bare.rsplit_once('.').map(|(_, extension)| extension);
        let found = FORMATS.iter().find(|(known, _)| Some(*known) == extension).map(|(_, format)| *format);
        match found.filter(|format| !is_gzip || format.is_text()) {
            Some(format) => {
                let zipped = if is_gzip { ".gz" } else { "" };
                let extension = format!("{}{zipped}", extension.unwrap_or_default());
                Ok(Self { format, extension, is_gzip })
            }
            None => {
                let extension =
                    path.extension().map(|e| format!("`.{}`", e.to_string_lossy().to_lowercase()));
                let found = extension.unwrap_or_else(|| "missing".to_owned());
                Err(IngestError::Extension { path: path.to_owned(), found, accepted: accepted_extensions() })
            }
        }
    }

    /// The file's text, decompressed, in buffered form.
    ///
    /// # Errors
    /// [`IngestError::Encoding`] where the text is in UTF-16 or UTF-32.
    pub(super) fn open_text(&self, path: &Path) -> Result<Box<dyn BufRead>, IngestError> {
        let file = BufReader::with_capacity(BUFFER_BYTES, open(path)?);
        let mut reader: Box<dyn BufRead> = match self.is_gzip {
            true => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file))),
            false => Box::new(file),
        };
        let start = reader.fill_buf().map_err(read_error(path))?;
        if let Some(encoding) = wide_encoding(start) {
            let problem = format!("the text is in {encoding}; save the file as UTF-8");
            return Err(IngestError::Encoding { path: path.to_owned(), problem });
        }
        if start.starts_with(b"\xEF\xBB\xBF") {
            reader.consume(3);
        }
        Ok(reader)
    }

    /// The file's whole text.
    ///
    /// # Errors
    /// [`IngestError::Encoding`] where the text is not UTF-8, with the line.
    pub(super) fn read_text(&self, path: &Path) -> Result<String, IngestError> {
        let mut bytes = Vec::new();
        self.open_text(path)?.read_to_end(&mut bytes).map_err(read_error(path))?;
        String::from_utf8(bytes).map_err(|error| {
            let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
            let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let problem = format!("line {line}: {}", describe_utf8_error(at - start, bytes[at]));
            IngestError::Encoding { path: path.to_owned(), problem }
        })
    }
}

const BUFFER_BYTES: usize = 1 << 20;

fn accepted_extensions() -> String {
    let known = FORMATS.iter().map(|(extension, format)| match format.is_text() {
        true => format!("`.{extension}` (and `.{extension}.{GZIP}`)"),
        false => format!("`.{extension}`"),
    });
    known.collect::<Vec<_>>().join(", ")
}

/// Opens a file.
///
/// # Errors
/// [`IngestError::Open`], also for a directory: it opens on some systems, and then fails less clearly at the first read.
pub(super) fn open(path: &Path) -> Result<File, IngestError> {
    let open_error = |source| IngestError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open_error)?;
    match file.metadata().map_err(open_error)?.is_dir() {
        true => Err(open_error(io::Error::from(io::ErrorKind::IsADirectory))),
        false => Ok(file),
    }
}

pub(super) fn read_error(path: &Path) -> impl Fn(io::Error) -> IngestError + '_ {
    |source| IngestError::Read { path: path.to_owned(), source }
}

/// The files that hold the prompts of `path`: itself, or the data files of a directory that Hugging Face's `datasets`
/// wrote.
///
/// # Errors
/// [`IngestError::Dataset`] where a directory is no such directory.
pub(super) fn data_files(path: &Path) -> Result<Vec<PathBuf>, IngestError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let refuse = |problem: String| IngestError::Dataset { path: path.to_owned(), problem };
    if path.join("dataset_dict.json").is_file() {
        return Err(refuse("it has several splits; name the directory of one of them".to_owned()));
    }
    let text = std::fs::read_to_string(path.join(DATASET_STATE)).map_err(|_| {
        refuse(format!("it has no `{DATASET_STATE}`, which `save_to_disk` of `datasets` writes"))
    })?;
    let state: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| refuse(format!("its `{DATASET_STATE}`: {error}")))?;
    let names = state["_data_files"].as_array().into_iter().flatten();
    let files: Vec<_> = names.filter_map(|file| Some(path.join(file["filename"].as_str()?))).collect();
    match files.is_empty() {
        true => Err(refuse(format!("its `{DATASET_STATE}` lists no data files"))),
        false => Ok(files),
    }
}

/// The encoding of a text whose characters take more than one byte each, by its mark or its zero bytes.
fn wide_encoding(start: &[u8]) -> Option<&'static str> {
    let zeros = |step: usize, at: usize| {
        let window = &start[..start.len().min(64) / step * step];
        !window.is_empty()
            && window.iter().skip(at).step_by(step).filter(|byte| **byte == 0).count() * step * 2
                > window.len()
    };
    if start.starts_with(b"\xFF\xFE\0\0") || start.starts_with(b"\0\0\xFE\xFF") {
        return Some("UTF-32");
    }
    if start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF") {
        return Some("UTF-16");
    }
    let is_wide = zeros(2, 0) || zeros(2, 1);
    is_wide.then_some(if zeros(4, 1) && zeros(4, 2) { "UTF-32" } else { "UTF-16" })
}

/// Says that a line stops being UTF-8 at a byte, counted from 0.
pub(super) fn describe_utf8_error(at: usize, byte: u8) -> String {
    format!(
        "not valid UTF-8 at byte {} (0x{byte:02X}); the file may be in Latin-1 or Windows-1252, save it as UTF-8",
        at + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_says_the_format_and_the_compression() {
        let format = |name: &str| FormattedFile::of(Path::new(name)).map(|file| (file.format, file.is_gzip));
        assert_eq!(format("a.JSONL").expect("known"), (Format::JsonLines, false));
        assert_eq!(format("a.b.ndjson.gz").expect("known"), (Format::JsonLines, true));
        assert_eq!(format("a.feather").expect("known"), (Format::Arrow, false));
        for name in ["a.parquet.gz", "a", "a.txt", "jsonl", "a.gz", "a.xlsx"] {
            assert!(matches!(format(name), Err(IngestError::Extension { .. })), "{name}");
        }
    }

    #[test]
    fn wide_encodings_are_told_with_and_without_a_mark() {
        let utf16: Vec<u8> = "text\nZoë reads".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(wide_encoding(&utf16), Some("UTF-16"));
        let big: Vec<u8> = "text\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(wide_encoding(&big), Some("UTF-16"));
        assert_eq!(wide_encoding(&[b"\xFF\xFE", &utf16[..]].concat()), Some("UTF-16"));
        let utf32: Vec<u8> = "text".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(wide_encoding(&utf32), Some("UTF-32"));
        assert_eq!(wide_encoding("Zoë, 巴黎".as_bytes()), None);
        assert_eq!(wide_encoding(b""), None);
    }
}
