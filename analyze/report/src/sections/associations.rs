//! Behaviour and representation: do items whose measure changes more also improve more?

use super::SectionInputs;
use crate::chart::{Axes, AxisPlan, Panel, Point, Reference, Series, lines};
use crate::conditions::{Condition, Conditions};
use crate::error::ReportError;
use crate::figure::{Figure, LegendEntry, LegendMark, Section, TaskFigures, TextTable};
use crate::layers::{Place, Q_LEVEL, layer_axis};
use crate::question::{Question, Row, question};
use crate::request::{Finding, ReportRequest};
use crate::wording::{Estimate, count, coverage, layer_ranges, number, reason_words, with_interval, words};
use hypercolumn_catalog::catalog::Catalog;
use std::collections::{BTreeMap, BTreeSet};

const METRICS: Question = question!("report_metrics");
const ASSOCIATIONS: Question = question!("report_associations");

/// The measure that stands for the change of behaviour itself.
const BEHAVIOR: &str = "behavior";
const CORRELATION: &str = "spearman";

/// One row of `associations`.
struct Cell {
    condition: String,
    reference: String,
    measure: String,
    layer: i64,
    statistic: String,
    estimate: Option<Estimate>,
    q_value: Option<f64>,
    n: i64,
    n_clusters: i64,
    cluster: String,
    confidence: f64,
    reason: Option<String>,
}

/// The associations of one task with one metric.
struct Associations<'a> {
    metric: String,
    conditions: &'a Conditions,
    /// The declared contrast that the changes are; `None` where they are from the reference condition.
    contrast: Option<String>,
    cells: Vec<Cell>,
    sql: String,
}

/// The section.
///
/// # Errors
/// When a question cannot be answered.
pub fn associations_section(inputs: SectionInputs<'_>) -> Result<Section, ReportError> {
    let SectionInputs { catalog, request, tasks } = inputs;
    let mut section = Section {
        id: "associations",
        title: "Behaviour and representation",
        question: "Do the items whose representation changes more with examples also improve more? Each point is a \
                   rank correlation across items between two changes from the same reference condition.",
        tasks: Vec::new(),
        findings: Vec::new(),
        missing: None,
    };
    let names = METRICS.ask(catalog, &[("study", &request.study), ("model", &request.model)])?;
    for conditions in tasks {
        let of_task = names.rows_where("task", &conditions.task)?.into_iter();
        let mut metrics: Vec<&str> =
            of_task.map(|row| row.text("behavior_metric")).collect::<Result<_, _>>()?;
        let order = ["absolute_error", "expected_logprob", "forced_choice", "contains"];
        metrics.sort_by_key(|m| order.iter().position(|o| o == m).unwrap_or(order.len()));
        let mut read = Vec::new();
        for metric in metrics {
            read.extend(read_metric(catalog, request, conditions, metric)?);
        }
        if read.is_empty() {
            continue;
        }
        section.findings.extend(read.first().map(|a| Finding {
            task: conditions.task.clone(),
            topic: "Association",
            text: a.sentence(),
            brief: a.brief(),
        }));
        let figures = read.iter().enumerate().map(|(i, a)| a.figure(i > 0)).collect();
        section.tasks.push(TaskFigures { task: conditions.task.clone(), figures });
    }
    if section.tasks.is_empty() {
        section.missing = Some(request.missing("associations", "analyze"));
    }
    Ok(section)
}

fn read_metric<'a>(
    catalog: &Catalog,
    request: &ReportRequest,
    conditions: &'a Conditions,
    metric: &str,
) -> Result<Vec<Associations<'a>>, ReportError> {
    let places = [
        ("study", request.study.as_str()),
        ("model", request.model.as_str()),
        ("task", conditions.task.as_str()),
        ("metric", metric),
    ];
    let answer = ASSOCIATIONS.ask(catalog, &places)?;
    let mut by_contrast: BTreeMap<Option<String>, Vec<Cell>> = BTreeMap::new();
    for row in answer.rows() {
        let contrast = row.optional_text("contrast")?.map(str::to_owned);
        by_contrast.entry(contrast).or_default().push(cell(row)?);
    }
    let of = |(contrast, cells)| Associations {
        metric: metric.to_owned(),
        conditions,
        contrast,
        cells,
        sql: answer.sql.clone(),
    };
    Ok(by_contrast.into_iter().map(of).collect())
}

fn cell(row: Row<'_>) -> Result<Cell, ReportError> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    Ok(Cell {
        condition: text("condition")?,
        reference: text("reference_condition")?,
        measure: text("measure")?,
        layer: row.integer("layer")?,
        statistic: text("statistic")?,
        estimate: row.estimate("estimate", "ci_low", "ci_high")?,
        q_value: row.optional_number("q_value")?,
        n: row.integer("n")?,
        n_clusters: row.integer("n_clusters")?,
        cluster: text("cluster")?,
        confidence: row.number("confidence")?,
        reason: row.optional_text("reason")?.map(str::to_owned),
    })
}

fn is_reliable(cell: &Cell) -> bool {
    cell.q_value.is_some_and(|q| q < Q_LEVEL)
}

