//! What the stage starts from: which tasks a model has read, whether completely, and the files of it all.

use crate::error::AnalyzeError;
use hypercolumn_schemas::{FileEntry, Slot, Snapshot, Table, tables};
use std::collections::BTreeSet;

/// The tasks to analyse: those asked for, or all that the model has read.
pub(crate) fn find_tasks(
    snapshot: &Snapshot,
    model: &str,
    asked: &[String],
) -> Result<Vec<String>, AnalyzeError> {
    let extracted = extracted(snapshot);
    let of_model = || extracted.iter().filter(|(m, _)| m == model).map(|(_, task)| task.clone());
    if asked.is_empty() {
        let tasks: Vec<String> = of_model().collect();
        if tasks.is_empty() {
            return Err(not_extracted(&extracted, model, "any"));
        }
        for task in &tasks {
            check_extraction(snapshot, model, task)?;
        }
        return Ok(tasks);
    }
    let prompts: BTreeSet<&str> =
        snapshot.files(&tables::PROMPTS).filter_map(|f| f.partition.task.as_deref()).collect();
    for task in asked {
        if !prompts.contains(task.as_str()) {
            let known = list(prompts.iter().map(|t| format!("`{t}`")));
            return Err(AnalyzeError::UnknownTask { task: task.clone(), known });
        }
        if !of_model().any(|t| t == *task) {
            return Err(not_extracted(&extracted, model, task));
        }
        check_extraction(snapshot, model, task)?;
    }
    Ok(asked.to_vec())
}

/// Models and the tasks that they have read, at least in part.
fn extracted(snapshot: &Snapshot) -> BTreeSet<(String, String)> {
    let of_table = |table: &'static Table| {
        snapshot.files(table).filter_map(|f| f.partition.model.clone().zip(f.partition.task.clone()))
    };
    of_table(&tables::TOKENS).chain(of_table(&tables::RESPONSES)).collect()
}

fn not_extracted(extracted: &BTreeSet<(String, String)>, model: &str, task: &str) -> AnalyzeError {
    let known = list(extracted.iter().map(|(model, task)| format!("`{task}` by `{model}`")));
    AnalyzeError::NotExtracted { model: model.to_owned(), task: task.to_owned(), known }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Refuses an extraction of which shards are missing.
fn check_extraction(snapshot: &Snapshot, model: &str, task: &str) -> Result<(), AnalyzeError> {
    let Some((latest, n_done)) = snapshot.latest_extraction(model, task) else { return Ok(()) };
    let n_shards = u64::from(latest.n_shards);
    if n_done < n_shards {
        let (model, task) = (model.to_owned(), task.to_owned());
        return Err(AnalyzeError::Incomplete { model, task, n_done, n_shards });
    }
    let ingested = snapshot.slot(&Slot::Ingest { task: task.to_owned() }).and_then(|c| c.details.as_ingest());
    if ingested.is_some_and(|record| record.prompts_digest != latest.prompts_digest) {
        return Err(AnalyzeError::Stale { model: model.to_owned(), task: task.to_owned() });
    }
    Ok(())
}

/// The files of `inputs` for this model and task (tables without a model: for this task).
pub(crate) fn files_of<'a>(
    snapshot: &'a Snapshot,
    model: &'a str,
    task: &'a str,
    inputs: &[&'static Table],
) -> impl Iterator<Item = &'a FileEntry> {
    let is_of_task = move |f: &&FileEntry| {
        f.partition.task.as_deref() == Some(task)
            && f.partition.model.as_deref().is_none_or(|name| name == model)
    };
    inputs.iter().flat_map(|table| snapshot.files(table)).filter(is_of_task).collect::<Vec<_>>().into_iter()
}

/// Digests of files, in one order.
pub(crate) fn digests(files: &[FileEntry]) -> Vec<String> {
    let mut digests: Vec<String> = files.iter().map(|f| format!("{}:{}", f.path, f.blake3)).collect();
    digests.sort();
    digests.dedup();
    digests
}
