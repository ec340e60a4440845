//! `sql`: one question, answered in the format that was asked for.

use super::{open, warn_of_log};
use crate::args::SqlArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output;
use crate::progress::Reporter;
use hypercolumn_analyze::{Catalog, query};

pub fn run(args: &SqlArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    output::check_destination(args.format)?;
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("open lake", args.lake.lake.display());
    let snapshot = lake.survey().map_err(refuse())?;
    if args.check {
        snapshot.all_files().try_for_each(|file| lake.check(file).map(drop)).map_err(refuse())?;
    }
    let exit = warn_of_log(&snapshot, reporter);
    let catalog =
        Catalog::of_snapshot(&lake, snapshot).map_err(could_not("open lake", args.lake.lake.display()))?;
    let answer = query(&catalog, &args.sql).map_err(could_not("answer", args.sql.trim()))?;
    output::write(&answer, args.format, reporter)?;
    Ok(exit)
}
