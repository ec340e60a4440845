//! `history`: the entries of the log, oldest first.

use super::{open, print, print_json, warn_of_log};
use crate::args::LakeArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output::{draw, format_count};
use crate::progress::Reporter;
use hypercolumn_schemas::{FileEntry, LogEntry, RemovalCause};
use serde::Serialize;
use serde_json::Value;

/// An entry of the log, as it is shown.
#[derive(Debug, Serialize)]
struct Line {
    sequence: u64,
    committed_at_s: u64,
    /// `commit`, `repair` or `drop`.
    kind: &'static str,
    slot: Option<String>,
    key: Option<String>,
    n_rows: u64,
    n_files: usize,
    /// A commit's files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileEntry>,
    removes: Vec<String>,
    findings: Vec<String>,
    program: String,
    /// What a commit's stage recorded: settings, model, timings.
    #[serde(skip_serializing_if = "Value::is_null")]
    details: Value,
}

pub fn run(args: &LakeArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let read = lake.history().map_err(could_not("read lake", args.lake.lake.display()))?;
    let lines: Vec<Line> = read.0.iter().map(line).collect();
    match args.json {
        true => print_json(&lines)?,
        false => print(&describe(&lines))?,
    }
    Ok(warn_of_log(&read.1, reporter))
}

fn line(entry: &LogEntry) -> Line {
    let text = |slots: &[hypercolumn_schemas::Slot]| slots.iter().map(ToString::to_string).collect();
    match entry {
        LogEntry::Commit(commit) => Line {
            sequence: commit.sequence,
            committed_at_s: commit.committed_at_s,
            kind: "commit",
            slot: Some(commit.slot.to_string()),
            key: Some(commit.key.clone()),
            n_rows: commit.files.iter().map(|file| file.n_rows).sum(),
            n_files: commit.files.len(),
            files: commit.files.clone(),
            removes: text(&commit.removes),
            findings: Vec::new(),
            program: commit.program.clone(),
            details: commit.details.to_json(),
        },
        LogEntry::Removal(removal) => Line {
            sequence: removal.sequence,
            committed_at_s: removal.committed_at_s,
            kind: match removal.cause {
                RemovalCause::Repair => "repair",
                RemovalCause::Drop => "drop",
            },
            slot: None,
            key: None,
            n_rows: 0,
            n_files: 0,
            files: Vec::new(),
            removes: text(&removal.removes),
            findings: removal.findings.clone(),
            program: removal.program.clone(),
            details: Value::Null,
        },
    }
}

fn describe(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "the log is empty\n".to_owned();
    }
    let row = |line: &Line| {
        let what = match &line.slot {
            Some(slot) => slot.clone(),
            None => format!("removes {}", line.removes.join(", ")),
        };
        vec![
            line.sequence.to_string(),
            line.committed_at_s.to_string(),
            line.kind.to_owned(),
            what,
            format_count(line.n_rows),
            line.n_files.to_string(),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    draw(&["number", "Unix time", "kind", "slot", "rows", "files"], &rows, &[0, 1, 4, 5])
}
