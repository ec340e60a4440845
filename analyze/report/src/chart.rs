//! Panels: one small plot each, as JSON for plotly. Lines with intervals over layers, points with
//! intervals over conditions, and heat maps. Titles and legends stand in the page's own HTML, so that
//! they wrap and can be read without the script.

use super::palette;
use super::plot_data::{PlotData, plot_text};
use plotly::common::{
    ColorBar, ColorScale, ColorScaleElement, DashType, ErrorData, ErrorType, Fill, HoverInfo, Line, Marker,
    MarkerSymbol, Mode, Side, Title,
};
use plotly::layout::{Axis, AxisRange, HoverMode, Margin};
use plotly::{HeatMap, Layout, Plot, Scatter, Trace};

/// How a panel is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As wide as its column, of fixed height.
    Lines,
    /// As high as wide.
    Square,
}

/// One small plot.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// Heading, plain text.
    pub(super) title: String,
    /// What plotly draws.
    pub(super) plot: PlotData,
    pub(super) shape: Shape,
}

/// One point of a line.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// Position: a layer, or the number of a condition.
    pub(super) x: f64,
    /// Value; a gap where undefined.
    pub(super) y: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// What a reader sees on pointing at it, plain text.
    pub(super) hover: String,
    /// Whether it carries a mark.
    pub(super) is_marked: bool,
}

/// A line with its interval.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Name in the legend.
    pub(super) name: String,
    /// `#rrggbb`.
    pub(super) color: String,
    /// Drawn dashed and without a band: something beside the comparison.
    pub(super) is_aside: bool,
    /// In order of x.
    pub(super) points: Vec<Point>,
}

/// A horizontal line to compare with.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) y: f64,
}

/// An axis: title, and what is not left to the plot.
#[derive(Clone, Debug, Default)]
pub(super) struct AxisPlan {
    /// Title with unit, plain text.
    pub(super) title: String,
    /// Ends, where they are fixed.
    pub(super) range: Option<(f64, f64)>,
    /// Tick positions and labels, where they are fixed.
    pub(super) ticks: Option<(Vec<f64>, Vec<String>)>,
}

impl AxisPlan {
    /// An axis with a title alone.
    pub(super) fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
}

/// Both axes of a panel.
#[derive(Clone, Debug)]
pub(super) struct Axes {
    pub(super) x: AxisPlan,
    pub(super) y: AxisPlan,
}

/// Titles of the axes of a heat map, plain text.
#[derive(Clone, Copy, Debug)]
pub(super) struct AxisTitles<'a> {
    pub(super) x: &'a str,
    pub(super) y: &'a str,
}

/// Lines over layers with interval bands.
pub(super) fn lines(title: &str, Axes { x, y }: Axes, series: &[Series], references: &[Reference]) -> Panel {
    let mut plot = Plot::new();
    let xs = || series.iter().flat_map(|s| &s.points).map(|p| p.x);
    let (first, last) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
    for reference in references.iter().filter(|_| first.is_finite()) {
        plot.add_trace(reference_line(reference, first, last));
    }
    for line in series.iter().filter(|s| !s.is_aside) {
        band_runs(&line.points).into_iter().for_each(|run| plot.add_trace(band(line, run)));
    }
    for line in series {
        plot.add_trace(line_trace(line));
    }
    plot.set_layout(layout(x, y).hover_mode(HoverMode::XUnified));
    Panel { title: title.to_owned(), plot: PlotData::of(&plot), shape: Shape::Lines }
}

/// Points with intervals over conditions.
pub(super) fn intervals(
    title: &str,
    Axes { x, y }: Axes,
    series: &[Series],
    references: &[Reference],
) -> Panel {
    let mut plot = Plot::new();
    let last = series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(0.0, f64::max);
    for reference in references {
        plot.add_trace(reference_line(reference, -0.4, last.floor() + 0.4));
    }
    for (i, line) in series.iter().enumerate() {
        plot.add_trace(interval_trace(line, i == 0));
    }
    plot.set_layout(layout(x, y).hover_mode(HoverMode::Closest));
    Panel { title: title.to_owned(), plot: PlotData::of(&plot), shape: Shape::Lines }
}

