//! The lock of a lake: shared by the transactions that write to the lake, exclusive for the removal of unlisted files.
//!
//! The operating system drops the lock of a process that ends, however the process ends: a killed writer never blocks
//! `clean`, and a new process with the number of a dead one is not taken for a writer.

use crate::error::LakeError;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

const LOCK_FILE: &str = "_lock";

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct LakeLock {
    _file: File,
}

impl LakeLock {
    /// The lock of a writer; waits while unlisted files are being removed.
    pub(crate) fn shared(root: &Path) -> Result<Self, LakeError> {
        let path = root.join(LOCK_FILE);
        let file = open(&path)?;
        match file.lock_shared() {
            // A file system without locks takes writers all the same; `clean` refuses to work there.
            Err(e) if e.kind() != ErrorKind::Unsupported => Err(LakeError::io("lock", &path)(e)),
            _ => Ok(Self { _file: file }),
        }
    }

    /// The lock of the only user, or none while a writer holds the lake.
    pub(crate) fn exclusive(root: &Path) -> Result<Option<Self>, LakeError> {
        let path = root.join(LOCK_FILE);
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(LakeError::io("lock", &path)(e)),
        }
    }
}

fn open(path: &Path) -> Result<File, LakeError> {
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(LakeError::io("open", path))
}
