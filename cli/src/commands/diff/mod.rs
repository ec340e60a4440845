//! `diff`: two entries of the log, two studies or two models: the settings that differ, and the numbers.

mod side;
mod tables;

use super::{open, print, print_json, warn_of_log};
use crate::args::DiffArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output::{draw, format_count};
use crate::progress::Reporter;
use crate::suggestion::suggest;
use hypercolumn_analyze::Catalog;
use hypercolumn_schemas::{Change, changes, tables as lake_tables};
use serde::Serialize;
use side::Side;
use tables::{Cell, TableDiff};

/// What differs.
#[derive(Serialize)]
struct Diff {
    a: String,
    b: String,
    /// Settings, code versions and inputs that differ.
    settings: Vec<Change>,
    /// Tables that both have.
    tables: Vec<TableDiff>,
    /// Why tables are not compared.
    remarks: Vec<String>,
}

pub fn run(args: &DiffArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("read lake", args.lake.lake.display());
    check_tables(&args.table)?;
    let (entries, snapshot) = lake.history().map_err(refuse())?;
    let [a, b] = [&args.a, &args.b].map(|text| Side::read(text, &entries, &snapshot));
    let (a, b) = (a?, b?);
    if a.kind != b.kind {
        return Err(Failure::usage(format!("could not compare `{}` with `{}`", a.label, b.label))
            .because("they are of different kinds")
            .hint("compare two numbers of entries, two `study:NAME` or two `model:NAME`"));
    }
    let exit = warn_of_log(&snapshot, reporter);
    let mut tables = Vec::new();
    let compared = a.tables.iter().filter(|table| b.tables.contains(table));
    let compared: Vec<&str> = compared
        .copied()
        .filter(|name| args.table.is_empty() || args.table.iter().any(|t| t == name))
        .collect();
    if a.remark.is_none() && b.remark.is_none() {
        let catalog = Catalog::open(&lake).map_err(could_not("read lake", args.lake.lake.display()))?;
        for name in compared {
            tables.extend(tables::compare(&catalog, name, [&a, &b], args.rows)?);
        }
    }
    let diff = Diff {
        settings: changes(&a.settings, &b.settings),
        tables,
        remarks: [a.remark, b.remark].into_iter().flatten().collect(),
        a: a.label,
        b: b.label,
    };
    match args.json {
        true => print_json(&diff)?,
        false => print(&describe(&diff))?,
    }
    Ok(exit)
}

fn check_tables(names: &[String]) -> Result<(), Failure> {
    let known: Vec<&str> = lake_tables::ALL.into_iter().map(|table| table.name).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Failure::usage(format!("could not compare table `{name}`"))
            .because("there is no such table")
            .hint(suggest(name, "tables", &known))),
    }
}

fn describe(diff: &Diff) -> String {
    let mut text = format!("a: {}\nb: {}\n", diff.a, diff.b);
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
    match diff.settings.is_empty() {
        true => text.push_str("no setting differs\n"),
        false => {
            let row = |change: &Change| vec![change.path.clone(), shown(&change.before), shown(&change.now)];
            let rows: Vec<_> = diff.settings.iter().map(row).collect();
            text.push_str(&draw(&["setting", "a", "b"], &rows, &[]));
        }
    }
    for remark in &diff.remarks {
        text.push_str(&format!("{remark}\n"));
    }
    for table in &diff.tables {
        text.push_str(&describe_table(table));
    }
    if diff.tables.is_empty() && diff.remarks.is_empty() {
        text.push_str("no table has rows of both\n");
    }
    text
}

fn describe_table(diff: &TableDiff) -> String {
    let count = |n: u64| format_count(n);
    let mut text = format!(
        "\n{}: {} rows in both, {} in a alone, {} in b alone, {} differ\n",
        diff.table,
        count(diff.n_both),
        count(diff.n_only_a),
        count(diff.n_only_b),
        count(diff.n_differing)
    );
    if diff.columns.is_empty() {
        return text;
    }
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let columns =
        diff.columns.iter().map(|c| vec![c.column.clone(), count(c.n), number(c.largest_difference)]);
    let heads = ["column", "rows that differ", "largest difference"];
    text.push_str(&draw(&heads, &columns.collect::<Vec<_>>(), &[1, 2]));
    let cell = |cell: &Cell| {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
        vec![cell.row.clone(), cell.column.clone(), shown(&cell.a), shown(&cell.b), number(cell.difference)]
    };
    let cells: Vec<_> = diff.cells.iter().map(cell).collect();
    text.push_str(&draw(&["row", "column", "a", "b", "b - a"], &cells, &[2, 3, 4]));
    text
}
