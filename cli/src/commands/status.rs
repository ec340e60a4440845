//! `status`: what the lake holds, and which of its files are missing or damaged.

use super::stale::remedies;
use super::{open, print, print_json, warn_of_log, why};
use crate::args::StatusArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::invocation::lake_command;
use crate::output::{draw, format_count};
use crate::progress::Reporter;
use hypercolumn_schemas::{FileEntry, Snapshot, Stale, tables};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The content of a lake.
#[derive(Debug, Serialize)]
struct Status {
    lake: String,
    tables: Vec<TableStatus>,
    tasks: Vec<TaskStatus>,
    extractions: Vec<ExtractionStatus>,
    /// Listed files that are missing or of another size.
    damaged: Vec<String>,
    /// Where the log is not as it was written.
    log: Vec<String>,
    /// Files that no commit lists; null where entries of the log are lost, so that it is not known which are listed.
    n_unlisted: Option<usize>,
    /// What does not follow from what the lake holds now.
    stale: Vec<String>,
    /// Commands that make again what is stale.
    remedies: Vec<String>,
    /// What an earlier version wrote with other columns, which the stages compute again.
    outdated: Vec<String>,
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

pub fn run(args: &StatusArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("read lake", args.lake.lake.display());
    let snapshot = lake.survey().map_err(refuse())?;
    if args.why.is_none() && (args.study.is_given() || args.model.model.is_some()) {
        let refused = Failure::usage("could not show the status of a study".to_owned());
        return Err(
            refused.hint("a study is for --why TABLE; `hypercolumn plan STUDY` says what it would do")
        );
    }
    if let Some(target) = &args.why {
        let exit = warn_of_log(&snapshot, reporter);
        return why::run(target, args, &snapshot).map(|()| exit);
    }
    let stale = snapshot.stale();
    let status = Status {
        lake: args.lake.lake.display().to_string(),
        tables: table_statuses(&snapshot),
        tasks: task_statuses(&snapshot),
        extractions: extraction_statuses(&snapshot),
        damaged: lake
            .misplaced(&snapshot)
            .into_iter()
            .map(|f| format!("{}: {}", f.path, f.problem))
            .collect(),
        log: snapshot.problems().iter().map(ToString::to_string).collect(),
        n_unlisted: lake.unlisted().ok().map(|files| files.len()),
        remedies: remedies(&snapshot, &stale),
        stale: stale.into_iter().map(|Stale { slot, reason }| format!("{slot}: {reason}")).collect(),
        outdated: snapshot.outdated().map(ToString::to_string).collect(),
    };
    if args.json {
        print_json(&status)?;
    } else {
        print(&describe(&status))?;
    }
    let exit = warn_of_log(&snapshot, reporter);
    Ok(if status.damaged.is_empty() { exit } else { Exit::Damage })
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
    let names =
        snapshot.extractions().map(|(commit, record)| (record.model.name.as_str(), commit.slot.task()));
    let found = names.collect::<BTreeSet<_>>().into_iter();
    let status = |(model, task): (&str, &str)| {
        let (latest, n_shards_done) = snapshot.latest_extraction(model, task)?;
        let n_shards = u64::from(latest.n_shards);
        Some(ExtractionStatus { model: model.to_owned(), task: task.to_owned(), n_shards_done, n_shards })
    };
    found.filter_map(status).collect()
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
    for line in &status.stale {
        text.push_str(&format!("stale {line}\n"));
    }
    for remedy in &status.remedies {
        text.push_str(&format!("{remedy}\n"));
    }
    if let Some(n) = status.n_unlisted.filter(|n| *n > 0) {
        let n = format_count(n as u64);
        let gc = lake_command(&["gc"]);
        text.push_str(&format!("{n} files are listed by no commit; {gc} shows them\n"));
    }
    if !status.outdated.is_empty() {
        let n = format_count(status.outdated.len() as u64);
        text.push_str(&format!(
            "{n} results are of an earlier version of the tables and not shown; the next run computes them again\n"
        ));
    }
    text
}
