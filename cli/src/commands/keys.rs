//! `keys`: the page of a study's keys, a part of it, or a JSON Schema of them.

use super::{print, print_json};
use crate::args::KeysArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::study::{keys_page, section_names, study_schema};
use crate::suggestion::suggest;

pub fn run(args: &KeysArgs) -> Result<Exit, Failure> {
    if args.schema {
        print_json(&study_schema())?;
        return Ok(Exit::Success);
    }
    let known = section_names();
    if let Some(name) = args.names.iter().find(|name| !known.contains(name)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let failure = Failure::usage(format!("could not describe `{name}`"));
        return Err(failure.because("a study has no such table").hint(suggest(name, "names", &known)));
    }
    print(&keys_page(&args.names))?;
    Ok(Exit::Success)
}
