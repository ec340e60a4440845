//! A GGUF file: its header, its tokenizer, its tensors, and the weights where it opens.
//!
//! A hole larger than the small models' weights follows the input, so that mutations fall on the header, and tensors
//! that lie past it can be read.

#![no_main]

use hypercolumn_extract::{model::open_checkpoint, stage::ModelFile};
use hypercolumn_extract::model::source::ResolvedModel;
use hypercolumn_extract_fuzz::{check_architecture, use_tokenizer};
use libfuzzer_sys::fuzz_target;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

/// Bytes of the hole.
const HOLE: u64 = 1 << 18;

/// The file that readers open, which has no name and lies in memory where there is such a directory.
static FILE: Mutex<Option<File>> = Mutex::new(None);

/// What the last panic said. Those of the tokenizers library are caught where it is called and are no findings, so
/// a panic is told only when it arrives here.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fuzz_target!(
    init: {
        let memory = Path::new("/dev/shm");
        let file = if memory.is_dir() { tempfile::tempfile_in(memory) } else { tempfile::tempfile() };
        *FILE.lock().expect("one thread") = Some(file.expect("a file"));
        std::panic::set_hook(Box::new(|panic| {
            if let Ok(mut last) = LAST_PANIC.lock() {
                *last = format!("{panic}\n{}", std::backtrace::Backtrace::capture());
            }
        }));
    },
    |bytes: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| read(bytes))).is_err() {
            eprintln!("{}", LAST_PANIC.lock().expect("one thread"));
            std::process::abort();
        }
    }
);

fn read(bytes: &[u8]) {
    let mut file = FILE.lock().expect("one thread");
    let file = file.as_mut().expect("made at the start");
    file.set_len(0).expect("a shorter file");
    file.rewind().expect("its start");
    file.write_all(bytes).expect("written");
    file.set_len(bytes.len() as u64 + HOLE).expect("a hole");
    let path = Path::new("/dev/fd").join(file.as_raw_fd().to_string());
    let model = ResolvedModel { name: "fuzz".to_owned(), path, source: String::new() };
    match ModelFile::open(&model) {
        Ok(model) => use_tokenizer(&model.tokenizer),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // A file may have weights and no tokenizer, as those of the families have.
    let Ok(checkpoint) = open_checkpoint(&model.path) else { return };
    check_architecture(checkpoint.architecture());
    let n_layers = checkpoint.architecture().shape.n_layers;
    let _ = (0..n_layers).try_for_each(|layer| checkpoint.layer(layer).map(drop));
    let _ = checkpoint.embeddings(&[0, u32::MAX]);
    let _ = checkpoint.position_embeddings();
    let _ = checkpoint.final_norm();
    let _ = checkpoint.unembedding();
}
