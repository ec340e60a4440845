//! Files that a commit replaced: removed at once where nobody reads, and by the last reader otherwise.
//!
//! A reader shows itself before it reads the log. A writer looks for readers after its commit: who comes later reads the
//! new commit and does not ask for the old files.

use crate::confine::without_links;
use crate::error::LakeError;
use crate::lock::{CommitLock, OwnerLock, Role, living, token};
use crate::log::{Depth, LOG_DIRECTORY, replay};
use crate::snapshot::Snapshot;
use crate::tables;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Directory of the lists of replaced files that a reader may still want, one list a commit.
pub(crate) const REPLACED_DIRECTORY: &str = "_replaced";

/// The sign of a reader: while it is kept, files that were listed when it was made stay in place.
#[derive(Debug)]
pub(crate) struct Reader {
    root: PathBuf,
    lock: Option<OwnerLock>,
}

impl Reader {
    /// A reader of a lake that cannot be written to shows itself to nobody.
    pub(crate) fn enter(root: &Path) -> Self {
        Self { root: root.to_owned(), lock: OwnerLock::create(root, Role::Reader).ok() }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let was_visible = self.lock.take().is_some();
        if !was_visible || !self.root.join(REPLACED_DIRECTORY).exists() {
            return;
        }
        if let Some(lock) = CommitLock::try_hold(&self.root) {
            // What cannot be removed now is removed after the next commit or by `gc`.
            let _ = sweep(&self.root, &lock);
        }
    }
}

/// Deletes what `before` listed and `after` does not, or leaves that to the last reader. What cannot be deleted stays
/// unlisted, and `gc` removes it.
pub(crate) fn remove_replaced(root: &Path, before: &Snapshot, after: &Snapshot, lock: &CommitLock) {
    let kept = after.paths();
    let replaced: Vec<&str> = before.paths().difference(&kept).copied().collect();
    if !replaced.is_empty() {
        let _ = note(root, &replaced);
    }
    let _ = sweep(root, lock);
}

fn note(root: &Path, replaced: &[&str]) -> Result<(), LakeError> {
    let directory = root.join(REPLACED_DIRECTORY);
    fs::create_dir_all(&directory).map_err(LakeError::io("create directory", &directory))?;
    let path = directory.join(token()?);
    fs::write(&path, replaced.join("\n")).map_err(LakeError::io("write", &path))
}

/// Replaced files that a living reader may still want; relative to the lake.
pub(crate) fn wanted_by_readers(root: &Path) -> Result<HashSet<String>, LakeError> {
    let mut wanted = HashSet::new();
    if living(root, Role::Reader)?.is_empty() {
        return Ok(wanted);
    }
    for list in fs::read_dir(root.join(REPLACED_DIRECTORY)).into_iter().flatten().flatten() {
        wanted.extend(fs::read_to_string(list.path()).unwrap_or_default().lines().map(str::to_owned));
    }
    Ok(wanted)
}

/// Removes replaced files if no reader is left.
pub(crate) fn sweep(root: &Path, _lock: &CommitLock) -> Result<(), LakeError> {
    let directory = root.join(REPLACED_DIRECTORY);
    let Ok(lists) = fs::read_dir(&directory) else { return Ok(()) };
    if !living(root, Role::Reader)?.is_empty() {
        return Ok(());
    }
    let snapshot = replay(&root.join(LOG_DIRECTORY), Depth::Tail, &mut |_| {})?;
    let listed = snapshot.paths();
    for list in lists.flatten() {
        let text = fs::read_to_string(list.path()).unwrap_or_default();
        for path in text.lines().filter(|path| !listed.contains(path) && is_of_a_table(path)) {
            if let Some(whole) = without_links(root, path) {
                let _ = fs::remove_file(whole);
                remove_empty_levels(root, path);
            }
        }
        let _ = fs::remove_file(list.path());
    }
    let _ = fs::remove_dir(&directory);
    Ok(())
}

/// Removes the directories of a path that nothing is in any more, the table's own kept. Writers make them under the commit lock.
fn remove_empty_levels(root: &Path, path: &str) {
    let directories = Path::new(path).ancestors().skip(1);
    for directory in directories.take_while(|level| level.components().count() > 1) {
        if fs::remove_dir(root.join(directory)).is_err() {
            return;
        }
    }
}

/// Whether a path is one that a table's file can have: the lists have no checksum.
fn is_of_a_table(path: &str) -> bool {
    let mut levels = path.split('/');
    let is_table = levels.next().is_some_and(|name| tables::by_name(name).is_some());
    is_table && levels.all(|level| !level.is_empty() && level != "." && level != "..")
}
