//! Puts a lake right whose files or log entries were lost: what is left is kept, what is gone is said, and work can go on.

use crate::commit::{FileEntry, LogEntry, Removal, RemovalCause};
use crate::damage::LostNumbers;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::lock::CommitLock;
use crate::log::{Depth, LOG_DIRECTORY, SET_ASIDE, append, replay, sync_directory};
use crate::replaced::remove_replaced;
use crate::slot::Slot;
use crate::snapshot::Snapshot;
use crate::transaction::now_s;
use std::collections::BTreeSet;
use std::fs;

/// What a repair would do.
#[derive(Clone, Debug, Default)]
pub struct RepairPlan {
    /// What is wrong, for people.
    pub findings: Vec<String>,
    /// Slots that become empty because files of theirs are missing or damaged.
    pub removes: Vec<Slot>,
    /// Numbers of the log whose entries are lost.
    pub lost: Vec<LostNumbers>,
    /// Files of the log that are set aside, relative to the lake.
    pub set_aside: Vec<String>,
}

impl RepairPlan {
    /// Whether there is nothing to repair.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Lake {
    /// What is wrong with the lake, and what [`Lake::repair`] would do about it. Every file is compared with its BLAKE3.
    ///
    /// # Errors
    /// When the log's directory cannot be read.
    pub fn plan_repair(&self) -> Result<RepairPlan, LakeError> {
        let snapshot = replay(&self.log(), Depth::Whole, &mut |_| {})?;
        self.repair_of(&snapshot)
    }

    fn repair_of(&self, snapshot: &Snapshot) -> Result<RepairPlan, LakeError> {
        let mut plan = RepairPlan::default();
        for problem in snapshot.problems() {
            plan.findings.push(problem.to_string());
            plan.lost.extend(problem.lost);
            if fs::symlink_metadata(self.root().join(&problem.path)).is_ok() {
                plan.set_aside.push(problem.path.clone());
            }
        }
        let damaged = self.damaged(snapshot);
        plan.findings.extend(damaged.iter().map(|found| format!("`{}` {}", found.path, found.problem)));
        let damaged: BTreeSet<String> = damaged.into_iter().map(|found| found.path).collect();
        let is_lost = |file: &FileEntry| damaged.contains(&file.path);
        let lost = snapshot.listed().filter(|commit| commit.files.iter().any(is_lost));
        plan.removes = lost.map(|commit| commit.slot.clone()).collect();
        Ok(plan)
    }

    /// Repairs the lake: damaged files of the log are set aside, one entry says which numbers are lost, and slots that miss
    /// files become empty, so that the stages fill them again. What was done.
    ///
    /// # Errors
    /// When a file cannot be moved or the entry cannot be written.
    pub fn repair(&self) -> Result<RepairPlan, LakeError> {
        let lock = CommitLock::hold(self.root())?;
        let snapshot = replay(&self.log(), Depth::Whole, &mut |_| {})?;
        let plan = self.repair_of(&snapshot)?;
        if plan.is_empty() {
            return Ok(plan);
        }
        self.set_aside(&plan.set_aside)?;
        self.append_removal(
            &snapshot,
            Removal {
                sequence: snapshot.next_sequence,
                previous: snapshot.tip.as_ref().map(|tip| tip.blake3.clone()),
                cause: RemovalCause::Repair,
                committed_at_s: now_s(),
                program: env!("CARGO_PKG_VERSION").to_owned(),
                removes: plan.removes.clone(),
                lost: plan.lost.clone(),
                findings: plan.findings.clone(),
            },
            &lock,
        )?;
        Ok(plan)
    }

    /// Empties slots at a user's wish.
    ///
    /// # Errors
    /// [`LakeError::Log`] when entries of the log are lost; [`LakeError::Io`] when the entry cannot be written.
    pub fn drop_slots(&self, slots: Vec<Slot>) -> Result<(), LakeError> {
        let lock = CommitLock::hold(self.root())?;
        let snapshot = self.checked(Depth::Tail)?;
        let removal = Removal {
            sequence: snapshot.next_sequence,
            previous: snapshot.tip.as_ref().map(|tip| tip.blake3.clone()),
            cause: RemovalCause::Drop,
            committed_at_s: now_s(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            removes: slots,
            lost: Vec::new(),
            findings: Vec::new(),
        };
        self.append_removal(&snapshot, removal, &lock)
    }

    fn append_removal(
        &self,
        before: &Snapshot,
        removal: Removal,
        lock: &CommitLock,
    ) -> Result<(), LakeError> {
        match append(&self.log(), before, LogEntry::Removal(removal))? {
            Some(after) => {
                remove_replaced(self.root(), before, &after, lock);
                Ok(())
            }
            None => Err(LakeError::Contended { path: self.log() }),
        }
    }

    fn set_aside(&self, paths: &[String]) -> Result<(), LakeError> {
        if paths.is_empty() {
            return Ok(());
        }
        let directory = self.root().join(LOG_DIRECTORY).join(SET_ASIDE);
        fs::create_dir_all(&directory).map_err(LakeError::io("create directory", &directory))?;
        for path in paths {
            let from = self.root().join(path);
            let name = from.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let mut to = directory.join(&name);
            for n in 1.. {
                if fs::symlink_metadata(&to).is_err() {
                    break;
                }
                to = directory.join(format!("{name}.{n}"));
            }
            fs::rename(&from, &to).map_err(LakeError::io("rename", &from))?;
        }
        sync_directory(&self.root().join(LOG_DIRECTORY))
    }
}
