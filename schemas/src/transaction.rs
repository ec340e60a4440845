//! Filling a slot: files are staged, closed, checked, renamed to their content's name, then committed.
//!
//! A file becomes visible in two steps. Its rename into a partition makes it whole for readers that
//! glob; the commit, created only if no other commit has its number, makes it count for
//! everything in this project. Dropping a transaction removes what it staged.

use crate::commit::{COMMIT_FORMAT, Commit, FileEntry, LOG_DIRECTORY, Snapshot, file_name};
use crate::error::LakeError;
use crate::lake::{Lake, STAGING_DIRECTORY, relative_text};
use crate::lock::LakeLock;
use crate::partition::Partition;
use crate::record::Record;
use crate::sharing::SharingWriter;
use crate::slot::Slot;
use crate::table::Table;
use crate::writer::{FileWriter, StagedFile, Target};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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

/// Work in progress on one slot.
#[derive(Debug)]
pub struct Transaction {
    lake: Lake,
    slot: Slot,
    staging: PathBuf,
    n_writers: usize,
    staged: Vec<StagedFile>,
    _lock: LakeLock,
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
        let lock = LakeLock::shared(lake.root())?;
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let unique = format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let staging = lake.root().join(STAGING_DIRECTORY).join(unique);
        fs::create_dir_all(&staging).map_err(LakeError::io("create directory", &staging))?;
        Ok(Self { lake, slot, staging, n_writers: 0, staged: Vec::new(), _lock: lock })
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
    /// When a file cannot be moved or the commit cannot be written; the lake then reads as before.
    pub fn commit(mut self, info: CommitInfo) -> Result<Commit, LakeError> {
        let files = self.move_into_partitions()?;
        loop {
            let before = self.lake.snapshot()?;
            let commit = Commit {
                format: COMMIT_FORMAT,
                sequence: before.next_sequence(),
                slot: self.slot.clone(),
                key: info.key.clone(),
                details: info.details.clone(),
                committed_at_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
                program: env!("CARGO_PKG_VERSION").to_owned(),
                removes: info.removes.clone(),
                files: files.clone(),
            };
            if self.create_in_log(&commit)? {
                let mut after = before.clone();
                after.apply(commit.clone());
                self.remove_replaced(&before, &after);
                return Ok(commit);
            }
        }
    }

    fn move_into_partitions(&mut self) -> Result<Vec<FileEntry>, LakeError> {
        let root = self.lake.root().to_owned();
        let mut entries = Vec::with_capacity(self.staged.len());
        let mut touched = BTreeSet::new();
        for staged in self.staged.drain(..) {
            let directory = root.join(&staged.relative_directory);
            fs::create_dir_all(&directory).map_err(LakeError::io("create directory", &directory))?;
            let path = directory.join(format!("part-{}.parquet", &staged.entry.blake3[..16]));
            fs::rename(&staged.path, &path).map_err(LakeError::io("rename", &staged.path))?;
            // A directory may be new, and the one that it lies in.
            touched.extend(directory.ancestors().take_while(|d| d.starts_with(&root)).map(Path::to_owned));
            let relative = relative_text(path.strip_prefix(&root).unwrap_or(&path));
            entries.push(FileEntry { path: relative, ..staged.entry });
        }
        touched.iter().try_for_each(|directory| sync_directory(directory))?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Writes `commit` into the log unless another commit has its number; returns whether it was written.
    fn create_in_log(&self, commit: &Commit) -> Result<bool, LakeError> {
        let log = self.lake.root().join(LOG_DIRECTORY);
        let temporary = self.staging.join(file_name(commit.sequence));
        let json = serde_json::to_vec_pretty(commit)
            .map_err(|e| LakeError::Commit { path: temporary.clone(), reason: e.to_string() })?;
        let mut file = File::create(&temporary).map_err(LakeError::io("create", &temporary))?;
        file.write_all(&json).map_err(LakeError::io("write", &temporary))?;
        file.sync_all().map_err(LakeError::io("flush", &temporary))?;
        let path = log.join(file_name(commit.sequence));
        // A hard link fails if the name exists, so two writers can never both write one number.
        match fs::hard_link(&temporary, &path) {
            Ok(()) => sync_directory(&log).map(|()| true),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(LakeError::io("create", &path)(e)),
        }
    }

    /// Deletes files that `before` listed and `after` does not. What cannot be deleted stays unlisted.
    fn remove_replaced(&self, before: &Snapshot, after: &Snapshot) {
        let kept = after.paths();
        for path in before.paths().difference(&kept) {
            // A failure leaves an unlisted file, which `clean` reports and removes.
            let _ = fs::remove_file(self.lake.root().join(path));
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Best effort: what stays behind is unlisted and `clean` removes it.
        let _ = fs::remove_dir_all(&self.staging);
        if let Some(parent) = self.staging.parent() {
            let _ = fs::remove_dir(parent);
        }
    }
}

/// Makes renames and directories inside a directory durable.
fn sync_directory(directory: &Path) -> Result<(), LakeError> {
    let handle = File::open(directory).map_err(LakeError::io("open", directory))?;
    handle.sync_all().map_err(LakeError::io("flush", directory))
}
