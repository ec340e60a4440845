//! The report: one self-contained HTML file that says what a lake holds about one model, in sentences made
//! from the numbers, in figures, and in the SQL that gives the numbers again.
//!
//! Every section reads result tables through the [`crate::Catalog`] and nothing else. What it
//! computes itself is small: intervals of behaviour (a bootstrap over items), the similarity matrices of
//! one layer, and the correction over layers behind the sentences. A sentence claims a change only where
//! the interval excludes zero and the corrected p-value is below .05; otherwise it says that there is none.
//!
//! What this module leaves to others: all results (the rest of this crate), where the file goes and how
//! its path is printed (the command line).
//!
//! | module | part of the page |
//! | --- | --- |
//! | [`behavior`] … [`associations`] | a section each |
//! | [`figure`], [`page`] | data of figures and sections, and their HTML |
//! | [`chart`] | plots for plotly.js, which is in the file once and draws what comes into view |
//! | [`question`] | SQL files filled with literals, so that the SQL shown is the SQL run |
//! | [`layers`], [`wording`] | from numbers to sentences |
//! | [`plot_data`], [`shell`] | texts of the user's data in plots and in commands; HTML is escaped by maud |

mod alignment;
mod associations;
mod attention;
mod behavior;
mod chart;
mod conditions;
mod error;
mod figure;
mod layers;
mod matrices;
mod page;
mod palette;
mod plot_data;
mod probes;
mod provenance;
mod question;
mod resampling;
mod shell;
mod wording;

pub use error::ReportError;

use crate::catalog::Catalog;
use conditions::{Conditions, read_conditions};
use page::Page;
use std::fs;
use std::path::Path;

/// A hypothesis as the study wrote it.
#[derive(Clone, Debug, Default)]
pub struct HypothesisText {
    /// The task.
    pub task: String,
    /// Its name, as in table `rsa`.
    pub name: String,
    /// SQL over pairs of prompts `a` and `b`.
    pub sql: String,
    /// Whether it is a control, which should not rise with examples.
    pub is_control: bool,
}

/// What a report is about.
#[derive(Clone, Debug, Default)]
pub struct ReportRequest {
    /// Title of the page, e.g. the study's name.
    pub title: String,
    /// The model, as the partitions of the lake spell it.
    pub model: String,
    /// The study's hypotheses; without them there are no similarity matrices.
    pub hypotheses: Vec<HypothesisText>,
    /// Further lines for the provenance: name and value, e.g. the study file, elapsed times.
    pub facts: Vec<(String, String)>,
    /// The `--lake` argument that commands need; `None` for the default lake.
    pub lake_argument: Option<String>,
}

/// A report that was written.
#[derive(Clone, Debug)]
pub struct WrittenReport {
    /// Size of the file.
    pub n_bytes: u64,
    /// Figures in it.
    pub n_figures: usize,
    /// The summary, one paragraph.
    pub summary: String,
    /// What the summary rests on, task by task.
    pub findings: Vec<Finding>,
}

/// One thing that the tables say about one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The task.
    pub task: String,
    /// What it is about, one word.
    pub topic: &'static str,
    /// Full sentences with numbers and intervals.
    pub text: String,
    /// The same as a clause for the summary; empty where it is not in it.
    pub brief: String,
}

impl ReportRequest {
    /// The SQL of a hypothesis.
    fn hypothesis_sql(&self, task: &str, name: &str) -> Option<&str> {
        self.hypotheses.iter().find(|h| h.task == task && h.name == name).map(|h| h.sql.as_str())
    }

    /// Whether a hypothesis is a control: the study says so, or its name does.
    fn is_control(&self, task: &str, name: &str) -> bool {
        let declared = self.hypotheses.iter().any(|h| h.task == task && h.name == name && h.is_control);
        declared || name.to_lowercase().contains("control")
    }

    /// That a table has no rows, and the command that makes them.
    fn missing(&self, table: &str, command: &str) -> String {
        let lake = shell::lake_option(self.lake_argument.as_deref());
        format!(
            "Table `{table}` has no rows for model `{}` yet. `hypercolumn {command}{lake}` makes them.",
            self.model
        )
    }
}

