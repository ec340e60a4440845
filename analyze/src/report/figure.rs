//! Figures and sections as data, and their HTML. A figure is a claim in words, panels, and everything a
//! reader needs to doubt it: numbers of prompts, intervals, undefined values, caveats, the SQL.

use super::Finding;
use super::chart::{Panel, Shape};
use super::escape::{html, script_json};
use super::question::command;
use std::fmt::Write;

/// One entry of a figure's legend.
#[derive(Clone, Debug)]
pub(super) struct LegendEntry {
    /// Name, as its marks carry it.
    pub(super) name: String,
    /// `#rrggbb`.
    pub(super) color: String,
    /// How its marks look.
    pub(super) mark: LegendMark,
}

/// Look of an entry of a legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegendMark {
    /// A line.
    Line,
    /// A dashed line.
    Dashed,
    /// A dotted reference line, which cannot be switched off.
    Reference,
    /// A filled point.
    Point,
    /// An open point.
    OpenPoint,
}

/// A table of words and numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct TextTable {
    /// What the table is.
    pub(super) caption: String,
    /// Heads of the columns.
    pub(super) head: Vec<String>,
    /// Cells, row by row.
    pub(super) rows: Vec<Vec<String>>,
}

/// One figure.
#[derive(Clone, Debug, Default)]
pub(super) struct Figure {
    /// What is shown.
    pub(super) title: String,
    /// What these data show, in a sentence or two.
    pub(super) takeaway: String,
    /// How it was measured: n, intervals, normalization, similarity, comparison, seeds.
    pub(super) method: String,
    /// Legend of all panels.
    pub(super) legend: Vec<LegendEntry>,
    /// Plots.
    pub(super) panels: Vec<Panel>,
    /// A table below the plots.
    pub(super) table: Option<TextTable>,
    /// Undefined values and other gaps, with reasons.
    pub(super) gaps: Vec<String>,
    /// What the figure does not show.
    pub(super) caveats: Vec<String>,
    /// The statements that give the data.
    pub(super) sql: Vec<String>,
    /// Whether it stands folded below the others.
    pub(super) is_secondary: bool,
}

/// The figures of one task in one section.
#[derive(Clone, Debug)]
pub(super) struct TaskFigures {
    /// The task.
    pub(super) task: String,
    /// Its figures.
    pub(super) figures: Vec<Figure>,
}

/// One section of the report.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Anchor.
    pub(super) id: &'static str,
    /// Heading.
    pub(super) title: &'static str,
    /// What is asked, and how to read the figures.
    pub(super) question: &'static str,
    /// Tasks in order.
    pub(super) tasks: Vec<TaskFigures>,
    /// What goes into the summary.
    pub(super) findings: Vec<Finding>,
    /// Why there is nothing, and the command that makes it.
    pub(super) missing: Option<String>,
}

/// Counts the plots of the page, so that each has a name of its own.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    n_plots: usize,
    /// Figures so far.
    pub(super) n_figures: usize,
}

impl Section {
    /// The section as HTML.
    pub(super) fn render(&self, numbering: &mut Numbering, lake: Option<&str>) -> String {
        let mut out = format!(
            "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n\
             <p class=\"question\">{2}</p>\n",
            self.id,
            html(self.title),
            html(self.question)
        );
        if let Some(missing) = &self.missing {
            let _ = writeln!(out, "<p class=\"missing\" role=\"note\">{}</p>", html(missing));
        }
        for (number, task) in self.tasks.iter().enumerate() {
            let id = format!("{}-{number}", self.id);
            let _ = writeln!(out, "<div class=\"task\" id=\"{id}\">\n<h3>{}</h3>", html(&task.task));
            for figure in task.figures.iter().filter(|f| !f.is_secondary) {
                out.push_str(&figure.render(numbering, lake));
            }
            out.push_str(&render_secondary(&task.figures, numbering, lake));
            out.push_str("</div>\n");
        }
        out.push_str("</section>\n");
        out
    }
}

fn render_secondary(figures: &[Figure], numbering: &mut Numbering, lake: Option<&str>) -> String {
    let mut out = String::new();
    for figure in figures.iter().filter(|f| f.is_secondary) {
        let _ = writeln!(
            out,
            "<details class=\"secondary\"><summary><span class=\"name\">{}</span> \
             <span class=\"says\">{}</span></summary>",
            html(&figure.title),
            html(&figure.takeaway)
        );
        out.push_str(&figure.render(numbering, lake));
        out.push_str("</details>\n");
    }
    out
}

