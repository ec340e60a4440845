//! How far a sweep over the layers of a large model is, kept on disk so that a killed run is taken up at the last
//! layer that it finished.
//!
//! A layer's files are written whole before the state after it takes its place under a name of its own, in one
//! rename: the layer counts as finished from then on. All of it goes when the shard is committed.

use crate::error::ExtractError;
use crate::forward::{Ledger, Memory, Started};
use crate::stage::taps::Part;
use hypercolumn_schemas::{LakeError, Site};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Values that are turned into bytes at once.
const VALUES_AT_ONCE: usize = 1 << 16;

/// Bytes of the hash that ends a file.
const HASH_BYTES: usize = 32;

/// The record of one chunk's first pass.
#[derive(Debug)]
pub struct Sweep {
    directory: PathBuf,
    n_done: usize,
    /// What went wrong where no error can be returned.
    failure: Mutex<Option<ExtractError>>,
}

impl Sweep {
    /// Opens the record in `directory`, or begins one.
    ///
    /// # Errors
    /// When the directory cannot be made or listed.
    pub fn open(directory: PathBuf) -> Result<Self, ExtractError> {
        fs::create_dir_all(&directory).map_err(LakeError::io("create directory", &directory))?;
        let entries = fs::read_dir(&directory).map_err(LakeError::io("list", &directory))?;
        let layer = |name: &str| name.strip_prefix("state-")?.parse::<usize>().ok();
        let states = entries.flatten().filter_map(|entry| layer(entry.file_name().to_str()?));
        Ok(Self { n_done: states.max().unwrap_or(0), directory, failure: Mutex::default() })
    }

    /// What the finished layers gave, in order.
    ///
    /// # Errors
    /// When a file cannot be read or is not what was written.
    pub fn parts(&self) -> impl Iterator<Item = Result<[Part; 2], ExtractError>> {
        (1..=self.n_done).map(|layer| {
            let masses = self.read("attention", layer)?;
            let vectors = self.read("hidden", layer)?;
            Ok([Part::Attention { layer, masses }, Part::Hidden { layer, site: Site::ResidPost, vectors }])
        })
    }

    /// Keeps what a layer gave; a failure is returned when the layer is through.
    pub fn note(&self, part: &Part) {
        let noted = match part {
            Part::Attention { layer, masses } => self.write("attention", *layer, masses),
            Part::Hidden { layer, site: Site::ResidPost, vectors } => self.write("hidden", *layer, vectors),
            Part::Hidden { .. } | Part::Responses(_) => Ok(()),
        };
        if let Err(error) = noted {
            *self.failure.lock().expect("no note panicked") = Some(error);
        }
    }

    /// Removes the record.
    pub fn remove(self) {
        // Best effort: what stays behind is listed and removed by `clean`.
        let _ = fs::remove_dir_all(&self.directory);
    }

    fn path(&self, name: &str, layer: usize) -> PathBuf {
        self.directory.join(format!("{name}-{layer:04}"))
    }

    fn write(&self, name: &str, layer: usize, values: &[f32]) -> Result<(), ExtractError> {
        let path = self.path(name, layer);
        let unfinished = self.directory.join("unfinished");
        write_values(&unfinished, values)?;
        Ok(fs::rename(&unfinished, &path).map_err(LakeError::io("rename", &path))?)
    }

    fn read(&self, name: &str, layer: usize) -> Result<Vec<f32>, ExtractError> {
        read_values(&self.path(name, layer))
    }
}

impl Ledger for Sweep {
    fn started(&self, keeps_memory: bool) -> Result<Started, ExtractError> {
        if self.n_done == 0 {
            return Ok(Started::default());
        }
        let memory =
            |layer| Ok(Memory { keys: self.read("keys", layer)?, values: self.read("values", layer)? });
        let memory = if keeps_memory {
            (1..=self.n_done).map(memory).collect::<Result<_, ExtractError>>()?
        } else {
            Vec::new()
        };
        Ok(Started { n_layers: self.n_done, rows: self.read("state", self.n_done)?, memory })
    }

    fn through(
        &self,
        layer: usize,
        rows: &[f32],
        memory: Option<(&[f32], &[f32])>,
    ) -> Result<(), ExtractError> {
        if let Some(error) = self.failure.lock().expect("no note panicked").take() {
            return Err(error);
        }
        if let Some((keys, values)) = memory {
            self.write("keys", layer, keys)?;
            self.write("values", layer, values)?;
        }
        self.write("state", layer, rows)?;
        // The state before has served; one that cannot be removed is overtaken all the same.
        let _ = fs::remove_file(self.path("state", layer - 1));
        Ok(())
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
    let (values, _) = whole.ok_or_else(|| ExtractError::Sweep { path: path.to_owned() })?;
    Ok(values.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(layer: usize, value: f32) -> [Part; 2] {
        [
            Part::Attention { layer, masses: vec![value, 0.25] },
            Part::Hidden { layer, site: Site::ResidPost, vectors: vec![value; 70_000] },
        ]
    }

    #[test]
    fn a_sweep_goes_on_after_the_last_layer_that_was_through() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sweep");
        let sweep = Sweep::open(path.clone()).expect("begun");
        assert_eq!(sweep.started(true).expect("nothing to read"), Started::default());
        for layer in 1..=2 {
            part(layer, layer as f32).iter().for_each(|p| sweep.note(p));
            let values = [layer as f32 + 0.5; 3];
            sweep.through(layer, &values, Some((&values[..1], &values[1..]))).expect("written");
        }
        part(3, 3.0).iter().for_each(|p| sweep.note(p));

        let again = Sweep::open(path.clone()).expect("opened");
        let started = again.started(true).expect("read");
        assert_eq!((started.n_layers, started.rows), (2, vec![2.5; 3]));
        let memory: Vec<_> = started.memory.iter().map(|m| (m.keys.len(), m.values[0])).collect();
        assert_eq!(memory, [(1, 1.5), (1, 2.5)]);
        let parts: Vec<[Part; 2]> = again.parts().collect::<Result<_, _>>().expect("read");
        assert_eq!(format!("{parts:?}"), format!("{:?}", [part(1, 1.0), part(2, 2.0)]));
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
