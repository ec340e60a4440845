//! The log: one file an entry, numbered from 0, each with a checksum and the hash of its predecessor.
//!
//! `_head` names the last entry and `_checkpoint` holds what the entries up to some number amount to. Entries are added
//! under the lake's commit lock; that no two have one number holds without it.

mod envelope;
mod files;
mod replay;

pub use envelope::LOG_FORMAT;
pub(crate) use files::{SET_ASIDE, sync_directory};
pub(crate) use replay::{Depth, replay};

use crate::commit::LogEntry;
use crate::error::LakeError;
use crate::snapshot::{Snapshot, Tip};
use std::path::Path;

/// Name of the log's directory inside a lake.
pub(crate) const LOG_DIRECTORY: &str = "_log";

/// A checkpoint is written after this many entries.
const CHECKPOINT_EVERY: u64 = 100;

/// Adds `entry` behind `before`, which was read under the commit lock; what the lake holds then, or none if another
/// writer has taken the number.
///
/// # Errors
/// When a file cannot be written; the lake then reads as before.
pub(crate) fn append(log: &Path, before: &Snapshot, entry: LogEntry) -> Result<Option<Snapshot>, LakeError> {
    let lacks_checkpoint = before.problems().iter().any(|p| p.path.ends_with(files::CHECKPOINT))
        || (before.tip.is_some() && matches!(files::read_head(log), files::Head::Absent));
    if let Some(tip) = &before.tip {
        // The head is at most one entry behind, so that readers know how many entries there have to be.
        files::write_head(log, tip)?;
    }
    let sealed = match &entry {
        LogEntry::Commit(commit) => envelope::seal("commit", commit),
        LogEntry::Removal(removal) => envelope::seal("removal", removal),
    };
    let sequence = entry.sequence();
    if !files::create(log, sequence, &sealed)? {
        return Ok(None);
    }
    let mut after = before.clone();
    let is_repair = matches!(entry, LogEntry::Removal(_));
    after.apply(entry, sealed.blake3.clone());
    // The entry counts from here on. What fails now is made good by the next entry.
    let _ = files::write_head(log, &Tip { sequence, blake3: sealed.blake3 });
    if lacks_checkpoint || is_repair || (sequence + 1).is_multiple_of(CHECKPOINT_EVERY) {
        let _ = files::write_checkpoint(log, &after);
    }
    Ok(Some(after))
}