impl Figure {
    fn render(&self, numbering: &mut Numbering, lake: Option<&str>) -> String {
        numbering.n_figures += 1;
        let id = format!("figure-{}", numbering.n_figures);
        let mut out = format!(
            "<figure id=\"{id}\" aria-labelledby=\"{id}-caption\">\n<figcaption id=\"{id}-caption\">\
             <h4>{}</h4>\n<p class=\"takeaway\">{}</p></figcaption>\n",
            html(&self.title),
            html(&self.takeaway)
        );
        out.push_str(&self.render_legend());
        let _ = writeln!(out, "<div class=\"panels panels-{}\">", self.panels.len().min(4));
        for panel in &self.panels {
            out.push_str(&panel.render(numbering, &self.title));
        }
        out.push_str("</div>\n");
        if let Some(table) = &self.table {
            out.push_str(&table.render());
        }
        if !self.method.is_empty() {
            let _ = writeln!(out, "<p class=\"method\">{}</p>", html(&self.method));
        }
        for gap in &self.gaps {
            let _ = writeln!(out, "<p class=\"gap\">{}</p>", html(gap));
        }
        out.push_str(&self.render_notes(lake));
        out.push_str("</figure>\n");
        out
    }

    fn render_legend(&self) -> String {
        if self.legend.is_empty() {
            return String::new();
        }
        let mut out = String::from("<div class=\"legend\" role=\"group\" aria-label=\"Legend\">\n");
        for entry in &self.legend {
            let mark = match entry.mark {
                LegendMark::Line => "line",
                LegendMark::Dashed => "dashed",
                LegendMark::Reference => "reference",
                LegendMark::Point => "point",
                LegendMark::OpenPoint => "open-point",
            };
            let swatch = format!(
                "<i class=\"swatch {mark}\" style=\"--mark:{}\" aria-hidden=\"true\"></i>{}",
                entry.color,
                html(&entry.name)
            );
            let _ = if entry.mark == LegendMark::Reference {
                writeln!(out, "<span class=\"entry\">{swatch}</span>")
            } else {
                let name = html(&entry.name);
                writeln!(
                    out,
                    "<button type=\"button\" class=\"entry\" data-series=\"{name}\" aria-pressed=\"true\" \
                     title=\"Show or hide\">{swatch}</button>"
                )
            };
        }
        out.push_str("</div>\n");
        out
    }

    fn render_notes(&self, lake: Option<&str>) -> String {
        let mut out = String::new();
        if !self.caveats.is_empty() {
            out.push_str("<div class=\"caveats\"><p>Read with care</p><ul>");
            for caveat in &self.caveats {
                let _ = write!(out, "<li>{}</li>", html(caveat));
            }
            out.push_str("</ul></div>\n");
        }
        if !self.sql.is_empty() {
            out.push_str("<details class=\"sql\"><summary>SQL behind this figure</summary>\n");
            for sql in &self.sql {
                let _ = writeln!(
                    out,
                    "<div class=\"command\"><button type=\"button\" class=\"copy\">Copy</button>\
                     <pre tabindex=\"0\"><code>{}</code></pre></div>",
                    html(&command(sql, lake))
                );
            }
            out.push_str("</details>\n");
        }
        out
    }
}

impl Panel {
    fn render(&self, numbering: &mut Numbering, figure: &str) -> String {
        numbering.n_plots += 1;
        let id = format!("plot-{}", numbering.n_plots);
        let shape = match self.shape {
            Shape::Lines => "lines",
            Shape::Square => "square",
        };
        format!(
            "<div class=\"panel\"><h5>{title}</h5>\n<div class=\"plot {shape}\" id=\"{id}\" role=\"img\" \
             aria-label=\"{label}\"></div>\n<script type=\"application/json\" id=\"{id}-data\">{data}</script>\
             </div>\n",
            title = html(&self.title),
            label = html(&format!("{figure}: {}", self.title)),
            data = script_json(&self.plot)
        )
    }
}

impl TextTable {
    /// The table as HTML; it scrolls by itself where it is wider than the page.
    pub(super) fn render(&self) -> String {
        let mut out = format!(
            "<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\
             <caption>{0}</caption>\n<thead><tr>",
            html(&self.caption)
        );
        for head in &self.head {
            let _ = write!(out, "<th scope=\"col\">{}</th>", html(head));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for cell in row {
                let _ = write!(out, "<td>{}</td>", html(cell));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
        out
    }
}
