//! Paths that stay inside a lake.

use std::fs;
use std::path::{Path, PathBuf};

/// `path`, relative to `root`, below it; none if a level of it is a link or cannot be looked at.
pub(crate) fn without_links(root: &Path, path: &str) -> Option<PathBuf> {
    let mut whole = root.to_owned();
    for level in path.split('/') {
        whole.push(level);
        fs::symlink_metadata(&whole).ok().filter(|metadata| !metadata.is_symlink())?;
    }
    Some(whole)
}

/// A relative path with `/` between levels, as commits spell it.
pub(crate) fn relative_text(path: &Path) -> String {
    path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
