//! `clean`: files that no commit lists, which a killed run left behind.

use super::{open, print};
use crate::answer::format_count;
use crate::args::CleanArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::Reporter;
use hypercolumn_schemas::Lake;
use std::fs;
use std::path::{Path, PathBuf};

pub fn run(args: &CleanArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    refuse_while_written(&lake)?;
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

/// Refuses while a process of this machine has work in progress: its files are not listed yet.
fn refuse_while_written(lake: &Lake) -> Result<(), Failure> {
    let writers = staging_directories(lake).into_iter().filter_map(|path| writer(&path));
    match writers.into_iter().find(|pid| is_running(*pid)) {
        None => Ok(()),
        Some(pid) => Err(Failure::new(Exit::Failure, format!("could not clean `{}`", lake.root().display()))
            .because(format!("process {pid} is writing to it"))
            .hint("wait until it has ended")),
    }
}

fn staging_directories(lake: &Lake) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(lake.root().join("_staging")) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect()
}

/// The process that a staging directory belongs to: its name begins with the process's id.
fn writer(staging: &Path) -> Option<u32> {
    staging.file_name()?.to_str()?.split('-').next()?.parse().ok()
}

#[cfg(target_os = "linux")]
fn is_running(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(not(target_os = "linux"))]
fn is_running(pid: u32) -> bool {
    let listed = std::process::Command::new("ps").args(["-p", &pid.to_string()]).output();
    listed.is_ok_and(|output| output.status.success())
}

fn remove_empty_staging(lake: &Lake) {
    for path in staging_directories(lake) {
        // Only empty directories go; anything else is a new writer's.
        let _ = fs::remove_dir(&path);
    }
    let _ = fs::remove_dir(lake.root().join("_staging"));
}
