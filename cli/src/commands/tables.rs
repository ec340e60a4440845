//! `tables`: the schema page, or a part of it.

use super::print;
use crate::args::TablesArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::suggestion::suggest;
use hypercolumn_schemas::{Table, schema_page, tables};

pub fn run(args: &TablesArgs) -> Result<Exit, Failure> {
    let chosen = match args.names.as_slice() {
        [] => tables::ALL.to_vec(),
        names => names.iter().map(|name| find(name)).collect::<Result<_, _>>()?,
    };
    print(&schema_page(&chosen))?;
    Ok(Exit::Success)
}

fn find(name: &str) -> Result<&'static Table, Failure> {
    tables::by_name(name).ok_or_else(|| {
        Failure::usage(format!("could not describe `{name}`"))
            .because("the lake has no such table")
            .hint(suggest(name, "tables", &tables::ALL.map(|t| t.name)))
    })
}
