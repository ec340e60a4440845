//! Attention to relevant against irrelevant parts: log-ratios by layer, and by layer and head.

use super::SectionInputs;
use crate::chart::{
    Axes, AxisPlan, AxisTitles, Grid, Panel, Point, Reference, Scale, Series, heat_map, lines,
};
use crate::conditions::{Condition, Conditions, contrast};
use crate::declared_contrasts::DeclaredContrasts;
use crate::error::ReportError;
use crate::figure::{Figure, LegendEntry, LegendMark, Section, TaskFigures};
use crate::layers::{Change, Place, Q_LEVEL, change_sentence, judge, layer_axis};
use crate::question::{Question, Row, question};
use crate::request::{Finding, ReportRequest};
use crate::wording::{
    Estimate, count, coverage, interval, layer_ranges, number, percent, reason_words, sentence_case,
    with_interval,
};
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_stats::summary::percentile;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const RATIOS: Question = question!("report_ratios");
const ATTENTION: Question = question!("report_attention");

/// One row of `attention_ratios`.
struct Cell {
    condition: String,
    layer: i64,
    head: i64,
    reduction: String,
    /// The log-ratio that is drawn for heads combined by max.
    log_ratio: Option<Estimate>,
    /// What is tested.
    contrast: Option<Estimate>,
    contrast_with: String,
    /// Its change from the reference condition.
    change: Option<Estimate>,
    change_q_value: Option<f64>,
    change_p_value_fwer: Option<f64>,
    p_value_fwer: Option<f64>,
    reference: Option<String>,
    /// Mass on the first token, and the contrast without it.
    first_token_mass: Option<f64>,
    without_first_token: Option<f64>,
    n_contrasted: i64,
    n_zero_mass: i64,
    n_excluded: i64,
    n_clusters: i64,
    cluster: String,
    confidence: f64,
    q_value: Option<f64>,
    top_head: Option<i64>,
    reason: Option<String>,
}

/// One ratio of one task.
struct Ratio<'a> {
    query: String,
    relevant: String,
    irrelevant: String,
    conditions: &'a Conditions,
    cells: Vec<Cell>,
    /// Its name in the study.
    label: String,
    declared: Rc<DeclaredContrasts>,
    sql: String,
}

/// The section.
///
/// # Errors
/// When a question cannot be answered.
pub fn attention_section(inputs: SectionInputs<'_>) -> Result<Section, ReportError> {
    let SectionInputs { catalog, request, tasks } = inputs;
    let mut section = Section {
        id: "attention",
        title: "Attention ratio",
        question: "Does the model attend more to the part of the prompt that holds the answer than to the parts \
                   that do not? Above 0 the relevant part gets more attention per token; 0.69 is twice as much.",
        tasks: Vec::new(),
        findings: Vec::new(),
        missing: None,
    };
    let names = RATIOS.ask(catalog, &[("study", &request.study), ("model", &request.model)])?;
    for conditions in tasks {
        let mut read = Vec::new();
        let declared = Rc::new(DeclaredContrasts::read(catalog, request, conditions, "attention_ratios")?);
        for row in names.rows_where("task", &conditions.task)? {
            read.push(read_ratio(catalog, request, (conditions, row), &declared)?);
        }
        if read.is_empty() {
            continue;
        }
        section.findings.extend(read.first().map(|r| Finding {
            task: conditions.task.clone(),
            topic: "Attention",
            text: r.sentence(),
            brief: r.brief(),
        }));
        let figures = read.iter().enumerate().map(|(i, r)| r.figure(i > 0)).collect();
        section.tasks.push(TaskFigures { task: conditions.task.clone(), figures });
    }
    if section.tasks.is_empty() {
        section.missing = Some(request.missing("attention_ratios", "analyze"));
    }
    Ok(section)
}

