//! Fetching a model from the hub: what is needed and not there yet, one commit, every file checked.
//!
//! The revision is resolved to a commit once, so that a branch that moves meanwhile cannot mix two
//! states. The branch's name and the record of what is whole are written last.

use super::cause::Cause;
use super::choose::{ListedFile, Listing};
use super::snapshot::{Found, explain_absence, find, size, snapshot, write_record};
use super::{Hub, HubError, HubModel, is_commit};
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hypercolumn_schemas::Progress;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Times that an interrupted transfer is taken up again.
const N_RETRIES: usize = 3;
/// Time before the first of them; each further one waits twice as long.
const RETRY_WAIT: Duration = Duration::from_millis(500);
/// Times that a file held by another process is tried, about five seconds each.
const N_LOCK_TRIES: usize = 120;

/// The model on this machine, fetched as far as need be.
pub(in crate::model::source) fn fetch(
    cache_dir: &Path,
    hub: &Hub,
    model: &HubModel,
    progress: &dyn Progress,
) -> Result<Found, HubError> {
    if let Some(found) = find(cache_dir, hub, model) {
        return Ok(found);
    }
    if hub.is_offline {
        return Err(explain_absence(hub, model));
    }
    let api = connect(hub, model)?;
    let listing = list(&api, hub, model)?;
    listing.check(model)?;
    let commit = listing.commit.as_str();
    let fetching = Fetching { hub, model, commit, repo: api.repo(model.at(commit)), progress };
    let small = listing.small_files(model);
    small.iter().try_for_each(|file| fetching.file(file, None))?;
    let index = small
        .iter()
        .find(|f| listing.names().is_some_and(|names| names.index == f.path))
        .map(|f| fetching.place(f));
    let index = index.map(|path| fs::read(&path).map_err(HubError::io("read", path))).transpose()?;
    let weights = listing.weights(model, index.as_deref())?;
    fetching.weights(&weights)?;
    let sizes = small.iter().chain(&weights);
    let sizes = sizes.map(|f| (f.path.clone(), size(&fetching.place(f)).unwrap_or(0))).collect();
    write_record(cache_dir, &model.at_commit(commit), sizes)?;
    if model.commit().is_none() {
        let reference = hub.cache().repo(model.at(model.revision_or_default()));
        reference.create_ref(commit).map_err(HubError::io("write a revision's name into", &hub.cache_dir))?;
    }
    Ok(Found::new(hub, model, commit))
}

fn connect(hub: &Hub, model: &HubModel) -> Result<Api, HubError> {
    let api = ApiBuilder::from_cache(hub.cache())
        .with_endpoint(hub.endpoint.clone())
        .with_token(hub.token.clone())
        .with_user_agent("hypercolumn", env!("CARGO_PKG_VERSION"))
        .with_progress(false)
        .build();
    api.map_err(|e| Cause::of(e).explain(hub, model, None))
}

/// Asks which files the revision has.
fn list(api: &Api, hub: &Hub, model: &HubModel) -> Result<Listing, HubError> {
    let odd = |reason: String| HubError::Answer { endpoint: hub.endpoint.clone(), reason };
    let request = api.repo(model.at(model.revision_or_default())).info_request().query("blobs", "true");
    let mut response = request.call().map_err(|e| Cause::of_request(&e).explain(hub, model, None))?;
    let listing: Listing = response.body_mut().read_json().map_err(|e| odd(e.to_string()))?;
    if !is_commit(&listing.commit) {
        return Err(odd(format!("`{}` is no commit", listing.commit)));
    }
    Ok(listing)
}

/// One fetch in progress.
struct Fetching<'a> {
    hub: &'a Hub,
    model: &'a HubModel,
    commit: &'a str,
    repo: ApiRepo,
    progress: &'a dyn Progress,
}

