//! The page: one file with its style, its plots and the script that draws them. Nothing is fetched, and a
//! content policy makes sure of it: only the page's own scripts run, known by a nonce that depends on the
//! content, and no address can be reached.

use super::Finding;
use super::error::ReportError;
use super::escape::html;
use super::figure::{Numbering, Section};
use hypercolumn_schemas::content_key;
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
const DRAW: &str = include_str!("draw.js");

/// What stands on the page, in order.
pub(super) struct Page<'a> {
    /// Title.
    pub(super) title: &'a str,
    /// Line under the title: model, tasks, counts.
    pub(super) subtitle: String,
    /// The summary.
    pub(super) summary: &'a str,
    /// What it rests on, task by task.
    pub(super) findings: &'a [Finding],
    /// Sections.
    pub(super) sections: Vec<Section>,
    /// Provenance as HTML.
    pub(super) provenance: String,
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
        let mut body = self.render_head();
        for section in &self.sections {
            body.push_str(&section.render(&mut numbering, self.lake));
        }
        body.push_str(&self.provenance);
        let nonce = content_key(&body);
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data: blob:; \
             base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"color-scheme\" content=\"light\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">Skip to the report</a>\n{contents}\n\
             <main id=\"main\">\n{body}</main>\n\
             <script nonce=\"{nonce}\">{plotly}</script>\n<script nonce=\"{nonce}\">\n{DRAW}</script>\n\
             </body>\n</html>\n",
            title = html(self.title),
            contents = self.render_contents(),
            plotly = plotting_script()?,
        );
        Ok((page, numbering.n_figures))
    }

    fn render_head(&self) -> String {
        let mut out = format!(
            "<header>\n<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n</header>\n\
             <section id=\"summary\" aria-labelledby=\"summary-title\">\n\
             <h2 id=\"summary-title\">In short</h2>\n",
            html(self.title),
            html(&self.subtitle)
        );
        let _ = writeln!(out, "<p class=\"lead\">{}</p>", html(self.summary));
        out.push_str(&self.render_findings());
        out.push_str(
            "<noscript><p class=\"missing\">The plots are drawn by a script inside this file, which is \
             switched off here. The sentences, tables and SQL can be read without it.</p></noscript>\n\
             </section>\n",
        );
        out
    }

    fn render_findings(&self) -> String {
        let mut out = String::from("<div class=\"findings\">\n");
        for of_task in self.findings.chunk_by(|a, b| a.task == b.task) {
            let task = of_task.first().map(|f| f.task.as_str()).unwrap_or_default();
            let _ = writeln!(out, "<div><h3>{}</h3>\n<dl>", html(task));
            for finding in of_task {
                let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", html(finding.topic), html(&finding.text));
            }
            out.push_str("</dl></div>\n");
        }
        out.push_str("</div>\n");
        out
    }

    fn render_contents(&self) -> String {
        let mut out = String::from(
            "<nav aria-label=\"Contents\"><p class=\"brand\">hypercolumn</p>\n<ol>\n\
             <li><a href=\"#summary\">In short</a></li>\n",
        );
        for section in &self.sections {
            let _ = writeln!(out, "<li><a href=\"#{}\">{}</a></li>", section.id, html(section.title));
        }
        out.push_str("<li><a href=\"#provenance\">Provenance</a></li>\n</ol></nav>");
        out
    }
}

/// plotly.js out of the plotly crate, without the typesetting script that comes with it (2 MB, not used).
fn plotting_script() -> Result<String, ReportError> {
    let sources = plotly::Plot::offline_js_sources();
    let scripts = sources.split("</script>").filter_map(|s| s.split_once('>').map(|(_, script)| script));
    let is_plotly = |script: &&str| script.get(..200).is_some_and(|head| head.contains("plotly.js v"));
    let script = scripts.into_iter().find(is_plotly).ok_or(ReportError::PlottingScript)?;
    Ok(script.to_owned())
}
