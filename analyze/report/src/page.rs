//! The page: one file with its style, its plots and the script that draws them. Nothing is fetched, and a
//! content policy makes sure of it: only the page's own scripts run, known by a nonce that depends on the
//! content, and no address can be reached.

use super::error::ReportError;
use super::figure::{Numbering, Section};
use super::request::Finding;
use hypercolumn_schemas::content_key;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const DRAW: &str = include_str!("draw.js");

/// What stands on the page, in order.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// Line under the title: model, tasks, counts.
    pub(super) subtitle: String,
    /// The summary.
    pub(super) summary: &'a str,
    /// What it rests on, task by task.
    pub(super) findings: &'a [Finding],
    /// The section of prompts.
    pub(super) prompts: Markup,
    pub(super) sections: Vec<Section>,
    /// The section of methods.
    pub(super) methods: Markup,
    /// The section of provenance.
    pub(super) provenance: Markup,
    /// The `--lake` argument of commands.
    pub(super) lake: Option<&'a str>,
}

impl Page<'_> {
    /// The page as HTML, and the number of its figures.
    ///
    /// # Errors
    /// [`ReportError::PlottingScript`].
    pub(super) fn render(&self) -> Result<(String, usize), ReportError> {
        let mut numbering = Numbering::default();
        let main = html! {
            (self.render_head())
            (self.prompts)
            @for section in &self.sections { (section.render(&mut numbering, self.lake)) }
            (self.methods)
            (self.provenance)
        };
        let main = PreEscaped(without_controls(&main.into_string()));
        let nonce = content_key(&main.0);
        let plotly = PreEscaped(plotting_script()?);
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data: blob:; \
             base-uri 'none'; form-action 'none'"
        );
        let body = html! {
            a.skip href="#main" { "Skip to the report" }
            (self.render_contents())
            main #main { (main) }
            script nonce=(nonce) { (plotly) }
            script nonce=(nonce) { (PreEscaped(DRAW)) }
        };
        let page = document(self.title, &policy, STYLE, &body);
        Ok((page.into_string(), numbering.n_figures))
    }

    fn render_head(&self) -> Markup {
        html! {
            header {
                h1 { (self.title) }
                p.subtitle { (self.subtitle) }
            }
            section #summary aria-labelledby="summary-title" {
                h2 #summary-title { "In short" }
                p.lead { (self.summary) }
                (self.render_findings())
                noscript {
                    p.missing {
                        "The plots are drawn by a script inside this file, which is switched off here. The \
                         sentences, tables and SQL can be read without it."
                    }
                }
            }
        }
    }

    fn render_findings(&self) -> Markup {
        html! {
            div.findings {
                @for of_task in self.findings.chunk_by(|a, b| a.task == b.task) {
                    div {
                        h3 { (of_task[0].task) }
                        dl {
                            @for finding in of_task {
                                dt { (finding.topic) }
                                dd { (finding.text) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn render_contents(&self) -> Markup {
        html! {
            nav aria-label="Contents" {
                p.brand { "hypercolumn" }
                ol {
                    li { a href="#summary" { "In short" } }
                    li { a href="#prompts" { "Prompts" } }
                    @for section in &self.sections {
                        li { a href={ "#" (section.id) } { (section.title) } }
                    }
                    li { a href="#methods" { "Methods" } }
                    li { a href="#provenance" { "Provenance" } }
                }
            }
        }
    }
}

/// A file of HTML with its style, which may do what the content policy says.
pub(super) fn document(title: &str, policy: &str, style: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (without_controls(title)) }
                style { (PreEscaped(style)) }
            }
            body { (body) }
        }
    }
}

/// `text` with U+FFFD in place of control characters, which HTML does not allow; line breaks and tabs stay.
pub(super) fn without_controls(text: &str) -> String {
    let is_allowed = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect()
}

/// plotly.js out of the plotly crate, without the typesetting script that comes with it (2 MB, not used).
fn plotting_script() -> Result<String, ReportError> {
    let sources = plotly::Plot::offline_js_sources();
    let scripts = sources.split("</script>").filter_map(|s| s.split_once('>').map(|(_, script)| script));
    let is_plotly = |script: &&str| script.get(..200).is_some_and(|head| head.contains("plotly.js v"));
    let script = scripts.into_iter().find(is_plotly).ok_or(ReportError::PlottingScript)?;
    Ok(script.to_owned())
}