/// Writes the report to `path`, replacing what was there only when the new page is whole.
///
/// # Errors
/// [`ReportError::Question`] when DuckDB cannot answer, [`ReportError::Write`] when the file cannot be
/// written. Empty tables are no error: their sections say which command fills them.
pub fn write_report(
    catalog: &Catalog,
    request: &ReportRequest,
    path: &Path,
) -> Result<WrittenReport, ReportError> {
    let (html, report) = build_page(catalog, request)?;
    let refused = |source| ReportError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(refused)?;
    }
    let mut staging = path.as_os_str().to_owned();
    staging.push(format!(".{}.partial", std::process::id()));
    let staging = Path::new(&staging);
    let written = fs::write(staging, &html).and_then(|()| fs::rename(staging, path));
    if let Err(source) = written {
        // Best effort: the error that is reported is the one that matters.
        let _ = fs::remove_file(staging);
        return Err(refused(source));
    }
    Ok(report)
}

fn build_page(catalog: &Catalog, request: &ReportRequest) -> Result<(String, WrittenReport), ReportError> {
    let tasks = read_conditions(catalog, &request.model)?;
    let behavior = behavior::behavior_section(catalog, request, &tasks)?;
    let (alignment, chosen) = alignment::alignment_section(catalog, request, &tasks)?;
    let matrices = matrices::matrices_section(catalog, request, &tasks, &chosen)?;
    let probes = probes::probes_section(catalog, request, &tasks)?;
    let attention = attention::attention_section(catalog, request, &tasks)?;
    let associations = associations::associations_section(catalog, request, &tasks)?;
    let sections = vec![behavior, alignment, matrices, probes, attention, associations];
    let findings: Vec<Finding> = tasks
        .iter()
        .flat_map(|t| sections.iter().flat_map(|s| &s.findings).filter(|f| f.task == t.task))
        .cloned()
        .collect();
    let summary = summarize(request, &tasks, &findings);
    let title = if request.title.is_empty() { "In-context learning report" } else { &request.title };
    let page = Page {
        title,
        subtitle: subtitle(request, &tasks),
        summary: &summary,
        findings: &findings,
        sections,
        provenance: provenance::render_provenance(catalog, request)?,
        lake: request.lake_argument.as_deref(),
    };
    let (html, n_figures) = page.render()?;
    let n_bytes = html.len() as u64;
    Ok((html, WrittenReport { n_bytes, n_figures, summary, findings }))
}

fn subtitle(request: &ReportRequest, tasks: &[Conditions]) -> String {
    let names = |conditions: &Conditions| {
        let series: Vec<&str> = conditions.series().map(|c| c.name.as_str()).collect();
        format!("{} ({})", conditions.task, series.join(", "))
    };
    let tasks: Vec<String> = tasks.iter().map(names).collect();
    if tasks.is_empty() {
        return format!("Model {}; no prompts yet.", request.model);
    }
    format!("Model {}; {}.", request.model, tasks.join("; "))
}

/// The summary: the findings' clauses in one paragraph.
fn summarize(request: &ReportRequest, tasks: &[Conditions], findings: &[Finding]) -> String {
    let mut text = String::new();
    for conditions in tasks {
        let of_task = findings.iter().filter(|f| f.task == conditions.task && !f.brief.is_empty());
        let clauses: Vec<&str> = of_task.map(|f| f.brief.as_str()).collect();
        if clauses.is_empty() {
            continue;
        }
        let ends = conditions.ends();
        let contrast = ends.map_or_else(String::new, |(a, b)| format!(", {}", conditions::contrast(a, b)));
        text.push_str(&format!("In {}{contrast}: {}. ", conditions.task, clauses.join("; ")));
    }
    if text.is_empty() {
        return format!("There are no results yet. {}", request.missing("behavior", "run"));
    }
    format!(
        "{text}A change is called one only where its interval excludes 0 and it survives the correction of its \
         family; {} is one model, and other models may differ.",
        request.model
    )
}