fn read_ratio<'a>(
    catalog: &Catalog,
    request: &ReportRequest,
    (conditions, name): (&'a Conditions, Row<'_>),
    declared: &Rc<DeclaredContrasts>,
) -> Result<Ratio<'a>, ReportError> {
    let text = |column: &str| name.text(column).map(str::to_owned);
    let (label, query, relevant, irrelevant) =
        (text("name")?, text("query")?, text("relevant")?, text("irrelevant")?);
    let places = [
        ("study", request.study.as_str()),
        ("model", request.model.as_str()),
        ("task", conditions.task.as_str()),
        ("name", label.as_str()),
    ];
    let answer = ATTENTION.ask(catalog, &places)?;
    let cells = answer.rows().map(cell).collect::<Result<_, _>>()?;
    Ok(Ratio {
        query,
        relevant,
        irrelevant,
        conditions,
        cells,
        label,
        declared: Rc::clone(declared),
        sql: answer.sql,
    })
}

fn cell(row: Row<'_>) -> Result<Cell, ReportError> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    Ok(Cell {
        condition: text("condition")?,
        layer: row.integer("layer")?,
        head: row.integer("head")?,
        reduction: text("head_reduction")?,
        log_ratio: row.estimate("log_ratio", "ci_low", "ci_high")?,
        contrast: row.estimate("contrast", "contrast_ci_low", "contrast_ci_high")?,
        contrast_with: text("contrast_with")?,
        change: row.estimate("change", "change_ci_low", "change_ci_high")?,
        change_q_value: row.optional_number("change_q_value")?,
        change_p_value_fwer: row.optional_number("change_p_value_fwer")?,
        p_value_fwer: row.optional_number("p_value_fwer")?,
        reference: row.optional_text("reference_condition")?.map(str::to_owned),
        first_token_mass: row.optional_number("first_token_mass")?,
        without_first_token: row.optional_number("contrast_without_first_token")?,
        n_contrasted: row.integer("n_contrasted")?,
        n_zero_mass: row.integer("n_zero_mass")?,
        n_excluded: row.integer("n_excluded")?,
        n_clusters: row.integer("n_clusters")?,
        cluster: text("cluster")?,
        confidence: row.number("confidence")?,
        q_value: row.optional_number("q_value")?,
        top_head: row.optional_integer("top_head")?,
        reason: row.optional_text("reason")?.map(str::to_owned),
    })
}

/// `role = 'final'` as `final`; other SQL as it is.
fn short(sql: &str) -> String {
    let mut parts = sql.split('\'');
    let (before, value, after) = (parts.next(), parts.next(), parts.next());
    match (before.map(str::trim), value, after.map(str::trim), parts.next()) {
        (Some("role ="), Some(value), Some(""), None) => value.to_owned(),
        _ => sql.to_owned(),
    }
}

