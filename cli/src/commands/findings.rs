//! The headline findings: behaviour by condition, and where along the layers each measure changes most.

use super::print;
use crate::failure::{Failure, could_not};
use crate::output::render;
use crate::progress::Reporter;
use crate::resolve::ResolvedStudy;
use hypercolumn_analyze::{Catalog, Parameter, query_named};
use hypercolumn_schemas::Lake;

/// Each table: its title and its question.
const TABLES: [(&str, &str); 2] = [
    ("Answers by condition", include_str!("../../queries/findings_behavior.sql")),
    (
        "Largest change from fewest to most examples, over layers (the report has intervals and p-values)",
        include_str!("../../queries/findings_changes.sql"),
    ),
];

/// Prints the findings of a study about its tasks.
pub fn show(lake: &Lake, study: &ResolvedStudy, reporter: &Reporter) -> Result<(), Failure> {
    let refuse = || could_not("read lake", lake.root().display());
    let catalog = Catalog::open(lake).map_err(refuse())?;
    let tasks: Vec<_> = study.tasks.iter().map(|task| task.name.clone()).collect();
    let parameters = [
        ("study", Parameter::Text(&study.name)),
        ("model", Parameter::Text(&study.model.name)),
        ("tasks", Parameter::Texts(&tasks)),
    ];
    for (title, sql) in TABLES {
        let answer = query_named(&catalog, sql, &parameters).map_err(refuse())?;
        if answer.n_rows() > 0 {
            print(&format!("\n{title}\n{}", render(&answer, reporter)?))?;
        }
    }
    Ok(())
}
