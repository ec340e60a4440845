//! One command a file.

mod analyze;
mod completions;
mod diff;
mod drop;
mod extract;
mod findings;
mod gc;
mod history;
mod ingest;
mod keys;
mod man;
pub mod models;
mod plan;
mod prompts;
mod repair;
mod report;
mod run;
mod sql;
mod stale;
mod status;
mod steps;
mod tables;
mod verify;
mod why;

use crate::args::{Args, Command};
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::invocation::lake_command;
use crate::progress::Reporter;
use hypercolumn_schemas::{Lake, Snapshot};
use std::io::{self, Write};
use std::path::Path;

/// Carries out the command.
///
/// # Errors
/// The failure of the command.
pub fn dispatch(args: Args) -> Result<Exit, Failure> {
    let reporter = if args.quiet { Reporter::quiet() } else { Reporter::new() };
    match args.command {
        Command::Run(args) => run::run(&args, &reporter),
        Command::Ingest(args) => ingest::run(&args, &reporter),
        Command::Prompts(args) => prompts::run(&args, &reporter),
        Command::Extract(args) => extract::run(&args, &reporter),
        Command::Analyze(args) => analyze::run(&args, &reporter),
        Command::Report(args) => report::run(&args, &reporter),
        Command::Sql(args) => sql::run(&args, &reporter),
        Command::Status(args) => status::run(&args, &reporter),
        Command::Diff(args) => diff::run(&args, &reporter),
        Command::Plan(args) => plan::run(&args, &reporter),
        Command::Verify(args) => verify::run(&args),
        Command::Drop(args) => drop::run(&args, &reporter),
        Command::Gc(args) => gc::run(&args, &reporter),
        Command::Repair(args) => repair::run(&args, &reporter),
        Command::History(args) => history::run(&args, &reporter),
        Command::Models(args) => models::run(&args, &reporter),
        Command::Tables(args) => tables::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Keys(args) => keys::run(&args),
    }
}

/// Opens an existing lake.
fn open(path: &Path) -> Result<Lake, Failure> {
    Lake::open(path).map_err(could_not("open lake", path.display()))
}

/// Opens a lake, creating it where there is no directory.
fn create(path: &Path) -> Result<Lake, Failure> {
    Lake::create(path).map_err(could_not("open lake", path.display()))
}

/// Warns where the log is not as it was written; the exit code of a command that read on.
fn warn_of_log(snapshot: &Snapshot, reporter: &Reporter) -> Exit {
    let Some(first) = snapshot.problems().first() else { return Exit::Success };
    let more = match snapshot.problems().len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let repair = lake_command(&["repair", "--plan"]);
    reporter.warn(&format!("the log is damaged: {first}{more}; {repair} says what is lost"));
    Exit::Damage
}

/// Writes data to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes a value to standard output as JSON for people and programs.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).expect("plain data serializes to JSON");
    print(&format!("{json}\n"))
}