/// The colours of a heat map.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    /// Symmetric about zero, to this limit.
    Diverging(f64),
    /// From the first to the second value.
    Single(f64, f64),
}

/// Values on a grid.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Names of the columns, plain text.
    pub(super) columns: Vec<String>,
    /// Names of the rows, first on top, plain text.
    pub(super) rows: Vec<String>,
    /// Row-major; a gap where undefined.
    pub(super) values: Vec<Vec<Option<f64>>>,
    /// Title of the colours, with unit.
    pub(super) value_title: String,
    /// Whether rows and columns are prompts: then their names are not written at the axes.
    pub(super) is_matrix: bool,
}

/// A heat map.
pub(super) fn heat_map(title: &str, titles: AxisTitles<'_>, grid: &Grid, scale: Scale) -> Panel {
    let (stops, low, high): (&[(f64, &str)], f64, f64) = match scale {
        Scale::Diverging(limit) => (&palette::DIVERGING, -limit, limit),
        Scale::Single(low, high) => (&palette::SINGLE, low, high),
    };
    let stops = stops.iter().map(|&(at, c)| ColorScaleElement(at, c.to_owned())).collect();
    let escaped = |names: &[String]| names.iter().map(|n| plot_text(n)).collect::<Vec<_>>();
    let rounded = grid.values.iter().map(|row| row.iter().map(|v| v.map(round)).collect::<Vec<_>>());
    let hover = format!("%{{y}} · %{{x}}<br>{}: %{{z}}<extra></extra>", plot_text(&grid.value_title));
    let bar = ColorBar::new()
        .thickness(10)
        .outline_width(0)
        .title(Title::with_text(plot_text(&grid.value_title)).side(Side::Right));
    let trace = HeatMap::new(escaped(&grid.columns), escaped(&grid.rows), rounded.collect())
        .color_scale(ColorScale::Vector(stops))
        .zmin(round(low))
        .zmax(round(high))
        .hover_on_gaps(false)
        .hover_template(hover.as_str())
        .color_bar(bar);
    let mut plot = Plot::new();
    plot.add_trace(trace);
    plot.set_layout(heat_map_layout(titles, grid));
    let shape = if grid.is_matrix { Shape::Square } else { Shape::Lines };
    Panel { title: title.to_owned(), plot: PlotData::of(&plot), shape }
}

fn heat_map_layout(titles: AxisTitles<'_>, grid: &Grid) -> Layout {
    let n_rows = grid.rows.len() as f64;
    let left = if grid.is_matrix { 28 } else { 44 };
    let title = |text: &str| Title::with_text(plot_text(text));
    let x_axis = Axis::new()
        .title(title(titles.x))
        .show_tick_labels(!grid.is_matrix)
        .show_grid(false)
        .zero_line(false)
        .tick_angle(0.0);
    let y_axis = Axis::new()
        .title(title(titles.y))
        .show_tick_labels(!grid.is_matrix)
        .show_grid(false)
        .zero_line(false)
        .range(AxisRange::new(n_rows - 0.5, -0.5));
    Layout::new()
        .margin(Margin::new().left(left).right(8).top(6).bottom(if grid.is_matrix { 30 } else { 44 }))
        .show_legend(false)
        .x_axis(if grid.is_matrix { x_axis } else { x_axis.n_ticks(8) })
        .y_axis(y_axis)
}

fn layout(x: AxisPlan, y: AxisPlan) -> Layout {
    Layout::new()
        .margin(Margin::new().left(58).right(10).top(8).bottom(46))
        .show_legend(false)
        .x_axis(axis(x).show_grid(false).zero_line(false))
        .y_axis(axis(y).zero_line(true))
}

fn axis(plan: AxisPlan) -> Axis {
    let mut axis = Axis::new().title(Title::with_text(plot_text(&plan.title)));
    if let Some((low, high)) = plan.range {
        axis = axis.range(AxisRange::new(round(low), round(high)));
    }
    if let Some((values, labels)) = plan.ticks {
        axis = axis.tick_values(values).tick_text(labels.iter().map(|l| plot_text(l)).collect());
    }
    axis
}

