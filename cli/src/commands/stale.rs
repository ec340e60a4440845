//! The commands that make again what is stale.

use crate::invocation::{command_of_study, lake_command};
use hypercolumn_schemas::{Slot, Snapshot, Stale};
use std::collections::BTreeSet;
use std::path::Path;

/// A clause a command or study that makes again what is stale, complete with lake and study.
pub fn remedies<'a>(snapshot: &Snapshot, stale: impl IntoIterator<Item = &'a Stale>) -> Vec<String> {
    let stale: Vec<&Stale> = stale.into_iter().collect();
    let results = stale.iter().filter(|s| matches!(s.slot, Slot::Analyze { .. }));
    let of_studies: BTreeSet<String> = results.map(|s| rerun(snapshot, &s.slot)).collect();
    if !of_studies.is_empty() {
        return of_studies.into_iter().collect();
    }
    // An extraction that no study has asked about.
    let commands: BTreeSet<String> = stale.iter().filter_map(|s| extract(snapshot, &s.slot)).collect();
    commands.into_iter().collect()
}

/// The command that runs the study of a result, or which study that is where its file is not known.
fn rerun(snapshot: &Snapshot, slot: &Slot) -> String {
    let record = snapshot.slot(slot).and_then(|commit| commit.details.as_analyze());
    match record.and_then(|record| record.study_arguments.as_deref()).and_then(present) {
        Some(arguments) => format!("{} makes it again", command_of_study(&["run"], &arguments)),
        None => {
            let study = if let Slot::Analyze { study, .. } = slot { study } else { "" };
            format!("running study `{study}` makes it again; its file is not where it was")
        }
    }
}

/// The arguments of a study that is still there, its path from the working directory where it is below that.
fn present(arguments: &str) -> Option<Vec<String>> {
    let arguments = shlex::split(arguments)?;
    let [path] = arguments.as_slice() else { return Some(arguments) };
    let shown = std::env::current_dir().ok();
    let shown = shown.and_then(|directory| Path::new(path).strip_prefix(directory).ok().map(Path::to_owned));
    Path::new(path).is_file().then(|| vec![shown.map_or_else(|| path.clone(), |p| p.display().to_string())])
}

/// The command that extracts a task again, if its prompts are in the lake.
fn extract(snapshot: &Snapshot, slot: &Slot) -> Option<String> {
    let record = snapshot.slot(slot)?.details.as_extract()?;
    snapshot.slot(&Slot::Ingest { task: slot.task().to_owned() })?;
    let (model, task) = (&record.model, slot.task());
    let command =
        lake_command(&["extract", "--task", task, "--model", &model.source, "--model-name", &model.name]);
    Some(format!("{command} makes it again"))
}
