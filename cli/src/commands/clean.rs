//! `clean`: files that no commit lists, which a killed run left behind.

use super::{open, print};
use crate::args::CleanArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output::format_count;
use crate::progress::Reporter;
use hypercolumn_schemas::{Lake, LakeLock};
use std::fs;
use std::path::PathBuf;

pub fn run(args: &CleanArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let _lock = lock(&lake)?;
    let unlisted = lake.unlisted().map_err(could_not("list lake", args.lake.lake.display()))?;
    let n_bytes: u64 = unlisted.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum();
    let mut text = String::new();
    for path in &unlisted {
        text.push_str(&format!("{}\n", path.strip_prefix(lake.root()).unwrap_or(path).display()));
    }
    print(&text)?;
    let sum = format!("{} files, {} bytes", format_count(unlisted.len() as u64), format_count(n_bytes));
    if !args.yes {
        reporter.say(&match unlisted.is_empty() {
            true => "nothing to remove".to_owned(),
            false => format!("{sum} could be removed: `hypercolumn clean --yes` does it"),
        });
        return Ok(Exit::Success);
    }
    for path in &unlisted {
        fs::remove_file(path).map_err(|e| {
            Failure::new(Exit::Failure, format!("could not remove `{}`", path.display()))
                .because(e.to_string())
                .hint("the lake must be writable")
        })?;
    }
    remove_empty_staging(&lake);
    reporter.say(&format!("{sum} removed"));
    Ok(Exit::Success)
}

/// Locks the lake, so that no file of a writer is taken for one that a killed run left behind.
fn lock(lake: &Lake) -> Result<LakeLock, Failure> {
    let path = lake.root().display();
    lake.try_lock().map_err(could_not("lock lake", path.to_string()))?.ok_or_else(|| {
        Failure::new(Exit::Failure, format!("could not clean `{path}`"))
            .because("another process is writing to it".to_owned())
            .hint("wait until that process has ended")
    })
}

fn staging_directories(lake: &Lake) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(lake.root().join("_staging")) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect()
}

fn remove_empty_staging(lake: &Lake) {
    for path in staging_directories(lake) {
        // Only empty directories go: a resume checkpoint may hold directories of its own.
        let _ = fs::remove_dir(&path);
    }
    let _ = fs::remove_dir(lake.root().join("_staging"));
}