fn reference_line(reference: &Reference, first: f64, last: f64) -> Box<dyn Trace> {
    Scatter::new(vec![first, last], vec![round(reference.y); 2])
        .name(plot_text(&reference.name))
        .mode(Mode::Lines)
        .hover_info(HoverInfo::Skip)
        .line(Line::new().color(palette::REFERENCE).width(1.2).dash(DashType::Dot))
}

fn line_trace(line: &Series) -> Box<dyn Trace> {
    let points = &line.points;
    let sizes = points.iter().map(|p| if p.is_marked { 7 } else { 0 }).collect();
    let mut stroke = Line::new().color(line.color.clone()).width(if line.is_aside { 1.4 } else { 2.0 });
    if line.is_aside {
        stroke = stroke.dash(DashType::Dash);
    }
    Scatter::new(points.iter().map(|p| p.x).collect(), points.iter().map(|p| p.y.map(round)).collect())
        .name(plot_text(&line.name))
        .legend_group(plot_text(&line.name).as_str())
        .mode(Mode::LinesMarkers)
        .line(stroke)
        .marker(Marker::new().color(line.color.clone()).size_array(sizes).opacity(1.0))
        .hover_text_array(points.iter().map(|p| plot_text(&p.hover)).collect())
        .hover_info(HoverInfo::Text)
        .connect_gaps(false)
}

fn interval_trace(line: &Series, is_first: bool) -> Box<dyn Trace> {
    let defined: Vec<&Point> = line.points.iter().filter(|p| p.y.is_some()).collect();
    let reach = |end: fn(&Point) -> Option<f64>| {
        let length = |p: &&Point| end(p).zip(p.y).map_or(0.0, |(e, y)| round((e - y).abs()));
        defined.iter().map(length).collect::<Vec<_>>()
    };
    let error = ErrorData::new(ErrorType::Data)
        .array(reach(|p| p.high))
        .array_minus(reach(|p| p.low))
        .symmetric(false)
        .color(line.color.clone())
        .thickness(1.6)
        .width(0);
    let symbol = if is_first { MarkerSymbol::Circle } else { MarkerSymbol::DiamondOpen };
    Scatter::new(
        defined.iter().map(|p| p.x).collect(),
        defined.iter().filter_map(|p| p.y.map(round)).collect(),
    )
    .name(plot_text(&line.name))
    .legend_group(plot_text(&line.name).as_str())
    .mode(Mode::LinesMarkers)
    .line(Line::new().color(palette::translucent(&line.color, 0.45)).width(1.2))
    .marker(Marker::new().color(line.color.clone()).size(9).symbol(symbol).opacity(1.0))
    .error_y(error)
    .hover_text_array(defined.iter().map(|p| plot_text(&p.hover)).collect())
    .hover_info(HoverInfo::Text)
}

/// Stretches of neighbouring points that have intervals.
fn band_runs(points: &[Point]) -> Vec<&[Point]> {
    let has_interval = |p: &Point| p.low.is_some() && p.high.is_some();
    points.chunk_by(|a, b| has_interval(a) == has_interval(b)).filter(|run| has_interval(&run[0])).collect()
}

fn band(line: &Series, run: &[Point]) -> Box<dyn Trace> {
    let there = run.iter().map(|p| (p.x, p.high));
    let back = run.iter().rev().map(|p| (p.x, p.low));
    let (xs, ys): (Vec<f64>, Vec<Option<f64>>) = there.chain(back).map(|(x, y)| (x, y.map(round))).unzip();
    Scatter::new(xs, ys)
        .mode(Mode::Lines)
        .fill(Fill::ToSelf)
        .fill_color(palette::translucent(&line.color, 0.16))
        .line(Line::new().width(0.0).color(line.color.clone()))
        .legend_group(plot_text(&line.name).as_str())
        .hover_info(HoverInfo::Skip)
}

/// Five significant digits: a plot shows no more, and the file stays small.
fn round(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}
