//! The Rust files of the workspace, read for the other checks.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
pub struct Source {
    /// Path from the root of the workspace, with `/`.
    pub path: String,
    pub text: String,
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root").to_owned()
}

/// All Rust files below `directories`, tests and benches too, in order of their paths.
pub fn rust_files(directories: &[&str]) -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    directories.iter().for_each(|d| collect(&root.join(d), &mut paths));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let relative =
                path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
            Source { path: relative, text: fs::read_to_string(&path).expect("UTF-8 text") }
        })
        .collect()
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("listed").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, paths);
        } else if name.ends_with(".rs") {
            paths.push(path);
        }
    }
}

/// `text` without comments and without what string literals hold, so that words in them are not taken for code.
pub fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut previous = ' ';
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            if !in_string && c == '/' && characters.peek() == Some(&'/') {
                break;
            }
            if c == '"' && previous != '\\' && previous != '\'' {
                in_string = !in_string;
            } else if !in_string {
                out.push(c);
            }
            previous = c;
        }
        out.push('\n');
    }
    out
}
