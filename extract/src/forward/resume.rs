//! How far a pass over the layers of a large model is, kept on disk so that a killed run resumes after the last layer that
//! it finished.
//!
//! Both sides of the seam keep values here under names of their own: a backend its states, keys and values, the stage what
//! it pooled. A layer's files are written whole before it is marked as finished, in one rename. All of it goes when the
//! shard is committed.

use crate::error::ExtractError;
use hypercolumn_schemas::LakeError;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Values that are turned into bytes at once.
const VALUES_AT_ONCE: usize = 1 << 16;

/// Bytes of the hash that ends a file.
const HASH_BYTES: usize = 32;

/// Name of the file that marks the last finished layer: the states after it.
const STATE: &str = "state";

/// The resume checkpoint of one batch's first pass.
#[derive(Debug)]
pub struct ResumeCheckpoint {
    directory: PathBuf,
    finished_layers: usize,
}

impl ResumeCheckpoint {
    /// Opens the checkpoint in `directory`, or begins one.
    ///
    /// # Errors
    /// When the directory cannot be made or listed.
    pub fn open(directory: PathBuf) -> Result<Self, ExtractError> {
        fs::create_dir_all(&directory).map_err(LakeError::io("create directory", &directory))?;
        let entries = fs::read_dir(&directory).map_err(LakeError::io("list", &directory))?;
        let layer = |name: &str| name.strip_prefix(STATE)?.strip_prefix('-')?.parse::<usize>().ok();
        let states = entries.flatten().filter_map(|entry| layer(entry.file_name().to_str()?));
        Ok(Self { finished_layers: states.max().unwrap_or(0), directory })
    }

    /// Layers that an earlier run finished.
    pub fn finished_layers(&self) -> usize {
        self.finished_layers
    }

    /// The states after the last finished layer, as the backend gave them to [`ResumeCheckpoint::finish_layer`].
    ///
    /// # Errors
    /// When they cannot be read or are not what was written.
    pub fn last_states(&self) -> Result<Vec<f32>, ExtractError> {
        self.read(STATE, self.finished_layers)
    }

    /// The values kept under `name` at a finished layer.
    ///
    /// # Errors
    /// When they cannot be read or are not what was written.
    pub fn read(&self, name: &str, layer: usize) -> Result<Vec<f32>, ExtractError> {
        read_values(&self.path(name, layer))
    }

    /// Keeps values under `name`, which is not `state`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, name: &str, layer: usize, values: &[f32]) -> Result<(), ExtractError> {
        let path = self.path(name, layer);
        let unfinished = self.directory.join("unfinished");
        write_values(&unfinished, values)?;
        Ok(fs::rename(&unfinished, &path).map_err(LakeError::io("rename", &path))?)
    }

    /// Marks a layer as finished: everything that is kept of it has been written. `states` are those after it.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish_layer(&self, layer: usize, states: &[f32]) -> Result<(), ExtractError> {
        self.write(STATE, layer, states)?;
        // The states before have served; a file that cannot be removed is superseded all the same.
        let _ = fs::remove_file(self.path(STATE, layer - 1));
        Ok(())
    }

    /// Removes the checkpoint.
    pub fn remove(self) {
        // Best effort: what stays behind is listed and removed by `clean`.
        let _ = fs::remove_dir_all(&self.directory);
    }

    fn path(&self, name: &str, layer: usize) -> PathBuf {
        self.directory.join(format!("{name}-{layer:04}"))
    }
}

/// Writes values, then their BLAKE3, to the disk.
fn write_values(path: &Path, values: &[f32]) -> Result<(), ExtractError> {
    let file = File::create(path).map_err(LakeError::io("create", path))?;
    let mut writer = BufWriter::new(file);
    let mut hasher = blake3::Hasher::new();
    let write = |writer: &mut BufWriter<File>, bytes: &[u8]| {
        writer.write_all(bytes).map_err(LakeError::io("write", path))
    };
    for values in values.chunks(VALUES_AT_ONCE) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        hasher.update(&bytes);
        write(&mut writer, &bytes)?;
    }
    write(&mut writer, hasher.finalize().as_bytes())?;
    let file = writer.into_inner().map_err(|e| LakeError::io("write", path)(e.into_error()))?;
    Ok(file.sync_all().map_err(LakeError::io("flush", path))?)
}

fn read_values(path: &Path) -> Result<Vec<f32>, ExtractError> {
    let bytes = fs::read(path).map_err(LakeError::io("read", path))?;
    let whole = bytes.split_last_chunk::<HASH_BYTES>().filter(|(values, hash)| {
        blake3::hash(values).as_bytes() == *hash && values.len() % size_of::<f32>() == 0
    });
    let (values, _) = whole.ok_or_else(|| ExtractError::ResumeCheckpoint { path: path.to_owned() })?;
    Ok(values.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_resumes_after_the_last_finished_layer() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pass");
        let begun = ResumeCheckpoint::open(path.clone()).expect("begun");
        assert_eq!(begun.finished_layers(), 0);
        for layer in 1..=2 {
            begun.write("hidden", layer, &vec![layer as f32; 70_000]).expect("written");
            begun.write("keys", layer, &[layer as f32 + 0.25]).expect("written");
            begun.finish_layer(layer, &[layer as f32 + 0.5; 3]).expect("written");
        }
        begun.write("hidden", 3, &[3.0]).expect("written");

        let again = ResumeCheckpoint::open(path.clone()).expect("opened");
        assert_eq!(again.finished_layers(), 2);
        assert_eq!(again.last_states().expect("read"), [2.5; 3]);
        assert_eq!(again.read("keys", 1).expect("read"), [1.25]);
        assert_eq!(again.read("hidden", 2).expect("read"), vec![2.0; 70_000]);
        again.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_damaged_file_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("values");
        write_values(&path, &[1.0, 2.0]).expect("written");
        assert_eq!(read_values(&path).expect("read"), [1.0, 2.0]);
        let mut bytes = fs::read(&path).expect("read");
        bytes[1] ^= 1;
        for damaged in [&bytes[..], &bytes[..bytes.len() - 1], &[]] {
            fs::write(&path, damaged).expect("written");
            let error = read_values(&path).expect_err("damaged").to_string();
            assert!(error.contains("values") && error.contains("not what was written"), "{error}");
        }
    }
}
