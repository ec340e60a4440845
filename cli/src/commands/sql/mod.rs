//! `sql`: a query, answered in the format that was asked for, or a shell for many.

mod completion;
mod dot_command;
mod highlighting;
mod shell;

use super::stale::remedies;
use super::{open, warn_of_log};
use crate::args::SqlArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output;
use crate::progress::Reporter;
use hypercolumn_analyze::{Catalog, query};
use hypercolumn_schemas::{Snapshot, Stale, Table};

/// The query that stands for standard input.
const STDIN: &str = "-";

pub fn run(args: &SqlArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let text = match args.is_shell() {
        true => None,
        false => Some(read_query(args)?),
    };
    if text.is_some() {
        output::check_destination(args.format)?;
    }
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("open lake", args.lake.lake.display());
    let snapshot = lake.survey().map_err(refuse())?;
    if args.check {
        snapshot.all_files().try_for_each(|file| lake.check(file).map(drop)).map_err(refuse())?;
    }
    let exit = warn_of_log(&snapshot, reporter);
    let catalog =
        Catalog::of_snapshot(&lake, snapshot).map_err(could_not("open lake", args.lake.lake.display()))?;
    let Some(text) = text else {
        shell::run(&lake, catalog, args.format, reporter)?;
        return Ok(exit);
    };
    let answer = query(&catalog, &text).map_err(could_not("answer", text.trim()))?;
    warn_of_stale(catalog.snapshot(), &answer.tables, reporter);
    output::write(&answer, args.format, reporter)?;
    Ok(exit)
}

/// The query, from the command line, a file or standard input.
fn read_query(args: &SqlArgs) -> Result<String, Failure> {
    let unreadable = |source: String, error: &std::io::Error| {
        Failure::usage(format!("could not read a query from {source}")).because(error.to_string())
    };
    match (&args.sql, &args.file) {
        (Some(sql), _) if sql != STDIN => Ok(sql.clone()),
        (None, Some(path)) => {
            std::fs::read_to_string(path).map_err(|e| unreadable(format!("`{}`", path.display()), &e))
        }
        _ => std::io::read_to_string(std::io::stdin()).map_err(|e| unreadable("standard input".into(), &e)),
    }
}

/// Says which of the tables that were asked hold rows that do not follow from what the lake holds now.
fn warn_of_stale(snapshot: &Snapshot, tables: &[&'static Table], reporter: &Reporter) {
    let is_asked = |stale: &&Stale| {
        let files = snapshot.slot(&stale.slot).into_iter().flat_map(|commit| &commit.files);
        files.into_iter().any(|file| tables.iter().any(|table| table.name == file.table))
    };
    let stale = snapshot.stale();
    let mut asked = stale.iter().filter(is_asked);
    if let Some(Stale { slot, reason }) = asked.next() {
        let more = match asked.count() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let remedies: Vec<_> = remedies(snapshot, stale.iter().filter(is_asked));
        let parts = [format!("rows of {slot} are stale{more}: {reason}")].into_iter().chain(remedies);
        reporter.warn(&parts.collect::<Vec<_>>().join("; "));
    }
}
