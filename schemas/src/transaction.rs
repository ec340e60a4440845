//! Filling a slot: files are staged, closed, checked, renamed to their content's name, then committed.
//!
//! A transaction's staging directory has a random name, and a lock that says that its writer lives. From the renames to the
//! commit it holds the lake's commit lock. A file becomes visible in two steps. Its rename into a partition makes it whole for readers that
//! glob; the commit, created only if no other commit has its number, makes it count for
//! everything in this project. Dropping a transaction removes what it staged.

use crate::commit::{Commit, FileEntry, LogEntry};
use crate::confine::{relative_text, without_links};
use crate::error::LakeError;
use crate::lake::{Lake, STAGING_DIRECTORY};
use crate::lock::{CommitLock, OwnerLock, Role};
use crate::log::{Depth, append, sync_directory};
use crate::partition::Partition;
use crate::record::Record;
use crate::replaced::remove_replaced;
use crate::sharing::SharingWriter;
use crate::slot::Slot;
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::writer::{FileWriter, StagedFile, Target};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How often a number of the log may be taken by a writer that does not know the commit lock.
const MAX_TRIES: usize = 10;

/// The content of a commit beside its files.
#[derive(Clone, Debug)]
pub struct CommitInfo {
    /// Hash of inputs, settings and code version.
    pub key: String,
    /// Settings, model and timings of the files.
    pub details: Record,
    /// Slots to empty in the same step.
    pub removes: Vec<Slot>,
}

/// Staging directories of this process's transactions.
static STAGING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes what this process has staged and not committed, for an end without unwinding. Transactions fail from here on.
pub fn discard_staged() {
    let staging = STAGING.lock().unwrap_or_else(PoisonError::into_inner);
    // Threads may still write: what they add after this stays unlisted, and `gc` removes it.
    staging.iter().for_each(|directory| drop(fs::remove_dir_all(directory)));
}

/// Work in progress on one slot.
#[derive(Debug)]
pub struct Transaction {
    lake: Lake,
    slot: Slot,
    staging: PathBuf,
    n_writers: usize,
    staged: Vec<StagedFile>,
    /// Files that the slot holds already and keeps.
    kept: Vec<FileEntry>,
    /// Paths that have to be listed when this commits.
    required: Vec<String>,
    _owner: OwnerLock,
}

impl Lake {
    /// Starts to fill `slot`. Nothing is visible before [`Transaction::commit`].
    ///
    /// # Errors
    /// [`LakeError::Slot`] when a component of the slot is empty; [`LakeError::Io`] when the staging directory cannot be
    /// created (a read-only lake).
    pub fn begin(&self, slot: Slot) -> Result<Transaction, LakeError> {
        slot.check().map_err(|e| LakeError::Slot { reason: e.to_string() })?;
        Transaction::begin(self.clone(), slot)
    }
}

