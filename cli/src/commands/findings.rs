//! The headline findings: behaviour by condition, and where along the layers each measure changes most.

use super::print;
use crate::failure::{Failure, could_not};
use crate::output::render;
use crate::progress::Reporter;
use hypercolumn_analyze::{Catalog, query};
use hypercolumn_schemas::Lake;

/// Each table: its title and its question.
const TABLES: [(&str, &str); 2] = [
    ("Answers by condition", include_str!("../../queries/findings_behavior.sql")),
    (
        "Largest change from fewest to most examples, over layers (the report has intervals and p-values)",
        include_str!("../../queries/findings_changes.sql"),
    ),
];

/// Prints the findings about one model's reading of `tasks`.
pub fn show(lake: &Lake, model: &str, tasks: &[String], reporter: &Reporter) -> Result<(), Failure> {
    let refuse = || could_not("read lake", lake.root().display());
    let catalog = Catalog::open(lake).map_err(refuse())?;
    let list: Vec<_> = tasks.iter().map(|t| literal(t)).collect();
    for (title, sql) in TABLES {
        let sql = sql.replace("$model", &literal(model)).replace("$tasks", &format!("[{}]", list.join(", ")));
        let answer = query(&catalog, &sql).map_err(refuse())?;
        if answer.n_rows() > 0 {
            print(&format!("\n{title}\n{}", render(&answer, reporter)?))?;
        }
    }
    Ok(())
}

/// `text` as an SQL string.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