fn size(cell: &Cell) -> f64 {
    cell.estimate.map_or(0.0, |e| e.value.abs())
}

impl Associations<'_> {
    fn measures(&self) -> Vec<&str> {
        let known: BTreeSet<&str> =
            self.cells.iter().map(|c| c.measure.as_str()).filter(|m| *m != BEHAVIOR).collect();
        known.into_iter().collect()
    }

    fn shown(&self) -> Vec<Condition> {
        let known: BTreeSet<&str> = self.cells.iter().map(|c| c.condition.as_str()).collect();
        self.conditions.all.iter().filter(|c| known.contains(c.name.as_str())).cloned().collect()
    }

    fn of<'c>(
        &'c self,
        statistic: &'c str,
        measure: &'c str,
        condition: &'c str,
    ) -> impl Iterator<Item = &'c Cell> {
        self.cells.iter().filter(move |c| {
            c.statistic == statistic
                && c.measure == measure
                && c.condition == condition
                && c.layer >= 0
                && c.estimate.is_some()
        })
    }

    /// What counts as better, in words.
    fn improvement(&self) -> String {
        match self.metric.as_str() {
            "absolute_error" => "fall of the absolute error".to_owned(),
            "sampled_absolute_error" => "fall of the absolute error of drawn responses".to_owned(),
            metric => format!("rise of {}", words(metric)),
        }
    }

    fn brief(&self) -> String {
        let Some(last) = self.shown().pop() else { return String::new() };
        let measures = self.measures();
        let every = measures.iter().flat_map(|m| self.of(CORRELATION, m, &last.name));
        let best = every.filter(|c| is_reliable(c)).max_by(|a, b| size(a).total_cmp(&size(b)));
        let Some((cell, estimate)) = best.and_then(|c| Some((c, c.estimate?))) else {
            return "item by item, the change of no measure goes with the improvement".to_owned();
        };
        let direction = if estimate.value > 0.0 { "more" } else { "less" };
        format!(
            "items in which “{}” changes more improve {direction} (Spearman {} at layer {})",
            cell.measure,
            number(estimate.value),
            cell.layer
        )
    }

    /// Measures that go reliably with behaviour at some layer: how many layers, and the strongest.
    fn reliable_measures<'c>(&'c self, condition: &'c str) -> Vec<(&'c str, usize, &'c Cell)> {
        let find = |measure: &'c str| {
            let reliable: Vec<&Cell> =
                self.of(CORRELATION, measure, condition).filter(|c| is_reliable(c)).collect();
            let top = reliable.iter().copied().max_by(|a, b| size(a).total_cmp(&size(b)))?;
            Some((measure, reliable.len(), top))
        };
        self.measures().into_iter().filter_map(find).collect()
    }

    fn sentence(&self) -> String {
        let shown = self.shown();
        let Some(last) = shown.last() else { return "No association could be computed.".to_owned() };
        let measures = self.measures();
        let found = self.reliable_measures(&last.name);
        let every = measures.iter().flat_map(|m| self.of(CORRELATION, m, &last.name));
        let Some(largest) = every.max_by(|a, b| size(a).total_cmp(&size(b))) else {
            return "No association could be computed.".to_owned();
        };
        let from = format!("From {} to {}", largest.reference, last.name);
        let told = |cell: &Cell| cell.estimate.map_or_else(String::new, with_interval);
        let Some(best) = found.iter().max_by(|a, b| size(a.2).total_cmp(&size(b.2))) else {
            return format!(
                "{from}, the change of no measure goes reliably with the {} at any layer (q < 0.05 nowhere); the \
                 largest correlation is {} for “{}” at layer {}, n = {}.",
                self.improvement(),
                told(largest),
                largest.measure,
                largest.layer,
                count(largest.n as usize, "item")
            );
        };
        let direction = if best.2.estimate.is_some_and(|e| e.value > 0.0) { "with" } else { "against" };
        format!(
            "{from}, the change of {} of {} goes reliably with or against the {} at some layer; strongest is “{}”, \
             which goes {direction} it at layer {}: Spearman {}, n = {}, q < 0.05 at {} of {} layers.",
            found.len(),
            count(measures.len(), "measure"),
            self.improvement(),
            best.0,
            best.2.layer,
            told(best.2),
            count(best.2.n as usize, "item"),
            best.1,
            self.of(CORRELATION, best.0, &last.name).count(),
        )
    }

    fn figure(&self, is_secondary: bool) -> Figure {
        let contrast = self.contrast.as_ref().map_or_else(String::new, |name| format!(", contrast “{name}”"));
        let entry = |c: Condition| LegendEntry { name: c.name, color: c.color, mark: LegendMark::Line };
        let reference = self.cells.first().map(|c| c.reference.as_str()).unwrap_or_default();
        Figure {
            title: format!("Change of measures against {}{contrast}", self.improvement()),
            takeaway: self.sentence(),
            method: format!(
                "Spearman correlation across items of two changes, each from {reference} to the condition of the \
                 line; above 0, more change goes with more improvement. Bands and tests are over {} clusters (equal {}), \
                 {} intervals. A dot marks q < 0.05 (Benjamini-Hochberg across layers and conditions of the measure).",
                self.cells.iter().map(|c| c.n_clusters).max().unwrap_or(0),
                self.cells.first().map(|c| c.cluster.as_str()).unwrap_or_default(),
                coverage(self.cells.first().map_or(0.0, |c| c.confidence)),
            ),
            legend: self.shown().into_iter().map(entry).collect(),
            panels: self.measures().into_iter().map(|m| self.panel(m)).collect(),
            table: self.table(),
            gaps: self.gaps(),
            caveats: vec![
                "Observational: items may differ in a third thing that moves both, such as how hard they are.".to_owned(),
                "Neighbouring layers share most of their state; a run of layers is not a run of findings.".to_owned(),
                "The layers in the table were picked because they are the largest.".to_owned(),
            ],
            sql: vec![self.sql.clone()],
            is_secondary,
        }
    }

    fn panel(&self, measure: &str) -> Panel {
        let of = |condition: Condition| {
            let mut points: Vec<Point> = self.of(CORRELATION, measure, &condition.name).map(point).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series { name: condition.name, color: condition.color, is_aside: false, points }
        };
        let series: Vec<Series> = self.shown().into_iter().map(of).filter(|s| !s.points.is_empty()).collect();
        let cells = self.cells.iter().filter(|c| c.measure == measure && c.layer >= 0);
        let places: Vec<Place> = cells.map(|c| Place::new(c.layer, "")).collect();
        let y = AxisPlan { title: "Spearman correlation".to_owned(), range: Some(self.range()), ticks: None };
        let zero = Reference { name: "zero".to_owned(), y: 0.0 };
        lines(measure, Axes { x: layer_axis(places.iter()), y }, &series, &[zero])
    }

    /// One scale for all measures, so that panels can be compared.
    fn range(&self) -> (f64, f64) {
        let shown = self.cells.iter().filter(|c| c.statistic == CORRELATION && c.measure != BEHAVIOR);
        let ends = shown.filter_map(|c| c.estimate).flat_map(|e| [Some(e.value), e.low, e.high]);
        let limit = ends.flatten().map(f64::abs).fold(0.1, f64::max);
        (-1.06 * limit, 1.06 * limit)
    }

    /// A row a measure: its own change, and where its association is strongest.
    fn table(&self) -> Option<TextTable> {
        let last = self.shown().pop()?;
        let rows: Vec<Vec<String>> =
            self.measures().into_iter().filter_map(|m| self.table_row(m, &last.name)).collect();
        (!rows.is_empty()).then(|| TextTable {
            caption: format!("Each measure where its association is strongest, {}", last.name),
            head: [
                "measure",
                "layer",
                "Spearman (interval)",
                "q",
                "n",
                "layers with q < 0.05",
                "change of the measure there",
            ]
            .map(str::to_owned)
            .into(),
            rows,
        })
    }

    fn table_row(&self, measure: &str, condition: &str) -> Option<Vec<String>> {
        let top = self.of(CORRELATION, measure, condition).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        let n_reliable = self.of(CORRELATION, measure, condition).filter(|c| is_reliable(c)).count();
        let n_layers = self.of(CORRELATION, measure, condition).count();
        let change = self.of("paired_t", measure, condition).find(|c| c.layer == top.layer);
        let told = |cell: &Cell| cell.estimate.map_or_else(|| "not computed".to_owned(), with_interval);
        Some(vec![
            measure.to_owned(),
            top.layer.to_string(),
            told(top),
            top.q_value.map_or_else(|| "–".to_owned(), number),
            top.n.to_string(),
            format!("{n_reliable} of {n_layers}"),
            change.map_or_else(|| "–".to_owned(), told),
        ])
    }

    fn gaps(&self) -> Vec<String> {
        let mut by_reason: BTreeMap<(Option<&str>, &str, &str), Vec<i64>> = BTreeMap::new();
        let undefined = self.cells.iter().filter(|c| c.estimate.is_none() && c.statistic == CORRELATION);
        for cell in undefined {
            by_reason
                .entry((cell.reason.as_deref(), &cell.measure, &cell.condition))
                .or_default()
                .push(cell.layer);
        }
        let say = |((reason, measure, condition), layers): (&(Option<&str>, &str, &str), &Vec<i64>)| {
            format!(
                "“{measure}” is not computed in {condition}, layers {}: {}.",
                layer_ranges(layers),
                reason_words(*reason)
            )
        };
        by_reason.iter().map(say).collect()
    }
}

fn point(cell: &Cell) -> Point {
    let said = cell.estimate.map_or_else(|| "not computed".to_owned(), with_interval);
    let q_value = cell.q_value.map_or_else(String::new, |q| format!(", q = {q:.3}"));
    Point {
        x: cell.layer as f64,
        y: cell.estimate.map(|e| e.value),
        low: cell.estimate.and_then(|e| e.low),
        high: cell.estimate.and_then(|e| e.high),
        hover: format!("{}, layer {}: {said}{q_value}, n = {}", cell.condition, cell.layer, cell.n),
        is_marked: is_reliable(cell),
    }
}
