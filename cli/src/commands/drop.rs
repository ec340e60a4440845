//! `drop`: a task, a model or a study leaves the lake.

use super::{open, print};
use crate::args::DropArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output::format_count;
use crate::progress::Reporter;
use crate::suggestion::suggest;
use hypercolumn_schemas::{Commit, FileEntry, Slot, Snapshot};
use std::collections::BTreeSet;

/// The name of a slot's task, model or study.
type NameOf = fn(&Slot) -> Option<&str>;

pub fn run(args: &DropArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("drop from lake", args.lake.lake.display());
    let snapshot = lake.snapshot().map_err(refuse())?;
    let asked: [(&str, &Option<String>, NameOf); 3] = [
        ("task", &args.task, |slot| Some(slot.task())),
        ("model", &args.model, Slot::model),
        ("study", &args.study, study),
    ];
    for (kind, name, name_of) in &asked {
        if let Some(name) = name {
            check(&snapshot, kind, name, *name_of)?;
        }
    }
    let is_dropped = |commit: &&Commit| {
        asked.iter().all(|(_, name, name_of)| name.is_none() || name_of(&commit.slot) == name.as_deref())
    };
    let dropped: Vec<&Commit> = snapshot.commits().filter(is_dropped).collect();
    print(&dropped.iter().map(|commit| format!("{}\n", commit.slot)).collect::<String>())?;
    let files = || dropped.iter().flat_map(|commit| &commit.files);
    let n_bytes = files().map(|file: &FileEntry| file.n_bytes).sum();
    let sum = format!("{} files, {} bytes", format_count(files().count() as u64), format_count(n_bytes));
    if args.yes && !dropped.is_empty() {
        let slots = dropped.iter().map(|commit| commit.slot.clone()).collect();
        lake.drop_slots(slots).map_err(refuse())?;
        reporter.say(&format!("{sum} dropped"));
    } else {
        reporter.say(&format!("{sum} would be dropped; with --yes they are"));
    }
    Ok(Exit::Success)
}

fn study(slot: &Slot) -> Option<&str> {
    if let Slot::Analyze { study, .. } = slot { Some(study) } else { None }
}

/// Refuses a name that no slot has.
fn check(snapshot: &Snapshot, kind: &str, name: &str, name_of: NameOf) -> Result<(), Failure> {
    let known: BTreeSet<&str> = snapshot.commits().filter_map(|commit| name_of(&commit.slot)).collect();
    if known.contains(name) {
        return Ok(());
    }
    let known: Vec<&str> = known.into_iter().collect();
    Err(Failure::usage(format!("the lake has no {kind} `{name}`")).hint(suggest(name, kind, &known)))
}
