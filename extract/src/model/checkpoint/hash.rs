//! The content hash of a model: BLAKE3 of a file, or of the list of a directory's files with theirs.
//!
//! Hashing takes as long as reading, so the hash of a large file is kept in the user's cache under the file's canonical
//! path, length and time of change. A file that has changed within the last seconds is not kept: it might change once more
//! within the resolution of its clock.

use super::super::refuse;
use crate::error::ExtractError;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files from this length on are kept in the cache.
const LARGE: u64 = 16 << 20;

/// How long a file must have been at rest.
const REST: Duration = Duration::from_secs(5);

/// BLAKE3 of a file, hex.
pub fn of_file(path: &Path, cache: Option<&Path>) -> Result<String, ExtractError> {
    let unreadable = |e: std::io::Error| refuse(path, format!("cannot be read: {e}"));
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    let kept = cache.filter(|_| metadata.len() >= LARGE).and_then(|c| kept_at(c, path, &metadata));
    if let Some(hash) = kept.as_deref().and_then(recall) {
        return Ok(hash);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(path).map_err(unreadable)?;
    let hash = hasher.finalize().to_hex().to_string();
    if let Some(kept) = kept {
        keep(&kept, &hash);
    }
    Ok(hash)
}

/// BLAKE3 of the names and hashes of a directory's files, hex.
pub fn of_files(paths: &[PathBuf], cache: Option<&Path>) -> Result<String, ExtractError> {
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        hasher.update(format!("{name}\t{}\n", of_file(path, cache)?).as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Where the hash of a file at rest is kept.
fn kept_at(cache: &Path, path: &Path, metadata: &Metadata) -> Option<PathBuf> {
    let changed = metadata.modified().ok()?;
    if SystemTime::now().duration_since(changed).ok()? < REST {
        return None;
    }
    let since = changed.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let whole = path.canonicalize().ok()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(whole.as_os_str().as_encoded_bytes());
    hasher.update(format!("\0{}\0{}", metadata.len(), since.as_nanos()).as_bytes());
    Some(cache.join("hashes").join(hasher.finalize().to_hex().as_str()))
}

fn recall(kept: &Path) -> Option<String> {
    let text = std::fs::read_to_string(kept).ok()?;
    let hash = text.trim();
    (hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())).then(|| hash.to_owned())
}

/// Keeps a hash. A cache that cannot be written costs time and nothing else.
fn keep(kept: &Path, hash: &str) {
    let Some(directory) = kept.parent() else { return };
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| tempfile::NamedTempFile::new_in(directory))
        .and_then(|file| std::fs::write(file.path(), hash).map(|()| file));
    if let Ok(file) = written {
        let _ = file.persist(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_at_rest_is_hashed_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, cache) = (directory.path().join("weights"), directory.path().join("cache"));
        let file = std::fs::File::create(&path).expect("a file");
        file.set_len(LARGE).expect("a length");
        let fresh = of_file(&path, Some(&cache)).expect("a hash");
        assert!(!cache.exists(), "a file that has just changed is not kept");
        file.set_modified(SystemTime::now() - 2 * REST).expect("a time");
        assert_eq!(of_file(&path, Some(&cache)).expect("a hash"), fresh);
        let kept = std::fs::read_dir(cache.join("hashes")).expect("a cache").count();
        assert_eq!(kept, 1);
        let metadata = std::fs::metadata(&path).expect("metadata");
        let place = kept_at(&cache, &path, &metadata).expect("at rest");
        std::fs::write(&place, "0".repeat(64)).expect("written");
        assert_eq!(of_file(&path, Some(&cache)).expect("a hash"), "0".repeat(64), "it comes from the cache");
        file.set_len(LARGE + 1).expect("a length");
        assert_ne!(
            of_file(&path, Some(&cache)).expect("a hash"),
            "0".repeat(64),
            "another length is another file"
        );
    }
}
