//! The content of listed files against their BLAKE3, once a file and process: hashing costs less than reading.

use crate::commit::FileEntry;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::writer::hash_file;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

/// A file as it was when its content was compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Checked {
    path: PathBuf,
    blake3: String,
    n_bytes: u64,
    modified: Option<SystemTime>,
}

static CHECKED: LazyLock<Mutex<HashSet<Checked>>> = LazyLock::new(Mutex::default);

impl Lake {
    /// The path of a listed file that is in place and whose content is what its commit recorded. A file that this process
    /// has compared is compared again only if it was written since.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] where it is not.
    pub fn check(&self, file: &FileEntry) -> Result<PathBuf, LakeError> {
        let path = self.locate(file)?;
        let metadata = fs::metadata(&path).map_err(LakeError::io("look at", &path))?;
        let checked = Checked {
            path: std::path::absolute(&path).unwrap_or_else(|_| path.clone()),
            blake3: file.blake3.clone(),
            n_bytes: metadata.len(),
            modified: metadata.modified().ok(),
        };
        let known = || CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().contains(&checked) {
            compare(&path, file)?;
            known().insert(checked);
        }
        Ok(path)
    }
}

/// Compares a file's content with what its commit recorded.
pub(crate) fn compare(path: &Path, file: &FileEntry) -> Result<(), LakeError> {
    let (_, blake3) = hash_file(path)?;
    if blake3 == file.blake3 {
        return Ok(());
    }
    let problem = "differs from the BLAKE3 of its commit".to_owned();
    Err(LakeError::Damaged { path: path.to_owned(), problem })
}
