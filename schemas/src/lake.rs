//! A lake: a directory of tables, and the log of commits that says which files count.

use crate::commit::{FileEntry, LogEntry};
use crate::confine::without_links;
use crate::damage::Damage;
use crate::error::LakeError;
use crate::lock::Claim;
use crate::log::{Depth, LOG_DIRECTORY, replay};
use crate::partition::percent_encode;
use crate::replaced::Reader;
use crate::slot::Slot;
use crate::snapshot::Snapshot;
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the directory for files that are being written.
pub(crate) const STAGING_DIRECTORY: &str = "_staging";

/// Name of the directory for reports.
const REPORT_DIRECTORY: &str = "reports";

/// A directory of tables. Opening it reads nothing; see [`Lake::snapshot`].
#[derive(Clone, Debug)]
pub struct Lake {
    root: PathBuf,
}

/// Something that differs from what was recorded of it.
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
        match fs::symlink_metadata(root.join(LOG_DIRECTORY)) {
            Ok(log) if log.is_dir() => Ok(Self { root }),
            Ok(_) => {
                Err(LakeError::NotALake { path: root, reason: "its `_log` is not a directory of its own" })
            }
            Err(_) => Err(LakeError::NotALake { path: root, reason: "the directory has no `_log`" }),
        }
    }

    /// Opens a lake, creating it where there is nothing yet.
    ///
    /// # Errors
    /// [`LakeError::NotALake`] when the directory holds something else, [`LakeError::Io`] when it
    /// cannot be created.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, LakeError> {
        let root = root.into();
        let log = root.join(LOG_DIRECTORY);
        if log.is_dir() {
            return Self::open(root);
        }
        if root.exists() && !root.is_dir() {
            return Err(LakeError::NotALake { path: root, reason: "the path is a file" });
        }
        let occupied = fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some());
        // Another process may be creating the lake.
        if occupied && !log.is_dir() {
            return Err(LakeError::NotALake { path: root, reason: "the directory holds other files" });
        }
        fs::create_dir_all(&log).map_err(LakeError::io("create directory", &log))?;
        Ok(Self { root })
    }

    /// The lake's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the report of `study` is written.
    pub fn report_path(&self, study: &str) -> PathBuf {
        self.root.join(REPORT_DIRECTORY).join(format!("{}.html", percent_encode(study)))
    }

    /// The log's directory.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join(LOG_DIRECTORY)
    }

    /// What the lake holds, for work that builds on it.
    ///
    /// # Errors
    /// [`LakeError::Log`] when entries of the log are lost; [`LakeError::Format`] for a format that this program does not
    /// know.
    pub fn snapshot(&self) -> Result<Snapshot, LakeError> {
        let reader = Reader::enter(&self.root);
        Ok(self.checked(Depth::Tail)?.guarded(reader))
    }

    /// What the lake holds as far as its log can be read; [`Snapshot::problems`] has the rest.
    ///
    /// # Errors
    /// When the log's directory cannot be read or is of a format that this program does not know.
    pub fn survey(&self) -> Result<Snapshot, LakeError> {
        let reader = Reader::enter(&self.root);
        Ok(replay(&self.log(), Depth::Tail, &mut |_| {})?.guarded(reader))
    }

    /// Every entry of the log that can be read, in order, and what it amounts to.
    ///
    /// # Errors
    /// As [`Lake::survey`].
    pub fn history(&self) -> Result<(Vec<LogEntry>, Snapshot), LakeError> {
        let mut entries = Vec::new();
        let snapshot = replay(&self.log(), Depth::Whole, &mut |entry| entries.push(entry.clone()))?;
        Ok((entries, snapshot))
    }

    /// As [`Lake::snapshot`], without keeping files in place.
    pub(crate) fn checked(&self, depth: Depth) -> Result<Snapshot, LakeError> {
        let snapshot = replay(&self.log(), depth, &mut |_| {})?;
        let lost: Vec<_> = snapshot.problems().iter().filter(|p| p.damage == Damage::Content).collect();
        match lost.first() {
            None => Ok(snapshot),
            Some(first) => Err(LakeError::Log {
                root: self.root.clone(),
                first: Box::new((*first).clone()),
                n_problems: lost.len(),
            }),
        }
    }

    /// Claims the shards of `model`'s extraction of `task`, so that no other process fills them meanwhile: two runs with
    /// different settings would replace each other's.
    ///
    /// # Errors
    /// [`LakeError::Busy`] while another process has them.
    pub fn claim_extraction(&self, model: &str, task: &str) -> Result<Claim, LakeError> {
        Claim::take(&self.root, &format!("model `{model}` reading task `{task}`"))
    }

    /// Claims the results of `study` about `model`, so that no other process fills them meanwhile.
    ///
    /// # Errors
    /// [`LakeError::Busy`] while another process has them.
    pub fn claim_results(&self, study: &str, model: &str) -> Result<Claim, LakeError> {
        Claim::take(&self.root, &format!("study `{study}` of model `{model}`"))
    }

    /// The path of a listed file that is in place: a plain file of the recorded size, below directories that are no links.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] where it is not.
    pub fn locate(&self, file: &FileEntry) -> Result<PathBuf, LakeError> {
        let path = self.root.join(&file.path);
        let refuse = |problem: String| LakeError::Damaged { path: path.clone(), problem };
        let metadata = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(refuse("is missing".into())),
            other => other.map_err(LakeError::io("look at", &path))?,
        };
        if without_links(&self.root, &file.path).is_none() || !metadata.is_file() {
            return Err(refuse("is reached by a link, which is not followed".into()));
        }
        if metadata.len() != file.n_bytes {
            return Err(refuse(format!("has {} bytes, its commit says {}", metadata.len(), file.n_bytes)));
        }
        Ok(path)
    }

    /// `snapshot` without those slots that `are_outputs` names whose files are not in place, so that they are filled again.
    #[must_use]
    pub fn without_misplaced(&self, mut snapshot: Snapshot, are_outputs: fn(&Slot) -> bool) -> Snapshot {
        let is_misplaced = |file: &FileEntry| self.locate(file).is_err();
        snapshot.retain(|commit| !are_outputs(&commit.slot) || !commit.files.iter().any(is_misplaced));
        snapshot
    }

    /// Listed files that are not in place: missing, reached by a link or of another size.
    pub fn misplaced(&self, snapshot: &Snapshot) -> Vec<Finding> {
        let problem = |file: &FileEntry| Some(finding(file, self.locate(file).err()?));
        snapshot.all_files().filter_map(problem).collect()
    }
}

pub(crate) fn finding(file: &FileEntry, error: LakeError) -> Finding {
    let problem = match error {
        LakeError::Damaged { problem, .. } => problem,
        LakeError::Io { source, .. } => format!("cannot be read: {source}"),
        other => other.to_string(),
    };
    Finding { path: file.path.clone(), problem }
}
