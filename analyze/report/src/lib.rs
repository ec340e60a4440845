//! The report: one self-contained HTML file that says what a lake holds about one model, in sentences made
//! from the numbers, in figures, and in the SQL that gives the numbers again.
//!
//! Every section reads result tables through the [`Catalog`] and nothing else. What it
//! computes itself is small: intervals of behaviour (a bootstrap over clusters), the similarity matrices of
//! one layer, and the correction over layers behind the sentences. A sentence claims a change only where
//! the interval excludes zero and the corrected p-value is below .05; otherwise it says that there is none.
//!
//! What this crate leaves to others: all results (the analyses), which sections a page has and its file
//! (the stage), and how the file's path is printed (the command line).
//!
//! | module | part of the page |
//! | --- | --- |
//! | [`sections`] | one module a section; the analyses call them |
//! | [`request`] | what a report is about |
//! | [`figure`], [`page`] | data of figures and sections, and their HTML |
//! | [`chart`] | plots for plotly.js, which is in the file once and draws what comes into view |
//! | [`question`] | SQL files with parameters by name, and the same SQL with literals for the reader |
//! | [`layers`], [`declared_contrasts`], [`wording`] | from numbers to sentences |
//! | [`prompt_texts`], [`methods`], [`provenance`] | what the model read, the methods in words, what the commits recorded |
//! | [`prompt_page`] | a page of its own with one prompt, for the command line |
//! | [`plot_data`], [`shell`] | texts of the user's data in plots and in commands; HTML is escaped by maud |

mod chart;
mod conditions;
mod declared_contrasts;
mod error;
pub mod figure;
mod layers;
mod methods;
mod page;
mod palette;
mod plot_data;
mod prompt_page;
mod prompt_texts;
mod provenance;
mod question;
mod request;
mod resampling;
pub mod sections;
mod shell;
mod wording;

pub use error::ReportError;
pub use prompt_page::{PromptPage, ShownToken, TokenTable};
pub use request::{Fact, Finding, ModelRdmText, ReportRequest, TaskCluster, TaskReference};

use conditions::{Conditions, read_conditions};
use figure::Section;
use hypercolumn_catalog::catalog::Catalog;
use page::Page;
use sections::SectionInputs;

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

/// A page of HTML that is in no file yet.
pub struct ComposedPage {
    /// Text of the file.
    pub html: String,
    /// What the file holds.
    pub report: WrittenReport,
}

/// Makes the page of the sections that `ask` gives.
///
/// # Errors
/// [`ReportError::Question`] when DuckDB cannot answer. Empty tables are no error: their sections say which command
/// fills them.
pub fn compose(
    catalog: &Catalog,
    request: &ReportRequest,
    ask: impl Fn(SectionInputs<'_>) -> Result<Vec<Section>, ReportError>,
) -> Result<ComposedPage, ReportError> {
    let tasks = read_conditions(catalog, request)?;
    let sections = ask(SectionInputs { catalog, request, tasks: &tasks })?;
    let findings: Vec<Finding> = tasks
        .iter()
        .flat_map(|t| sections.iter().flat_map(|s| &s.findings).filter(|f| f.task == t.task))
        .cloned()
        .collect();
    let summary = summarize(request, &tasks, &findings);
    let title = if request.study.is_empty() { "In-context learning report" } else { &request.study };
    let page = Page {
        title,
        subtitle: subtitle(request, &tasks),
        summary: &summary,
        findings: &findings,
        prompts: prompt_texts::render_prompt_texts(catalog, request, &tasks)?,
        sections,
        methods: methods::render_methods(catalog, request, &tasks)?,
        provenance: provenance::render_provenance(catalog, request)?,
        lake: request.lake_argument.as_deref(),
    };
    let (html, n_figures) = page.render()?;
    let n_bytes = html.len() as u64;
    Ok(ComposedPage { html, report: WrittenReport { n_bytes, n_figures, summary, findings } })
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
