//! Figures and sections as data, and their HTML. A figure is a claim in words, panels, and everything a
//! reader needs to doubt it: numbers of prompts, intervals, undefined values, caveats, the SQL.

use super::chart::{Panel, Shape};
use super::request::Finding;
use super::shell::sql_command;
use maud::{Markup, html};

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
    pub(super) task: String,
    pub(super) figures: Vec<Figure>,
}

/// One section of the report.
#[derive(Clone, Debug)]
pub struct Section {
    pub(super) id: &'static str,
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

impl Section {
    /// Whether the section stands before all others.
    pub fn opens_report(&self) -> bool {
        self.id == "claims"
    }
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
    pub(super) fn render(&self, numbering: &mut Numbering, lake: Option<&str>) -> Markup {
        let title_id = format!("{}-title", self.id);
        html! {
            section id=(self.id) aria-labelledby=(title_id) {
                h2 id=(title_id) { (self.title) }
                p.question { (self.question) }
                @if let Some(missing) = &self.missing {
                    p.missing role="note" { (missing) }
                }
                @for (number, task) in self.tasks.iter().enumerate() {
                    div.task id={ (self.id) "-" (number) } {
                        h3 { (task.task) }
                        @for figure in task.figures.iter().filter(|f| !f.is_secondary) {
                            (figure.render(numbering, lake))
                        }
                        @for figure in task.figures.iter().filter(|f| f.is_secondary) {
                            (figure.render_folded(numbering, lake))
                        }
                    }
                }
            }
        }
    }
}

impl Figure {
    fn render(&self, numbering: &mut Numbering, lake: Option<&str>) -> Markup {
        numbering.n_figures += 1;
        let id = format!("figure-{}", numbering.n_figures);
        let caption_id = format!("{id}-caption");
        html! {
            figure id=(id) aria-labelledby=(caption_id) {
                figcaption id=(caption_id) {
                    h4 { (self.title) }
                    p.takeaway { (self.takeaway) }
                }
                (self.render_legend())
                div class={ "panels panels-" (self.panels.len().min(4)) } {
                    @for panel in &self.panels { (panel.render(numbering, &self.title)) }
                }
                @if let Some(table) = &self.table { (table.render()) }
                @if !self.method.is_empty() { p.method { (self.method) } }
                @for gap in &self.gaps { p.gap { (gap) } }
                (self.render_notes(lake))
            }
        }
    }

    /// The figure behind its title and takeaway, which unfold it.
    fn render_folded(&self, numbering: &mut Numbering, lake: Option<&str>) -> Markup {
        html! {
            details.secondary {
                summary {
                    span.name { (self.title) } " " span.says { (self.takeaway) }
                }
                (self.render(numbering, lake))
            }
        }
    }

    fn render_legend(&self) -> Markup {
        html! {
            @if !self.legend.is_empty() {
                div.legend role="group" aria-label="Legend" {
                    @for entry in &self.legend { (entry.render()) }
                }
            }
        }
    }

    fn render_notes(&self, lake: Option<&str>) -> Markup {
        html! {
            @if !self.caveats.is_empty() {
                div.caveats {
                    p { "Read with care" }
                    ul { @for caveat in &self.caveats { li { (caveat) } } }
                }
            }
            @if !self.sql.is_empty() {
                details.sql {
                    summary { "SQL behind this figure" }
                    @for sql in &self.sql {
                        div.command {
                            button.copy type="button" { "Copy" }
                            pre tabindex="0" { code { (sql_command(sql, lake)) } }
                        }
                    }
                }
            }
        }
    }
}

impl LegendEntry {
    fn render(&self) -> Markup {
        let mark = match self.mark {
            LegendMark::Line => "line",
            LegendMark::Dashed => "dashed",
            LegendMark::Reference => "reference",
            LegendMark::Point => "point",
            LegendMark::OpenPoint => "open-point",
        };
        let swatch = html! {
            i class={ "swatch " (mark) } style={ "--mark:" (self.color) } aria-hidden="true" {}
            (self.name)
        };
        html! {
            @if self.mark == LegendMark::Reference {
                span.entry { (swatch) }
            } @else {
                button.entry type="button" data-series=(self.name) aria-pressed="true" title="Show or hide" {
                    (swatch)
                }
            }
        }
    }
}

/// Formats that a plot is saved in, and what a reader is told of each.
const SAVED_AS: [(&str, &str); 3] = [
    ("svg", "Save the plot as a vector graphic"),
    ("png", "Save the plot as an image of three times its size"),
    ("csv", "Save the plotted numbers as a table"),
];

impl Panel {
    fn render(&self, numbering: &mut Numbering, figure: &str) -> Markup {
        numbering.n_plots += 1;
        let id = format!("plot-{}", numbering.n_plots);
        let shape = match self.shape {
            Shape::Lines => "lines",
            Shape::Square => "square",
        };
        html! {
            div.panel {
                div.heading {
                    h5 { (self.title) }
                    div.save role="group" aria-label={ "Save: " (figure) ": " (self.title) } {
                        @for (format, says) in SAVED_AS {
                            button type="button" data-save=(format) aria-controls=(id) title=(says) { (format) }
                        }
                    }
                }
                div class={ "plot " (shape) } id=(id) role="img" aria-label={ (figure) ": " (self.title) } {}
                script type="application/json" id={ (id) "-data" } { (self.plot) }
            }
        }
    }
}

impl TextTable {
    /// The table as HTML, in a region that scrolls where the table is wider than the page.
    pub(super) fn render(&self) -> Markup {
        html! {
            div.table tabindex="0" role="region" aria-label=(self.caption) {
                table {
                    caption { (self.caption) }
                    thead { tr { @for head in &self.head { th scope="col" { (head) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr { @for cell in row { td { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}
