//! `verify`: every listed file against its checksum.

use super::{open, print, print_json};
use crate::args::LakeArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use serde_json::json;

pub fn run(args: &LakeArgs) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("verify lake", args.lake.lake.display());
    let n_files: usize = lake.survey().map_err(refuse())?.all_files().count();
    let findings = lake.verify().map_err(refuse())?;
    if args.json {
        let listed: Vec<_> =
            findings.iter().map(|f| json!({ "path": f.path, "problem": f.problem })).collect();
        print_json(&json!({ "n_files": n_files, "findings": listed }))?;
    } else {
        let mut text = String::new();
        for finding in &findings {
            text.push_str(&format!("{}: {}\n", finding.path, finding.problem));
        }
        let n_whole = n_files - findings.iter().filter(|f| !f.path.starts_with("_log/")).count();
        text.push_str(&format!("{n_whole} of {n_files} files are as their commits recorded them\n"));
        print(&text)?;
    }
    Ok(if findings.is_empty() { Exit::Success } else { Exit::Damage })
}