impl Transaction {
    fn begin(lake: Lake, slot: Slot) -> Result<Self, LakeError> {
        let owner = OwnerLock::create(lake.root(), Role::Writer)?;
        let staging = lake.root().join(STAGING_DIRECTORY).join(owner.token());
        create_below_staging(&staging)?;
        STAGING.lock().unwrap_or_else(PoisonError::into_inner).insert(staging.clone());
        let (staged, kept, required) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { lake, slot, staging, n_writers: 0, staged, kept, required, _owner: owner })
    }

    /// A writer of one file of `table` in `partition`; give it back to [`Transaction::stage`] when full.
    ///
    /// # Errors
    /// [`LakeError::Io`] or [`LakeError::Parquet`] when the staging file cannot be created.
    pub fn writer(
        &mut self,
        table: &'static Table,
        partition: Partition,
        vector_length: Option<i32>,
    ) -> Result<FileWriter, LakeError> {
        FileWriter::create(self.target(table, partition, vector_length))
    }

    /// A writer of one file of `table` in `partition` that shares all columns but its last with others; give it back to
    /// [`Transaction::stage_sharing`] when full.
    ///
    /// # Errors
    /// As [`Transaction::writer`].
    pub fn sharing_writer(
        &mut self,
        table: &'static Table,
        partition: Partition,
    ) -> Result<SharingWriter, LakeError> {
        SharingWriter::create(self.target(table, partition, None))
    }

    fn target(&mut self, table: &'static Table, partition: Partition, vector_length: Option<i32>) -> Target {
        self.n_writers += 1;
        let path = self.staging.join(format!("{}-{}.parquet", table.name, self.n_writers));
        Target { path, table, partition, vector_length }
    }

    /// Names files that the rows are computed from: the commit records them, and is refused unless they are still listed then.
    pub fn require<'a>(&mut self, files: impl IntoIterator<Item = &'a FileEntry>) {
        self.required.extend(files.into_iter().map(|file| file.path.clone()));
    }

    /// Keeps files that the slot holds, beside what is staged: the commit is refused unless they are still listed then.
    pub fn keep<'a>(&mut self, files: impl IntoIterator<Item = &'a FileEntry>) {
        self.kept.extend(files.into_iter().cloned());
    }

    /// A directory of this name beside the staged files that outlives the transaction, for work that a later
    /// run resumes. The caller creates and removes the directory; what remains is unlisted, like any staged file.
    pub fn lasting_directory(&self, name: &str) -> PathBuf {
        self.lake.root().join(STAGING_DIRECTORY).join(name)
    }

    /// Closes a writer's file and keeps it for the commit. A file without rows is dropped.
    ///
    /// # Errors
    /// When the file cannot be finished, flushed to disk or read back.
    pub fn stage(&mut self, writer: FileWriter) -> Result<(), LakeError> {
        self.staged.extend(writer.finish()?);
        Ok(())
    }

    /// As [`Transaction::stage`] for many, side by side.
    ///
    /// # Errors
    /// As [`Transaction::stage`].
    pub fn stage_all(&mut self, writers: Vec<FileWriter>) -> Result<(), LakeError> {
        self.finish(writers, FileWriter::finish)
    }

    /// As [`Transaction::stage_all`] for writers of [`Transaction::sharing_writer`].
    ///
    /// # Errors
    /// As [`Transaction::stage`].
    pub fn stage_sharing(&mut self, writers: Vec<SharingWriter>) -> Result<(), LakeError> {
        self.finish(writers, SharingWriter::finish)
    }

    fn finish<W: Send>(
        &mut self,
        writers: Vec<W>,
        finish: fn(W) -> Result<Option<StagedFile>, LakeError>,
    ) -> Result<(), LakeError> {
        let finished: Vec<_> = writers.into_par_iter().map(finish).collect::<Result<_, _>>()?;
        self.staged.extend(finished.into_iter().flatten());
        Ok(())
    }

    /// Makes the staged files visible as the slot's content, and removes the files that they replace.
    ///
    /// # Errors
    /// When a file cannot be moved or the commit cannot be written; [`LakeError::Outdated`] when a required or kept file is
    /// listed no more; [`LakeError::Log`] when entries of the log are lost. The lake then reads as before.
    pub fn commit(mut self, info: CommitInfo) -> Result<Commit, LakeError> {
        let root = self.lake.root().to_owned();
        // From here to the commit no other process adds an entry or removes a file.
        let lock = CommitLock::hold(&root)?;
        let mut before = self.lake.checked(Depth::Tail)?;
        let mut files = self.move_into_partitions()?;
        files.extend(self.kept.iter().cloned());
        files.sort_by(|a, b| a.path.cmp(&b.path));
        for _ in 0..MAX_TRIES {
            self.check_required(&before)?;
            let commit = self.describe(&before, &info, &files);
            let entry = LogEntry::Commit(Box::new(commit.clone()));
            if let Some(after) = append(&self.lake.log(), &before, entry)? {
                remove_replaced(&root, &before, &after, &lock);
                return Ok(commit);
            }
            before = self.lake.checked(Depth::Tail)?;
        }
        Err(LakeError::Contended { path: self.lake.log() })
    }

    fn describe(&self, before: &Snapshot, info: &CommitInfo, files: &[FileEntry]) -> Commit {
        Commit {
            sequence: before.next_sequence,
            previous: before.tip.as_ref().map(|tip| tip.blake3.clone()),
            slot: self.slot.clone(),
            key: info.key.clone(),
            details: info.details.clone(),
            committed_at_s: now_s(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            removes: info.removes.clone(),
            reads: self.required.clone(),
            files: files.to_vec(),
        }
    }

    fn check_required(&self, before: &Snapshot) -> Result<(), LakeError> {
        let listed = before.paths();
        let mut needed = self.required.iter().chain(self.kept.iter().map(|file| &file.path));
        match needed.find(|path| !listed.contains(path.as_str())) {
            Some(path) => Err(LakeError::Outdated { path: path.clone() }),
            None => Ok(()),
        }
    }

    fn move_into_partitions(&mut self) -> Result<Vec<FileEntry>, LakeError> {
        let root = self.lake.root().to_owned();
        let mut entries = Vec::with_capacity(self.staged.len());
        let mut touched = BTreeSet::new();
        for staged in self.staged.drain(..) {
            let directory = root.join(&staged.relative_directory);
            fs::create_dir_all(&directory).map_err(LakeError::io("create directory", &directory))?;
            if without_links(&root, &relative_text(&staged.relative_directory)).is_none() {
                let problem = "is reached by a link, which is not followed".to_owned();
                return Err(LakeError::Damaged { path: directory, problem });
            }
            let path = directory.join(FileEntry::file_name(&staged.entry.blake3));
            fs::rename(&staged.path, &path).map_err(LakeError::io("rename", &staged.path))?;
            // A directory may be new, and the one that it lies in.
            touched.extend(directory.ancestors().take_while(|d| d.starts_with(&root)).map(Path::to_owned));
            let relative = relative_text(path.strip_prefix(&root).unwrap_or(&path));
            entries.push(FileEntry { path: relative, ..staged.entry });
        }
        touched.iter().try_for_each(|directory| sync_directory(directory))?;
        Ok(entries)
    }
}

/// Creates a transaction's directory. Another one that ends may remove their parent as the last in it.
fn create_below_staging(directory: &Path) -> Result<(), LakeError> {
    let mut tries = 0;
    loop {
        match fs::create_dir_all(directory) {
            Err(e) if e.kind() == ErrorKind::NotFound && tries < MAX_TRIES => tries += 1,
            other => return other.map_err(LakeError::io("create directory", directory)),
        }
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Best effort: what stays behind is unlisted and `gc` removes it.
        let _ = fs::remove_dir_all(&self.staging);
        STAGING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.staging);
        if let Some(parent) = self.staging.parent() {
            let _ = fs::remove_dir(parent);
        }
    }
}
