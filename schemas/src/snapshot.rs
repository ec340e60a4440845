//! The content of a lake at one moment: the log replayed.

use crate::commit::{Commit, FileEntry, LogEntry};
use crate::damage::{LogProblem, LostNumbers};
use crate::record::ExtractRecord;
use crate::slot::Slot;
use crate::table::Table;
use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The last entry that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) sequence: u64,
    pub(crate) blake3: String,
}

/// The content of a lake at one moment: the latest commit of every slot. While it, or a clone of it, is kept, the files
/// that it lists stay in place, even if another process replaces them.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    slots: BTreeMap<Slot, Commit>,
    /// Commits whose files have other columns or partitions than their tables have today.
    outdated: BTreeMap<Slot, Commit>,
    pub(crate) tip: Option<Tip>,
    /// Number of the next entry.
    pub(crate) next_sequence: u64,
    /// Numbers that a repair has declared lost.
    pub(crate) lost: Vec<LostNumbers>,
    pub(crate) problems: Vec<LogProblem>,
    /// Keeps files in place.
    guard: Option<Arc<dyn Any + Send + Sync>>,
}

impl Snapshot {
    /// What a checkpoint that covers the entries up to `tip` begins with.
    pub(crate) fn at(tip: Tip, next_sequence: u64, lost: Vec<LostNumbers>) -> Self {
        Self { tip: Some(tip), next_sequence, lost, ..Self::default() }
    }

    /// This snapshot, whose files `guard` keeps in place.
    #[must_use]
    pub(crate) fn guarded(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }

    /// Adds one entry whose BLAKE3 is `blake3`.
    pub(crate) fn apply(&mut self, entry: LogEntry, blake3: String) {
        self.tip = Some(Tip { sequence: entry.sequence(), blake3 });
        self.next_sequence = self.next_sequence.max(entry.sequence().saturating_add(1));
        match entry {
            LogEntry::Commit(commit) => {
                commit.removes.iter().for_each(|slot| self.empty(slot));
                self.fill(*commit);
            }
            LogEntry::Removal(removal) => {
                removal.removes.iter().for_each(|slot| self.empty(slot));
                self.lost.extend(removal.lost);
            }
        }
    }

    /// Makes `commit` what its slot holds.
    pub(crate) fn fill(&mut self, commit: Commit) {
        self.empty(&commit.slot);
        let slots = match commit.files.iter().all(FileEntry::is_current) {
            true => &mut self.slots,
            false => &mut self.outdated,
        };
        slots.insert(commit.slot.clone(), commit);
    }

    fn empty(&mut self, slot: &Slot) {
        self.slots.remove(slot);
        self.outdated.remove(slot);
    }

    /// Forgets slots.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&Commit) -> bool) {
        self.slots.retain(|_, commit| is_kept(commit));
    }

    /// Where the log is not as it was written.
    pub fn problems(&self) -> &[LogProblem] {
        &self.problems
    }

    /// The commit that fills `slot`, if any.
    pub fn slot(&self, slot: &Slot) -> Option<&Commit> {
        self.slots.get(slot)
    }

    /// All filled slots in order.
    pub fn commits(&self) -> impl Iterator<Item = &Commit> {
        self.slots.values()
    }

    /// All shards of all extractions, with what they record.
    pub fn extractions(&self) -> impl Iterator<Item = (&Commit, &ExtractRecord)> {
        self.commits().filter_map(|c| c.details.as_extract().map(|record| (c, record)))
    }

    /// The shards of `model`'s extraction of `task`.
    pub fn shards<'a>(
        &'a self,
        model: &'a str,
        task: &'a str,
    ) -> impl Iterator<Item = (&'a Commit, &'a ExtractRecord)> {
        self.extractions().filter(move |(c, _)| c.slot.model() == Some(model) && c.slot.task() == task)
    }

    /// The record of the newest shard of `model`'s extraction of `task`, and the number of shards of its run that are there.
    pub fn latest_extraction<'a>(
        &'a self,
        model: &'a str,
        task: &'a str,
    ) -> Option<(&'a ExtractRecord, u64)> {
        let shards = || self.shards(model, task);
        let (_, latest) = shards().max_by_key(|(commit, _)| commit.sequence)?;
        let n_done = shards().filter(|(_, record)| record.run_key == latest.run_key).count() as u64;
        Some((latest, n_done))
    }

    /// Slots that an earlier version filled with tables of other columns or partitions: nothing reads them, and their stages
    /// fill them again.
    pub fn outdated(&self) -> impl Iterator<Item = &Slot> {
        self.outdated.keys()
    }

    /// Every listed file.
    pub fn all_files(&self) -> impl Iterator<Item = &FileEntry> {
        self.commits().flat_map(|c| &c.files)
    }

    /// Every file of `table`.
    pub fn files<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a FileEntry> {
        self.all_files().filter(move |f| f.table == table.name)
    }

    /// All commits, also those whose files nothing reads any more.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Commit> {
        self.slots.values().chain(self.outdated.values())
    }

    /// Relative paths of all listed files.
    pub(crate) fn paths(&self) -> HashSet<&str> {
        self.listed().flat_map(|c| &c.files).map(|f| f.path.as_str()).collect()
    }
}
