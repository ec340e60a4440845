//! `status`: what the lake holds, and which of its files are missing or damaged.

use super::{open, print, print_json};
use crate::args::LakeArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output::{draw, format_count};
use hypercolumn_schemas::{FileEntry, Lake, Snapshot, tables};
use serde::Serialize;
use std::collections::BTreeMap;

/// The content of a lake.
#[derive(Debug, Serialize)]
struct Status {
    lake: String,
    tables: Vec<TableStatus>,
    tasks: Vec<TaskStatus>,
    extractions: Vec<ExtractionStatus>,
    /// Listed files that are missing or of another size.
    damaged: Vec<String>,
    /// Files that no commit lists.
    n_unlisted: usize,
}

#[derive(Debug, Serialize)]
struct TableStatus {
    table: &'static str,
    n_rows: u64,
    n_bytes: u64,
    n_files: usize,
}

#[derive(Debug, Serialize)]
struct TaskStatus {
    task: String,
    n_prompts: u64,
}

#[derive(Debug, Serialize)]
struct ExtractionStatus {
    model: String,
    task: String,
    n_shards_done: u64,
    n_shards: u64,
}

pub fn run(args: &LakeArgs) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("read lake", args.lake.lake.display());
    let snapshot = lake.snapshot().map_err(refuse())?;
    let status = Status {
        lake: args.lake.lake.display().to_string(),
        tables: table_statuses(&snapshot),
        tasks: task_statuses(&snapshot),
        extractions: extraction_statuses(&snapshot),
        damaged: damaged_files(&lake, &snapshot),
        n_unlisted: lake.unlisted().map_err(refuse())?.len(),
    };
    if args.json {
        print_json(&status)?;
    } else {
        print(&describe(&status))?;
    }
    Ok(if status.damaged.is_empty() { Exit::Success } else { Exit::Damage })
}

fn table_statuses(snapshot: &Snapshot) -> Vec<TableStatus> {
    let status = |table: &'static hypercolumn_schemas::Table| {
        let files: Vec<&FileEntry> = snapshot.files(table).collect();
        TableStatus {
            table: table.name,
            n_rows: files.iter().map(|f| f.n_rows).sum(),
            n_bytes: files.iter().map(|f| f.n_bytes).sum(),
            n_files: files.len(),
        }
    };
    tables::ALL.into_iter().map(status).collect()
}

fn task_statuses(snapshot: &Snapshot) -> Vec<TaskStatus> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for file in snapshot.files(&tables::PROMPTS) {
        *counts.entry(file.partition.task.clone().unwrap_or_default()).or_default() += file.n_rows;
    }
    counts.into_iter().map(|(task, n_prompts)| TaskStatus { task, n_prompts }).collect()
}

fn extraction_statuses(snapshot: &Snapshot) -> Vec<ExtractionStatus> {
    let mut found: BTreeMap<(&str, &str), ExtractionStatus> = BTreeMap::new();
    for (commit, record) in snapshot.extractions() {
        let (model, task) = (record.model.name.as_str(), commit.slot.task());
        let status = found.entry((model, task)).or_insert_with(|| ExtractionStatus {
            model: model.to_owned(),
            task: task.to_owned(),
            n_shards_done: 0,
            n_shards: 0,
        });
        status.n_shards_done += 1;
        status.n_shards = status.n_shards.max(u64::from(record.n_shards));
    }
    found.into_values().collect()
}

/// Files that are not in place; their content is compared by `verify`.
fn damaged_files(lake: &Lake, snapshot: &Snapshot) -> Vec<String> {
    let files = snapshot.commits().flat_map(|c| &c.files);
    let problem = |file: &FileEntry| match std::fs::metadata(lake.root().join(&file.path)) {
        Err(e) => Some(format!("{}: {e}", file.path)),
        Ok(m) if m.len() != file.n_bytes => {
            Some(format!("{}: has {} bytes, its commit says {}", file.path, m.len(), file.n_bytes))
        }
        Ok(_) => None,
    };
    files.filter_map(problem).collect()
}

fn describe(status: &Status) -> String {
    let mut text = String::new();
    let rows: Vec<_> = status
        .tables
        .iter()
        .filter(|t| t.n_files > 0)
        .map(|t| {
            vec![t.table.to_owned(), format_count(t.n_rows), format_count(t.n_bytes), t.n_files.to_string()]
        })
        .collect();
    match rows.is_empty() {
        true => text.push_str("the lake is empty\n"),
        false => {
            text.push_str(&draw(&["table", "rows", "bytes", "files"], &rows, &[1, 2, 3]));
        }
    }
    for task in &status.tasks {
        text.push_str(&format!("task {}: {} prompts\n", task.task, format_count(task.n_prompts)));
    }
    for e in &status.extractions {
        let ExtractionStatus { model, task, n_shards_done, n_shards } = e;
        text.push_str(&format!("extraction of {task} by {model}: {n_shards_done} of {n_shards} shards\n"));
    }
    for damaged in &status.damaged {
        text.push_str(&format!("damaged: {damaged}\n"));
    }
    if status.n_unlisted > 0 {
        text.push_str(&format!(
            "{} files are listed by no commit; `hypercolumn clean` shows them\n",
            format_count(status.n_unlisted as u64)
        ));
    }
    text
}
