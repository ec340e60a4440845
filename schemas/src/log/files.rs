//! The files of the log: names, the head, the checkpoint, and how one of them is read and written.

use super::envelope::{Broken, Opened, Sealed, open, seal};
use crate::commit::{Commit, LogEntry};
use crate::damage::LostNumbers;
use crate::error::LakeError;
use crate::lock::token;
use crate::snapshot::{Snapshot, Tip};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Names number and hash of the last entry, so that a log whose end was cut off is noticed.
pub(crate) const HEAD: &str = "_head";

/// What the log up to some entry amounts to, so that not every entry has to be read.
pub(crate) const CHECKPOINT: &str = "_checkpoint";

/// Directory for what a repair takes out of the log.
pub(crate) const SET_ASIDE: &str = "_set_aside";

/// Beginning of the names of files that are being written.
const NEW: &str = ".new-";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadBody {
    sequence: u64,
    entry: String,
}

/// What the head says.
#[derive(Debug)]
pub(crate) enum Head {
    Absent,
    Damaged(Broken),
    At(Tip),
}

impl Head {
    pub(crate) fn sequence(&self) -> Option<u64> {
        if let Self::At(tip) = self { Some(tip.sequence) } else { None }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointBody {
    sequence: u64,
    entry: String,
    next_sequence: u64,
    lost: Vec<LostNumbers>,
    commits: Vec<Commit>,
}

/// The names in a log's directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) numbers: BTreeSet<u64>,
    pub(crate) strays: Vec<String>,
}

/// File name of an entry of the log.
pub(crate) fn file_name(sequence: u64) -> String {
    format!("{sequence:020}.json")
}

pub(crate) fn list(log: &Path) -> Result<Listing, LakeError> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(log).map_err(LakeError::io("list", log))? {
        let name = entry.map_err(LakeError::io("list", log))?.file_name().to_string_lossy().into_owned();
        let number = name.strip_suffix(".json").and_then(|digits| digits.parse::<u64>().ok());
        match number.filter(|n| file_name(*n) == name) {
            Some(number) => drop(listing.numbers.insert(number)),
            None if [HEAD, CHECKPOINT, SET_ASIDE].contains(&name.as_str()) || name.starts_with(NEW) => {}
            None => listing.strays.push(name),
        }
    }
    listing.strays.sort();
    Ok(listing)
}

/// The bytes of a file of the log, none if there is no file; a link is not followed.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Broken> {
    let unreadable = |e: std::io::Error| Broken::Damaged(format!("cannot be read: {e}"));
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
        Ok(metadata) if !metadata.is_file() => return Err(Broken::Damaged("is no plain file".into())),
        Ok(_) => {}
    }
    fs::read(path).map(Some).map_err(unreadable)
}

/// An entry with its BLAKE3, none if there is no file.
pub(crate) fn read_entry(path: &Path) -> Result<Option<(LogEntry, String)>, Broken> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let damaged = |e: serde_json::Error| Broken::Damaged(format!("cannot be read: {e}"));
    let commit = |commit: Commit| LogEntry::Commit(Box::new(commit));
    let (entry, blake3) = match open(&bytes)? {
        Opened::Sealed { kind: "commit", body, blake3 } => {
            (serde_json::from_str(body).map(commit).map_err(damaged)?, blake3.to_owned())
        }
        Opened::Sealed { kind: "removal", body, blake3 } => {
            (serde_json::from_str(body).map(LogEntry::Removal).map_err(damaged)?, blake3.to_owned())
        }
        Opened::Sealed { kind, .. } => return Err(Broken::Damaged(format!("holds a `{kind}`"))),
        Opened::Unsealed { value, blake3 } => {
            (serde_json::from_value(value).map(commit).map_err(damaged)?, blake3)
        }
    };
    match entry.problem() {
        Some(problem) => Err(Broken::Damaged(problem)),
        None => Ok(Some((entry, blake3))),
    }
}

fn read_sealed<T: for<'de> Deserialize<'de>>(path: &Path, expected: &str) -> Result<Option<T>, Broken> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    match open(&bytes)? {
        Opened::Sealed { kind, body, .. } if kind == expected => {
            serde_json::from_str(body).map(Some).map_err(|e| Broken::Damaged(format!("cannot be read: {e}")))
        }
        _ => Err(Broken::Damaged(format!("holds no {expected}"))),
    }
}

pub(crate) fn read_head(log: &Path) -> Head {
    match read_sealed::<HeadBody>(&log.join(HEAD), "head") {
        Ok(None) => Head::Absent,
        Ok(Some(body)) => Head::At(Tip { sequence: body.sequence, blake3: body.entry }),
        Err(broken) => Head::Damaged(broken),
    }
}

/// What the checkpoint says, none if there is none.
pub(crate) fn read_checkpoint(log: &Path) -> Result<Option<Snapshot>, Broken> {
    let Some(body) = read_sealed::<CheckpointBody>(&log.join(CHECKPOINT), "checkpoint")? else {
        return Ok(None);
    };
    let tip = Tip { sequence: body.sequence, blake3: body.entry };
    let mut snapshot = Snapshot::at(tip, body.next_sequence, body.lost);
    for commit in body.commits {
        if let Some(problem) = commit.files.iter().find_map(|file| file.problem()) {
            return Err(Broken::Damaged(problem));
        }
        snapshot.fill(commit);
    }
    Ok(Some(snapshot))
}

pub(crate) fn write_head(log: &Path, tip: &Tip) -> Result<(), LakeError> {
    let body = HeadBody { sequence: tip.sequence, entry: tip.blake3.clone() };
    replace(log, HEAD, &seal("head", &body))
}

pub(crate) fn write_checkpoint(log: &Path, snapshot: &Snapshot) -> Result<(), LakeError> {
    let Some(tip) = &snapshot.tip else { return Ok(()) };
    let body = CheckpointBody {
        sequence: tip.sequence,
        entry: tip.blake3.clone(),
        next_sequence: snapshot.next_sequence,
        lost: snapshot.lost.clone(),
        commits: snapshot.listed().cloned().collect(),
    };
    replace(log, CHECKPOINT, &seal("checkpoint", &body))
}

/// Writes a file in one step, in place of what had its name.
fn replace(log: &Path, name: &str, sealed: &Sealed) -> Result<(), LakeError> {
    let (new, path) = (write_new(log, &sealed.text)?, log.join(name));
    fs::rename(&new, &path).map_err(LakeError::io("rename", &new))
}

/// Writes an entry unless another has its number; whether it was written.
pub(crate) fn create(log: &Path, sequence: u64, sealed: &Sealed) -> Result<bool, LakeError> {
    let (new, path) = (write_new(log, &sealed.text)?, log.join(file_name(sequence)));
    // A hard link fails if the name exists, so two writers can never both write one number.
    let linked = fs::hard_link(&new, &path);
    let _ = fs::remove_file(&new);
    match linked {
        Ok(()) => sync_directory(log).map(|()| true),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(LakeError::io("create", &path)(e)),
    }
}

fn write_new(log: &Path, text: &str) -> Result<std::path::PathBuf, LakeError> {
    let path = log.join(format!("{NEW}{}", token()?));
    let mut file =
        File::options().write(true).create_new(true).open(&path).map_err(LakeError::io("create", &path))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|e| {
        let _ = fs::remove_file(&path);
        LakeError::io("write", &path)(e)
    })?;
    Ok(path)
}

/// Makes renames and directories inside a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), LakeError> {
    let handle = File::open(directory).map_err(LakeError::io("open", directory))?;
    handle.sync_all().map_err(LakeError::io("flush", directory))
}