impl Ratio<'_> {
    fn name(&self) -> String {
        format!(
            "attention from “{}” to “{}” over “{}”",
            short(&self.query),
            short(&self.relevant),
            short(&self.irrelevant)
        )
    }

    fn shown(&self) -> Vec<Condition> {
        let known: BTreeSet<&str> =
            self.cells.iter().filter(|c| c.log_ratio.is_some()).map(|c| c.condition.as_str()).collect();
        self.conditions.all.iter().filter(|c| known.contains(c.name.as_str())).cloned().collect()
    }

    fn of<'c>(&'c self, reduction: &'c str, condition: &'c str) -> impl Iterator<Item = &'c Cell> {
        self.cells
            .iter()
            .filter(move |c| c.reduction == reduction && c.condition == condition && c.log_ratio.is_some())
    }

    fn sentence(&self) -> String {
        let shown = self.shown();
        // The last condition that is compared with another, or the last of all.
        let is_compared = |c: &&Condition| self.of("mean", &c.name).any(|cell| cell.change.is_some());
        let Some(last) = shown.iter().rev().find(is_compared).or(shown.last()) else {
            return format!("The ratio of {} could not be computed.", self.name());
        };
        let value = |c: &Cell| c.contrast.map_or(f64::NEG_INFINITY, |e| e.value);
        let Some(top) = self.of("mean", &last.name).max_by(|a, b| value(a).total_cmp(&value(b))) else {
            return format!("The ratio of {} with heads combined could not be computed.", self.name());
        };
        let Some(estimate) = top.contrast else { return String::new() };
        let (above, below, n) = self.tally(&last.name);
        let mut text = format!(
            "In {}, attention from “{}” favours “{}” over {} at {above} of {n} layers and does the reverse at {below} \
             (heads combined by mean, n = {}); the highest log contrast is {} at layer {} ({}), {} times the attention per \
             token.",
            last.name,
            short(&self.query),
            short(&self.relevant),
            self.compared_with(),
            count(top.n_contrasted as usize, "prompt"),
            number(estimate.value),
            top.layer,
            interval(estimate),
            number(estimate.value.exp())
        );
        text.push_str(&first_token_sentence(top));
        text.push_str(&self.heads_sentence(&last.name));
        text.push_str(&self.change_sentences(&last.name));
        text
    }

    /// How many single heads prefer the relevant part, corrected over all of them.
    fn heads_sentence(&self, condition: &str) -> String {
        let heads: Vec<&Cell> = self.of("none", condition).filter(|c| c.p_value_fwer.is_some()).collect();
        let is_reliable = |c: &&&Cell| c.p_value_fwer.is_some_and(|p| p < Q_LEVEL);
        let values = heads.iter().filter(is_reliable).filter_map(|c| Some(c.contrast?.value));
        let (above, below): (Vec<f64>, Vec<f64>) = values.partition(|value| *value > 0.0);
        if heads.is_empty() {
            return String::new();
        }
        format!(
            " Of {} single heads {} favour it and {} do the reverse (family-wise p < 0.05).",
            heads.len(),
            above.len(),
            below.len()
        )
    }

    /// What changes from the reference condition, over layers and over single heads, and in the declared contrasts.
    fn change_sentences(&self, condition: &str) -> String {
        let subject = format!("the preference for “{}”", short(&self.relevant));
        let mut text = String::new();
        let changed = |reduction| self.of(reduction, condition).filter(|c| c.change.is_some());
        if let Some(reference) = changed("mean").find_map(|c| c.reference.as_deref()) {
            let words = contrast(&self.conditions.find(reference), &self.conditions.find(condition));
            let change = |c: &Cell| {
                let place = Place::new(c.layer, "");
                Some(Change { place, estimate: c.change?, q_value: c.change_q_value })
            };
            if let Some(verdict) = judge(&changed("mean").filter_map(change).collect::<Vec<_>>()) {
                text.push_str(&format!(" {}", change_sentence(&words, &subject, &verdict)));
            }
            let tested: Vec<&Cell> = changed("none").filter(|c| c.change_p_value_fwer.is_some()).collect();
            let reliable = tested.iter().filter(|c| c.change_p_value_fwer.is_some_and(|p| p < Q_LEVEL));
            let size = |c: &Cell| c.change.map_or(0.0, |e| e.value.abs());
            let largest = reliable.clone().max_by(|a, b| size(a).total_cmp(&size(b)));
            if let Some((head, estimate)) = largest.and_then(|c| Some((c, c.change?))) {
                text.push_str(&format!(
                    " {} of {} single heads change (family-wise p < 0.05), most head {} of layer {}: {}.",
                    reliable.count(),
                    tested.len(),
                    head.head,
                    head.layer,
                    with_interval(estimate)
                ));
            } else if !tested.is_empty() {
                text.push_str(&format!(
                    " None of {} single heads changes reliably (family-wise p < 0.05).",
                    tested.len()
                ));
            }
        }
        text + &self.declared.sentences((&self.label, "mean"), &subject, self.conditions)
    }

    /// What relevant segments are compared with, in words.
    fn compared_with(&self) -> String {
        match self.cells.first().map(|c| c.contrast_with.as_str()) {
            Some("matched control") => "what stands in its position in other prompts".to_owned(),
            _ => format!("“{}”", short(&self.irrelevant)),
        }
    }

    fn brief(&self) -> String {
        let shown = self.shown();
        let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return String::new() };
        let (above, _, n) = self.tally(&last.name);
        let (before, ..) = self.tally(&first.name);
        let against = if first.name == last.name {
            String::new()
        } else {
            format!(", against {before} in {}", first.name)
        };
        format!("attention favours “{}” at {above} of {n} layers{against}", short(&self.relevant))
    }

    /// Layers reliably above zero, reliably below, and all.
    fn tally(&self, condition: &str) -> (usize, usize, usize) {
        let reliable: Vec<f64> = self
            .of("mean", condition)
            .filter(|c| c.q_value.is_some_and(|q| q < Q_LEVEL))
            .filter_map(|c| c.contrast)
            .filter(|e| e.excludes_zero())
            .map(|e| e.value)
            .collect();
        let above = reliable.iter().filter(|v| **v > 0.0).count();
        (above, reliable.len() - above, self.of("mean", condition).count())
    }

    fn figure(&self, is_secondary: bool) -> Figure {
        let entry = |c: Condition| LegendEntry {
            name: c.name,
            color: c.color,
            mark: if c.is_in_series { LegendMark::Line } else { LegendMark::Dashed },
        };
        let mut panels = vec![
            self.line_panel("Contrast, heads combined by mean", "mean"),
            self.line_panel("Log-ratio, head with the largest (max)", "max"),
        ];
        panels.extend(self.head_panels());
        Figure {
            title: sentence_case(&self.name()),
            takeaway: self.sentence(),
            method: self.method(),
            legend: self.shown().into_iter().map(entry).collect(),
            panels,
            gaps: self.gaps(),
            caveats: vec![
                "Attention is not explanation: a large ratio does not show that the answer comes from there.".to_owned(),
                "The maximum over heads is high by construction; compare it between conditions, not with 0.".to_owned(),
                "Much attention rests on the first token whatever it says; a segment that holds it gets that attention too."
                    .to_owned(),
                "Observational, in a small model.".to_owned(),
            ],
            sql: std::iter::once(self.sql.clone()).chain(self.declared.sql.clone()).collect(),
            is_secondary,
            ..Figure::default()
        }
    }

    fn method(&self) -> String {
        let most = self.cells.iter().map(|c| c.n_contrasted).max().unwrap_or(0) as usize;
        let zero = self.cells.iter().map(|c| c.n_zero_mass).max().unwrap_or(0);
        let excluded = self.cells.iter().map(|c| c.n_excluded).max().unwrap_or(0);
        format!(
            "Mean over prompts of the mean natural logarithm of attention mass per token of [{}], less that of {}, from \
             [{}]. n = at most {} a condition; up to {excluded} were left out for want of a query or of mass, up to {zero} of them at \
             some layer and head because a segment has no mass there. Bands: {} \
             intervals over {} clusters (equal {}). In the text a layer counts where its interval excludes 0 and q < 0.05, a \
             single head where its family-wise p (random signs of clusters, over layers and heads) < 0.05.",
            self.relevant,
            self.compared_with(),
            self.query,
            count(most, "prompt"),
            coverage(self.cells.first().map_or(0.0, |c| c.confidence)),
            self.cells.iter().map(|c| c.n_clusters).max().unwrap_or(0),
            self.cells.first().map(|c| c.cluster.as_str()).unwrap_or_default(),
        )
    }

    fn line_panel(&self, title: &str, reduction: &str) -> Panel {
        let of = |condition: Condition| {
            let mut points: Vec<Point> = self.of(reduction, &condition.name).map(point).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series { name: condition.name, color: condition.color, is_aside: !condition.is_in_series, points }
        };
        let series: Vec<Series> = self.shown().into_iter().map(of).collect();
        let places: Vec<Place> = self.cells.iter().map(|c| Place::new(c.layer, "")).collect();
        let y = AxisPlan::titled(if reduction == "max" {
            "log-ratio (per token)"
        } else {
            "log contrast (per token)"
        });
        let zero = Reference { name: "zero".to_owned(), y: 0.0 };
        lines(title, Axes { x: layer_axis(places.iter()), y }, &series, &[zero])
    }

    /// The last condition, and its difference from the first, by layer and head.
    fn head_panels(&self) -> Vec<Panel> {
        let shown: Vec<Condition> = self.shown().into_iter().filter(|c| c.is_in_series).collect();
        let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return Vec::new() };
        let values = |condition: &Condition| -> BTreeMap<(i64, i64), f64> {
            let cells = self.of("none", &condition.name);
            cells.filter_map(|c| Some(((c.head, c.layer), c.contrast?.value))).collect()
        };
        let (before, after) = (values(first), values(last));
        if after.is_empty() {
            return Vec::new();
        }
        let difference =
            after.iter().filter_map(|(at, v)| Some((*at, v - before.get(at)?))).collect::<BTreeMap<_, _>>();
        let mut panels = vec![head_map(&format!("Every head, {}", last.name), &after, "log contrast")];
        if first.name != last.name && !difference.is_empty() {
            let title = format!("Every head, {} minus {}", last.name, first.name);
            panels.push(head_map(&title, &difference, "difference of log contrasts"));
        }
        panels
    }

    fn gaps(&self) -> Vec<String> {
        let mut by_reason: BTreeMap<(Option<&str>, &str, &str), Vec<i64>> = BTreeMap::new();
        for cell in self.cells.iter().filter(|c| c.log_ratio.is_none()) {
            by_reason
                .entry((cell.reason.as_deref(), &cell.condition, &cell.reduction))
                .or_default()
                .push(cell.layer);
        }
        let say = |((reason, condition, reduction), layers): (&(Option<&str>, &str, &str), &Vec<i64>)| {
            let heads = if *reduction == "none" { "single heads" } else { reduction };
            format!(
                "Not computed in {condition} ({heads}), layers {}: {}.",
                layer_ranges(layers),
                reason_words(*reason)
            )
        };
        by_reason.iter().map(say).collect()
    }
}

