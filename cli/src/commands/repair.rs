//! `repair`: what is lost is said, what is left is kept, and work can go on.

use super::{open, print};
use crate::args::RepairArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::invocation::lake_command;
use crate::progress::Reporter;

pub fn run(args: &RepairArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("repair lake", args.lake.lake.display());
    let plan = if args.plan { lake.plan_repair() } else { lake.repair() }.map_err(refuse())?;
    let mut text: String = plan.findings.iter().map(|finding| format!("{finding}\n")).collect();
    for slot in &plan.removes {
        text.push_str(&format!("lost: {slot}\n"));
    }
    print(&text)?;
    reporter.say(&match (plan.is_empty(), args.plan) {
        (true, _) => "nothing to repair".to_owned(),
        (false, true) => format!("{} takes what is lost off the record", lake_command(&["repair"])),
        (false, false) => "what is lost is off the record; the stages compute it again".to_owned(),
    });
    Ok(if args.plan && !plan.is_empty() { Exit::Damage } else { Exit::Success })
}
