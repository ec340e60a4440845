//! A lake: a directory of tables, and the log of commits that says which files count.

use crate::commit::{LOG_DIRECTORY, Snapshot};
use crate::error::LakeError;
use crate::lock::LakeLock;
use crate::writer::hash_file;
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the directory for files that are being written.
pub(crate) const STAGING_DIRECTORY: &str = "_staging";

/// A directory of tables. Opening it reads nothing; see [`Lake::snapshot`].
#[derive(Clone, Debug)]
pub struct Lake {
    root: PathBuf,
}

/// A listed file that differs from what its commit recorded.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Path relative to the lake.
    pub path: String,
    /// The difference, as a verb phrase about the path.
    pub problem: String,
}

impl Lake {
    /// Opens an existing lake.
    ///
    /// # Errors
    /// [`LakeError::Missing`] when there is no directory, [`LakeError::NotALake`] when the directory has no log.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, LakeError> {
        let root = root.into();
        if !root.exists() {
            return Err(LakeError::Missing { path: root });
        }
        if !root.join(LOG_DIRECTORY).is_dir() {
            return Err(LakeError::NotALake { path: root, reason: "the directory has no `_log`" });
        }
        Ok(Self { root })
    }

    /// Opens a lake, creating it where there is nothing yet.
    ///
    /// # Errors
    /// [`LakeError::NotALake`] when the directory holds something else, [`LakeError::Io`] when it
    /// cannot be created.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, LakeError> {
        let root = root.into();
        let log = root.join(LOG_DIRECTORY);
        if !log.is_dir() {
            if root.exists() && !root.is_dir() {
                return Err(LakeError::NotALake { path: root, reason: "the path is a file" });
            }
            let occupied = fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some());
            if occupied {
                return Err(LakeError::NotALake { path: root, reason: "the directory holds other files" });
            }
            fs::create_dir_all(&log).map_err(LakeError::io("create directory", &log))?;
        }
        Ok(Self { root })
    }

    /// The lake's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Replays the log.
    ///
    /// # Errors
    /// When a commit cannot be read or has a format that this program does not know.
    pub fn snapshot(&self) -> Result<Snapshot, LakeError> {
        Snapshot::read(&self.root)
    }

    /// Locks the lake against writers: a transaction that starts while the lock is held waits for its end. None while
    /// a transaction is open, in this process or another.
    ///
    /// # Errors
    /// [`LakeError::Io`] when the lake is read-only or its file system has no locks.
    pub fn try_lock(&self) -> Result<Option<LakeLock>, LakeError> {
        LakeLock::exclusive(&self.root)
    }

    /// Compares every listed file with what its commit recorded: present, size, BLAKE3.
    ///
    /// # Errors
    /// When the log cannot be read; differences are findings, not errors.
    pub fn verify(&self) -> Result<Vec<Finding>, LakeError> {
        let snapshot = self.snapshot()?;
        let mut findings = Vec::new();
        for file in snapshot.commits().flat_map(|c| &c.files) {
            let problem = match hash_file(&self.root.join(&file.path)) {
                Err(LakeError::Io { source, .. }) => format!("cannot be read: {source}"),
                Err(other) => other.to_string(),
                Ok((n_bytes, _)) if n_bytes != file.n_bytes => {
                    format!("has {n_bytes} bytes, its commit says {}", file.n_bytes)
                }
                Ok((_, hash)) if hash != file.blake3 => "differs from the BLAKE3 of its commit".to_owned(),
                Ok(_) => continue,
            };
            findings.push(Finding { path: file.path.clone(), problem });
        }
        Ok(findings)
    }

    /// Files below the lake's tables, and staging directories, that no commit lists: what a killed run left.
    ///
    /// # Errors
    /// When a directory cannot be listed or the log cannot be read.
    pub fn unlisted(&self) -> Result<Vec<PathBuf>, LakeError> {
        let snapshot = self.snapshot()?;
        let listed = snapshot.paths();
        let mut found = Vec::new();
        for table in crate::tables::ALL {
            collect_files(&self.root.join(table.name), &mut found)?;
        }
        collect_files(&self.root.join(STAGING_DIRECTORY), &mut found)?;
        found.retain(|path| {
            let relative = path.strip_prefix(&self.root).unwrap_or(path);
            !listed.contains(relative_text(relative).as_str())
        });
        found.sort();
        Ok(found)
    }
}

/// A relative path with `/` between levels, as commits spell it.
pub(crate) fn relative_text(path: &Path) -> String {
    path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn collect_files(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), LakeError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(LakeError::io("list", directory)(e)),
    };
    for entry in entries {
        let path = entry.map_err(LakeError::io("list", directory))?.path();
        if path.is_dir() {
            collect_files(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
