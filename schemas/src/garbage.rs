//! What no commit lists and no living writer holds: the remains of killed runs.

use crate::confine::relative_text;
use crate::error::LakeError;
use crate::lake::{Lake, STAGING_DIRECTORY};
use crate::lock::{CommitLock, Role, living};
use crate::log::Depth;
use crate::replaced::{sweep, wanted_by_readers};
use crate::tables;
use std::fs;
use std::path::{Path, PathBuf};

/// A file that nothing needs.
#[derive(Clone, Debug)]
pub struct GarbageFile {
    /// Path relative to the lake.
    pub path: String,
    /// Size in bytes.
    pub n_bytes: u64,
}

/// What can be removed from a lake, and what is left alone. No process commits while this is kept.
#[derive(Debug)]
pub struct Garbage {
    root: PathBuf,
    /// What can be removed.
    pub files: Vec<GarbageFile>,
    /// Links, which are neither followed nor removed; relative to the lake.
    pub links: Vec<String>,
    /// Writers at work, whose files are kept.
    pub n_writers: usize,
    /// Staging directories that are of no living writer.
    directories: Vec<PathBuf>,
    _lock: CommitLock,
}

impl Lake {
    /// Files below the lake's tables and staging directories that no commit lists, no living writer holds and no reader may
    /// still want.
    ///
    /// # Errors
    /// When a directory cannot be listed, or entries of the log are lost: an unlisted file may then be all that is left of one.
    pub fn garbage(&self) -> Result<Garbage, LakeError> {
        let lock = CommitLock::hold(self.root())?;
        let Walk { files, links, directories, n_writers, .. } = self.walk()?;
        let root = self.root().to_owned();
        Ok(Garbage { root, files, links, n_writers, directories, _lock: lock })
    }

    /// As [`Lake::garbage`], for a look alone: a file of a process that commits meanwhile may be among them.
    ///
    /// # Errors
    /// As [`Lake::garbage`].
    pub fn unlisted(&self) -> Result<Vec<GarbageFile>, LakeError> {
        Ok(self.walk()?.files)
    }

    fn walk(&self) -> Result<Walk<'_>, LakeError> {
        let (files, links, directories) = (Vec::new(), Vec::new(), Vec::new());
        let mut walk = Walk { root: self.root(), files, links, directories, n_writers: 0 };
        for table in tables::ALL {
            walk.enter(&self.root().join(table.name))?;
        }
        walk.directories.clear();
        walk.enter_staging()?;
        // The log is read after the walk: what a commit has listed meanwhile is not garbage.
        let snapshot = self.checked(Depth::Tail)?;
        let (listed, wanted) = (snapshot.paths(), wanted_by_readers(self.root())?);
        walk.files.retain(|file| !listed.contains(file.path.as_str()) && !wanted.contains(&file.path));
        walk.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(walk)
    }
}

impl Garbage {
    /// Removes the files; directories below the staging directory go if nothing else is in them.
    ///
    /// # Errors
    /// [`LakeError::Io`] for the first file that cannot be removed.
    pub fn remove(self) -> Result<(), LakeError> {
        sweep(&self.root, &self._lock)?;
        for file in &self.files {
            let path = self.root.join(&file.path);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LakeError::io("remove", &path)(e));
                }
                _ => {}
            }
        }
        for directory in self.directories.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
        let _ = fs::remove_dir(self.root.join(STAGING_DIRECTORY));
        Ok(())
    }
}

struct Walk<'a> {
    root: &'a Path,
    files: Vec<GarbageFile>,
    links: Vec<String>,
    /// Directories, each before those inside it.
    directories: Vec<PathBuf>,
    /// Writers alive.
    n_writers: usize,
}

impl Walk<'_> {
    /// Collects what is below `directory`.
    fn enter(&mut self, directory: &Path) -> Result<(), LakeError> {
        match fs::symlink_metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) if metadata.is_symlink() => {
                self.links.push(self.relative(directory));
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.directories.push(directory.to_owned());
        for entry in fs::read_dir(directory).map_err(LakeError::io("list", directory))? {
            let path = entry.map_err(LakeError::io("list", directory))?.path();
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                self.enter(&path)?;
            } else if metadata.is_symlink() {
                self.links.push(self.relative(&path));
            } else {
                self.files.push(GarbageFile { path: self.relative(&path), n_bytes: metadata.len() });
            }
        }
        Ok(())
    }

    /// Collects the staging directories of dead writers. What a run keeps for a later one has no owner: it is kept while
    /// any writer lives.
    fn enter_staging(&mut self) -> Result<(), LakeError> {
        let directories = directories_in(&self.root.join(STAGING_DIRECTORY))?;
        // A writer has its lock before its directory: asked for after the listing, the owner of each of them is known.
        let writers = living(self.root, Role::Writer)?;
        self.n_writers = writers.len();
        for directory in directories {
            let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_token = name.len() == 32 && name.bytes().all(|c| c.is_ascii_hexdigit());
            let is_held = if is_token { writers.contains(&name) } else { !writers.is_empty() };
            if !is_held {
                self.enter(&directory)?;
            }
        }
        Ok(())
    }

    fn relative(&self, path: &Path) -> String {
        relative_text(path.strip_prefix(self.root).unwrap_or(path))
    }
}

/// What is in the staging directory; nothing where there is none or it is a link.
fn directories_in(staging: &Path) -> Result<Vec<PathBuf>, LakeError> {
    if !fs::symlink_metadata(staging).is_ok_and(|m| m.is_dir()) {
        return Ok(Vec::new());
    }
    let entries = match fs::read_dir(staging) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(LakeError::io("list", staging))?,
    };
    let paths = entries.map(|entry| entry.map(|e| e.path()).map_err(LakeError::io("list", staging)));
    paths.collect()
}
