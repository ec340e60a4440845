//! Where the numbers come from: the lake's commits with everything that their stages recorded.

use super::error::ReportError;
use super::figure::TextTable;
use super::question::{Question, question};
use super::request::ReportRequest;
use super::wording::{count, thousands};
use hypercolumn_catalog::answer::Parameter;
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_schemas::Commit;
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;

const MOMENT: Question = question!("report_commit_times");

/// A list longer than this is cut.
const MAX_LIST: usize = 40;

/// The section as HTML.
///
/// # Errors
/// When a date cannot be worked out.
pub(super) fn render_provenance(catalog: &Catalog, request: &ReportRequest) -> Result<Markup, ReportError> {
    let mut rows = vec![vec!["model".to_owned(), request.model.clone()]];
    rows.extend(request.facts.iter().map(|fact| vec![fact.name.clone(), fact.value.clone()]));
    rows.push(vec!["report written by".to_owned(), format!("hypercolumn {}", env!("CARGO_PKG_VERSION"))]);
    let groups = group_commits(catalog, request);
    let missing = groups.is_empty().then(|| request.missing("commits", "run"));
    let mut tables = Vec::new();
    for (name, commits) in in_order_of_work(groups) {
        tables.push((name, tabulate_group(catalog, &commits)?));
    }
    Ok(html! {
        section #provenance aria-labelledby="provenance-title" {
            h2 #provenance-title { "Provenance" }
            p.question {
                "What made the numbers above: model, settings, versions, seeds and times, as each stage recorded \
                 them with its files."
            }
            h3 { "This report" }
            (table("This report", rows).render())
            @if let Some(missing) = &missing { p.missing { (missing) } }
            div.commits {
                @for (name, table) in &tables {
                    div { h3 { (name) } (table.render()) }
                }
            }
        }
    })
}

fn table(caption: &str, rows: Vec<Vec<String>>) -> TextTable {
    let head = vec!["what".to_owned(), "value".to_owned()];
    TextTable { caption: caption.to_owned(), head, rows }
}

/// Commits that the page is about with equal details together: shards of one piece of work differ in little else.
fn group_commits<'a>(catalog: &'a Catalog, request: &ReportRequest) -> BTreeMap<String, Vec<&'a Commit>> {
    let mut groups: BTreeMap<String, Vec<&Commit>> = BTreeMap::new();
    for commit in catalog.snapshot().commits().filter(|commit| request.concerns(&commit.slot)) {
        groups.entry(commit.slot.without_shard()).or_default().push(commit);
    }
    groups
}

/// Groups in the order in which their last commits were made.
fn in_order_of_work(groups: BTreeMap<String, Vec<&Commit>>) -> Vec<(String, Vec<&Commit>)> {
    let mut ordered: Vec<_> = groups.into_iter().collect();
    ordered.sort_by_key(|(_, commits)| commits.iter().map(|c| c.sequence).max());
    ordered
}

fn tabulate_group(catalog: &Catalog, commits: &[&Commit]) -> Result<TextTable, ReportError> {
    let Some(first) = commits.first() else { return Ok(TextTable::default()) };
    let files = || commits.iter().flat_map(|c| &c.files);
    let newest = commits.iter().map(|c| c.committed_at_s).max().unwrap_or(0);
    let moment = MOMENT.ask(catalog, &[("seconds", Parameter::Integer(newest as i64))])?;
    let moment = match moment.rows().next() {
        Some(row) => row.text("moment")?.to_owned(),
        None => String::new(),
    };
    let n_rows: u64 = files().map(|f| f.n_rows).sum();
    let n_bytes: u64 = files().map(|f| f.n_bytes).sum();
    let mut rows = vec![
        vec!["committed".to_owned(), moment],
        vec!["program".to_owned(), format!("hypercolumn {}", first.program)],
        vec!["key".to_owned(), first.key.clone()],
        vec![
            "files".to_owned(),
            format!(
                "{}, {}, {:.1} MB",
                count(files().count(), "file"),
                count(n_rows as usize, "row"),
                n_bytes as f64 / 1e6
            ),
        ],
    ];
    if commits.len() > 1 {
        let text = format!("{}; the details are those of {}", thousands(commits.len()), first.slot);
        rows.push(vec!["commits".to_owned(), text]);
    }
    flatten("", &first.details.to_json(), &mut rows);
    Ok(table(&first.slot.to_string(), rows))
}

/// Every leaf of `value` as a row: its path, its value.
fn flatten(path: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let leaf = |text: String, rows: &mut Vec<Vec<String>>| {
        let name = if path.is_empty() { "details" } else { path };
        rows.push(vec![name.to_owned(), text]);
    };
    match value {
        Value::Null if path.is_empty() => {}
        Value::Null => leaf("–".to_owned(), rows),
        Value::String(text) => leaf(text.clone(), rows),
        Value::Object(entries) => {
            for (name, entry) in entries {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, entry, rows);
            }
        }
        Value::Array(entries) if entries.iter().any(|e| e.is_object() || e.is_array()) => {
            for (i, entry) in entries.iter().enumerate().take(MAX_LIST) {
                flatten(&format!("{path}[{i}]"), entry, rows);
            }
            if entries.len() > MAX_LIST {
                leaf(format!("… {} more", entries.len() - MAX_LIST), rows);
            }
        }
        Value::Array(entries) => {
            let texts = entries
                .iter()
                .take(MAX_LIST)
                .map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned));
            let mut text = texts.collect::<Vec<_>>().join(", ");
            if entries.len() > MAX_LIST {
                text.push_str(&format!(", … {} more", entries.len() - MAX_LIST));
            }
            leaf(text, rows);
        }
        other => leaf(other.to_string(), rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_of_any_shape_become_rows() {
        let mut rows = Vec::new();
        let details = serde_json::json!({"model": {"sha256": "ab", "layers": 30}, "seeds": [1, 2], "x": null,
            "timings": [{"stage": "a", "ms": 3}]});
        flatten("", &details, &mut rows);
        let text: Vec<String> = rows.iter().map(|r| r.join("=")).collect();
        assert_eq!(
            text,
            [
                "model.sha256=ab",
                "model.layers=30",
                "seeds=1, 2",
                "x=–",
                "timings[0].stage=a",
                "timings[0].ms=3"
            ]
        );
    }
}
