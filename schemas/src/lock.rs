//! Locks: files below `_locks` that the operating system drops with the process that holds them, however it ends.
//!
//! A killed process blocks nobody, and no number of a process is looked at, so that containers and machines that share a
//! lake agree. Network file systems must hand locks on to their server: NFS 4 does, Lustre needs the mount option `flock`.
//! Where there are no locks at all, writers still never take each other's number in the log or name in the staging
//! directory, and every owner counts as alive, so that nothing of a writer is removed.

use crate::error::LakeError;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the directory for locks.
pub(crate) const LOCK_DIRECTORY: &str = "_locks";

/// Name of the lock under which entries are added to the log and files are removed.
const COMMIT_LOCK: &str = "commit";

/// A name that nobody can guess, 32 hex digits.
pub(crate) fn token() -> Result<String, LakeError> {
    let mut bytes = [0; 16];
    let failed = |e: getrandom::Error| LakeError::io("read random bytes for", LOCK_DIRECTORY)(e.into());
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// The right to add an entry to the log or to remove files, until it is dropped.
#[derive(Debug)]
pub(crate) struct CommitLock {
    _file: File,
}

impl CommitLock {
    /// Waits for the lock.
    pub(crate) fn hold(root: &Path) -> Result<Self, LakeError> {
        let path = lock_path(root, COMMIT_LOCK)?;
        let file = open(&path)?;
        match file.lock() {
            Err(e) if e.kind() != ErrorKind::Unsupported => Err(LakeError::io("lock", &path)(e)),
            _ => Ok(Self { _file: file }),
        }
    }

    /// The lock, if nobody holds it.
    pub(crate) fn try_hold(root: &Path) -> Option<Self> {
        let file = open(&lock_path(root, COMMIT_LOCK).ok()?).ok()?;
        file.try_lock().ok().map(|()| Self { _file: file })
    }
}

/// The right to fill the slots of one run, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    pub(crate) fn take(root: &Path, what: &str) -> Result<Self, LakeError> {
        let digest = blake3::hash(what.as_bytes()).to_hex();
        let path = lock_path(root, &format!("run-{}", &digest[..16]))?;
        loop {
            let file = open(&path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(LakeError::Busy { what: what.to_owned() }),
                Err(TryLockError::Error(e)) if e.kind() != ErrorKind::Unsupported => {
                    return Err(LakeError::io("lock", &path)(e));
                }
                // Who had the claim before may have removed the file between its opening and its lock.
                _ if !is_at(&file, &path) => {}
                _ => return Ok(Self { path, _file: file }),
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether `path` still names the open `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(one), Ok(other)) if inode(&one) == inode(&other))
}

/// Whether `path` still names the open `file`, which no system but Unix lets be removed while it is open.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// The kind of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Has a staging directory.
    Writer,
    /// Reads files that may be replaced.
    Reader,
}

impl Role {
    const fn ending(self) -> &'static str {
        match self {
            Self::Writer => ".writer",
            Self::Reader => ".reader",
        }
    }
}

/// A sign that its owner is alive, until it is dropped.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    path: PathBuf,
    token: String,
    _file: File,
}

impl OwnerLock {
    pub(crate) fn create(root: &Path, role: Role) -> Result<Self, LakeError> {
        loop {
            let token = token()?;
            let path = lock_path(root, &format!("{token}{}", role.ending()))?;
            let file = open(&path)?;
            match file.try_lock() {
                Err(TryLockError::Error(e)) if e.kind() != ErrorKind::Unsupported => {
                    return Err(LakeError::io("lock", &path)(e));
                }
                // Whoever sweeps dead locks may have taken it for one between its creation and its lock.
                Err(TryLockError::WouldBlock) => {}
                _ if !path.exists() => {}
                _ => return Ok(Self { path, token, _file: file }),
            }
        }
    }

    /// The name that is this owner's alone.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // A lock that stays is a dead one, which is swept.
        let _ = fs::remove_file(&self.path);
    }
}

/// Tokens of the living owners of a kind. Locks of dead owners are removed.
pub(crate) fn living(root: &Path, role: Role) -> Result<Vec<String>, LakeError> {
    let directory = root.join(LOCK_DIRECTORY);
    let entries = match fs::read_dir(&directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(LakeError::io("list", &directory))?,
    };
    let mut alive = Vec::new();
    for entry in entries {
        let entry = entry.map_err(LakeError::io("list", &directory))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(token) = name.strip_suffix(role.ending()).filter(|_| is_alive(&entry.path())) {
            alive.push(token.to_owned());
        }
    }
    Ok(alive)
}

fn is_alive(path: &Path) -> bool {
    // A lock that cannot be opened was removed by its owner, or is not ours to judge.
    let Ok(file) = File::options().read(true).write(true).open(path) else { return path.exists() };
    match file.try_lock() {
        Ok(()) => {
            let _ = fs::remove_file(path);
            false
        }
        Err(_) => true,
    }
}

fn lock_path(root: &Path, name: &str) -> Result<PathBuf, LakeError> {
    let directory = root.join(LOCK_DIRECTORY);
    fs::create_dir_all(&directory).map_err(LakeError::io("create directory", &directory))?;
    Ok(directory.join(name))
}

fn open(path: &Path) -> Result<File, LakeError> {
    let options = File::options().create(true).truncate(false).read(true).write(true).open(path);
    options.map_err(LakeError::io("open", path))
}
