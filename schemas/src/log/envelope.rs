//! The spelling of the log's files: a body, and the BLAKE3 of the body's bytes.
//!
//! `{"format":3,"blake3":"HEX","KIND":BODY}` and a line end, in exactly these bytes, so that no byte of a file can change
//! without notice.

use serde::Serialize;
use serde_json::Value;

/// Version of the log's files that this program writes. It reads format 2 too, which had no checksums.
pub const LOG_FORMAT: u32 = 3;

/// The format without checksums.
const UNSEALED_FORMAT: u64 = 2;

const END: &str = "}\n";

fn beginning() -> String {
    format!("{{\"format\":{LOG_FORMAT},\"blake3\":\"")
}

/// A file's text, and the BLAKE3 of its body.
pub(crate) struct Sealed {
    pub(crate) text: String,
    pub(crate) blake3: String,
}

/// Spells `body` with its checksum.
///
/// # Panics
/// If `body` is no JSON, a fault of the caller.
pub(crate) fn seal(kind: &str, body: &impl Serialize) -> Sealed {
    let body = serde_json::to_string(body).expect("entries of the log are JSON");
    let blake3 = blake3::hash(body.as_bytes()).to_hex().to_string();
    Sealed { text: format!("{}{blake3}\",\"{kind}\":{body}{END}", beginning()), blake3 }
}

/// A file of the log that is whole.
pub(crate) enum Opened<'a> {
    /// Of this program's format.
    Sealed { kind: &'a str, body: &'a str, blake3: &'a str },
    /// Of format 2.
    Unsealed { value: Value, blake3: String },
}

/// A file that cannot be opened.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Of a format that this program does not know.
    Format(u32),
    /// The reason, as a verb phrase.
    Damaged(String),
}

impl Broken {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Format(found) => format!("has format {found}, which this program does not know"),
            Self::Damaged(reason) => reason.clone(),
        }
    }
}

/// Reads the spelling of a file of the log.
pub(crate) fn open(bytes: &[u8]) -> Result<Opened<'_>, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|_| Broken::Damaged("is no UTF-8".into()))?;
    match split(text) {
        Some((blake3, kind, body)) if blake3::hash(body.as_bytes()).to_hex().as_str() == blake3 => {
            Ok(Opened::Sealed { kind, body, blake3 })
        }
        Some(_) => Err(Broken::Damaged("differs from its BLAKE3".into())),
        None => open_unsealed(text),
    }
}

fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (blake3, rest) = text.strip_prefix(&beginning())?.split_at_checked(64)?;
    let (kind, rest) = rest.strip_prefix("\",\"")?.split_once("\":")?;
    Some((blake3, kind, rest.strip_suffix(END)?))
}

fn open_unsealed(text: &str) -> Result<Opened<'_>, Broken> {
    let mut value: Value =
        serde_json::from_str(text).map_err(|e| Broken::Damaged(format!("cannot be read: {e}")))?;
    let blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
    match value.as_object_mut().and_then(|object| object.remove("format")).and_then(|f| f.as_u64()) {
        Some(UNSEALED_FORMAT) => Ok(Opened::Unsealed { value, blake3 }),
        Some(found) if found != u64::from(LOG_FORMAT) => {
            Err(Broken::Format(u32::try_from(found).unwrap_or(u32::MAX)))
        }
        _ => Err(Broken::Damaged("is not spelled as the log is".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealed = seal("commit", &serde_json::json!({"sequence": 3, "slot": "ingest/a"}));
        let whole = sealed.text.as_bytes();
        assert!(
            matches!(open(whole), Ok(Opened::Sealed { kind: "commit", blake3, .. }) if blake3 == sealed.blake3)
        );
        let refuses = |bytes: &[u8]| !matches!(open(bytes), Ok(Opened::Sealed { kind: "commit", .. }));
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.to_vec();
                bytes[at] ^= 1 << bit;
                assert!(refuses(&bytes), "bit {bit} of byte {at}");
            }
            assert!(refuses(&whole[..at]), "the first {at} bytes");
        }
    }
}
