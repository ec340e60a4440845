//! A `pytorch_model.bin`: its pickle in an archive that is whole, and the archive itself; weights where it opens.
//!
//! An input that begins with an even byte is a pickle, around which an archive is made (the sums that an archive keeps would
//! turn away nearly every mutation of one inside it). Any other is an archive.

#![no_main]

use hypercolumn_extract::model::open_checkpoint;
use hypercolumn_extract_fuzz::check_architecture;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The configuration of the fixture whose pickle is among the seeds.
const CONFIG: &[u8] = include_bytes!("../../../tests/fixtures/families/llama-pytorch/config.json");

/// Storages of an archive, and bytes of each: those of the fixture's largest.
const N_STORAGES: usize = 32;
const STORAGE: [u8; 3072] = [0; 3072];

static DIRECTORY: OnceLock<TempDir> = OnceLock::new();

fn directory() -> PathBuf {
    let directory = DIRECTORY.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let directory = tempfile::tempdir_in(place).expect("a directory");
        fs::write(directory.path().join("config.json"), CONFIG).expect("written");
        directory
    });
    directory.path().to_owned()
}

/// An archive of this pickle, with storages of zeros.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut add = |name: &str, content: &[u8]| {
        archive.start_file(name, stored).expect("an entry");
        archive.write_all(content).expect("written");
    };
    add("model/data.pkl", pickle);
    (0..N_STORAGES).for_each(|n| add(&format!("model/data/{n}"), &STORAGE));
    archive.finish().expect("an archive").into_inner()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((form, content)) = bytes.split_first() else { return };
    let file = if form % 2 == 0 { archive(content) } else { content.to_vec() };
    let directory = directory();
    fs::write(directory.join("pytorch_model.bin"), file).expect("written");
    match open_checkpoint(&directory) {
        Ok(checkpoint) => {
            check_architecture(checkpoint.architecture());
            let _ = checkpoint.layer(0);
            let _ = checkpoint.embeddings(&[0, u32::MAX]);
            let _ = checkpoint.unembedding();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