impl Fetching<'_> {
    /// Where a file will lie.
    fn place(&self, file: &ListedFile) -> PathBuf {
        snapshot(self.hub, self.model, self.commit).join(&file.path)
    }

    fn is_there(&self, file: &ListedFile) -> bool {
        size(&self.place(file)).is_some_and(|n| file.size.is_none_or(|expected| n == expected))
    }

    /// Fetches what is not there of the large files, showing how far that is.
    fn weights(&self, files: &[ListedFile]) -> Result<(), HubError> {
        let absent: Vec<_> = files.iter().filter(|f| !self.is_there(f)).collect();
        let total = absent.iter().filter_map(|f| f.size).sum();
        let label = match absent.as_slice() {
            [] => return Ok(()),
            [file] => format!("fetch {}", file.path),
            more => format!("fetch {} files of weights", more.len()),
        };
        self.progress.start(&label, total, "bytes");
        absent.iter().try_for_each(|file| self.file(file, Some(self.progress)))?;
        self.progress.finish();
        Ok(())
    }

    /// Fetches one file unless it is there.
    fn file(&self, file: &ListedFile, progress: Option<&dyn Progress>) -> Result<(), HubError> {
        let counted = Cell::new(0);
        let (mut n_retries, mut n_lock_tries) = (0, 0);
        while !self.is_there(file) {
            let meter = Meter { progress, counted: &counted, position: 0 };
            let error = match self.repo.download_with_progress(&file.path, meter) {
                Ok(path) => return self.check(file, &path),
                Err(error) => Cause::of(error),
            };
            match &error {
                Cause::Locked(_) if n_lock_tries < N_LOCK_TRIES => n_lock_tries += 1,
                Cause::Stale if n_retries < N_RETRIES => {
                    n_retries += 1;
                    self.remove_part(file)?;
                }
                Cause::Broken(_) if n_retries < N_RETRIES => {
                    sleep(RETRY_WAIT * (1 << n_retries));
                    n_retries += 1;
                }
                _ => return Err(error.explain(self.hub, self.model, Some(&file.path))),
            }
        }
        Ok(())
    }

    /// Removes the beginning of a file that cannot be gone on with.
    fn remove_part(&self, file: &ListedFile) -> Result<(), HubError> {
        let etag = file.lfs.as_ref().map(|l| &l.sha256).or(file.blob.as_ref());
        let Some(etag) = etag.filter(|e| e.chars().all(|c| c.is_ascii_hexdigit())) else { return Ok(()) };
        let part = self.hub.cache().repo(self.model.at(self.commit)).blob_path(etag).with_extension("part");
        match fs::remove_file(&part) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(HubError::io("remove", part)(e)),
            _ => Ok(()),
        }
    }

    /// Compares a file with what the hub says of it, and removes it if it differs.
    fn check(&self, file: &ListedFile, path: &Path) -> Result<(), HubError> {
        let Some(problem) = self.difference(file, path)? else { return Ok(()) };
        if let Ok(blob) = path.canonicalize() {
            fs::remove_file(&blob).map_err(HubError::io("remove", blob))?;
        }
        // The cache keeps a link beside the content, or the content itself.
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(HubError::io("remove", path)(e)),
            _ => {}
        }
        Err(HubError::Damaged { model: Box::new(self.model.clone()), path: file.path.clone(), problem })
    }

    fn difference(&self, file: &ListedFile, path: &Path) -> Result<Option<String>, HubError> {
        if path != self.place(file) {
            return Ok(Some(format!("it is not of commit {}", self.commit)));
        }
        let n_bytes = size(path).unwrap_or(0);
        if let Some(expected) = file.size.filter(|n| *n != n_bytes) {
            return Ok(Some(format!("it has {n_bytes} bytes, not {expected}")));
        }
        let Some(large) = &file.lfs else { return Ok(None) };
        let found = sha256(path)?;
        Ok((found != large.sha256).then(|| format!("its SHA-256 is {found}, not {}", large.sha256)))
    }
}

/// Tells the caller about bytes as they come; those that a retry starts behind are counted once.
struct Meter<'a> {
    progress: Option<&'a dyn Progress>,
    counted: &'a Cell<u64>,
    position: u64,
}

impl hf_hub::api::Progress for Meter<'_> {
    fn init(&mut self, _size: usize, _path: &str) {
        self.position = 0;
    }

    fn update(&mut self, n: usize) {
        self.position += n as u64;
        let more = self.position.saturating_sub(self.counted.get());
        self.counted.set(self.counted.get() + more);
        if let Some(progress) = self.progress.filter(|_| more > 0) {
            progress.advance(more);
        }
    }

    fn finish(&mut self) {}
}

fn sha256(path: &Path) -> Result<String, HubError> {
    let mut file = File::open(path).map_err(HubError::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(HubError::io("read", path))?;
        if n == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..n]);
    }
}