/// How much attention the first token draws, and what the contrast is without it.
fn first_token_sentence(cell: &Cell) -> String {
    let Some(mass) = cell.first_token_mass else { return String::new() };
    let without = cell.without_first_token.map_or_else(String::new, |value| {
        format!("; with it left out of the segments that hold it, the contrast is {}", number(value))
    });
    format!(" There {} of the attention goes to the first token{without}.", percent(mass))
}

fn head_map(title: &str, values: &BTreeMap<(i64, i64), f64>, value_title: &str) -> Panel {
    let heads: BTreeSet<i64> = values.keys().map(|k| k.0).collect();
    let layers: BTreeSet<i64> = values.keys().map(|k| k.1).collect();
    let row = |&head: &i64| layers.iter().map(|&layer| values.get(&(head, layer)).copied()).collect();
    let sizes: Vec<f64> = values.values().map(|v| v.abs()).collect();
    let limit = percentile(&sizes, 99.0).filter(|l| *l > 0.0).unwrap_or(1.0);
    let grid = Grid {
        columns: layers.iter().map(ToString::to_string).collect(),
        rows: heads.iter().map(ToString::to_string).collect(),
        values: heads.iter().map(row).collect(),
        value_title: value_title.to_owned(),
        is_matrix: false,
    };
    heat_map(title, AxisTitles { x: "layer", y: "head" }, &grid, Scale::Diverging(limit))
}

fn point(cell: &Cell) -> Point {
    let shown = if cell.reduction == "max" { cell.log_ratio } else { cell.contrast };
    let said = shown.map_or_else(|| "not computed".to_owned(), with_interval);
    let head = cell.top_head.map_or_else(String::new, |h| format!(", most often head {h}"));
    let q_value = cell.q_value.map_or_else(String::new, |q| format!(", q = {q:.3}"));
    Point {
        x: cell.layer as f64,
        y: shown.map(|e| e.value),
        low: shown.and_then(|e| e.low),
        high: shown.and_then(|e| e.high),
        hover: format!("{}, layer {}: {said}{q_value}{head}", cell.condition, cell.layer),
        is_marked: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_shortly_and_other_sql_as_it_is() {
        assert_eq!(short("role = 'final'"), "final");
        assert_eq!(short("role = 'a' OR role = 'b'"), "role = 'a' OR role = 'b'");
        assert_eq!(short("segment = 3"), "segment = 3");
    }
}
