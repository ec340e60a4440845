//! `gc`: files that no commit lists and no living writer holds, which killed runs left behind.

use super::{open, print};
use crate::args::GcArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::invocation::lake_command;
use crate::output::format_count;
use crate::progress::Reporter;

pub fn run(args: &GcArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("collect the garbage of", args.lake.lake.display());
    let garbage = lake.garbage().map_err(refuse())?;
    let n_bytes: u64 = garbage.files.iter().map(|file| file.n_bytes).sum();
    print(&garbage.files.iter().map(|file| format!("{}\n", file.path)).collect::<String>())?;
    for link in &garbage.links {
        reporter.say(&format!("`{link}` is a link, which is left alone"));
    }
    if garbage.n_writers > 0 {
        reporter.say(&format!("{} writers are at work; what they hold is kept", garbage.n_writers));
    }
    let sum = format!("{} files, {} bytes", format_count(garbage.files.len() as u64), format_count(n_bytes));
    if args.yes {
        garbage.remove().map_err(refuse())?;
        reporter.say(&format!("{sum} removed"));
    } else if garbage.files.is_empty() {
        reporter.say("nothing to remove");
    } else {
        reporter.say(&format!("{sum} could be removed: {} does it", lake_command(&["gc", "--yes"])));
    }
    Ok(Exit::Success)
}
