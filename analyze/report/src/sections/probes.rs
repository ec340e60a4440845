//! Probe scores by layer and condition, beside the baseline and the level that a probe reaches by chance.

use super::SectionInputs;
use crate::chart::{Axes, AxisPlan, Panel, Point, Reference, Series, lines};
use crate::conditions::{Condition, Conditions};
use crate::error::ReportError;
use crate::figure::{Figure, LegendEntry, LegendMark, Section, TaskFigures};
use crate::layers::{Place, Q_LEVEL, layer_axis};
use crate::palette;
use crate::question::{Question, Row, question};
use crate::request::{Finding, ReportRequest};
use crate::wording::{
    Estimate, count, coverage, interval, layer_ranges, number, reason_words, with_interval, words,
};
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_stats::summary::mean;
use std::collections::{BTreeMap, BTreeSet};

const TARGETS: Question = question!("report_targets");
const PROBES: Question = question!("report_probes");

/// Below this, an R² is only "worse than the mean"; how much worse is not worth the height.
const LOWEST_R2: f64 = -0.6;

/// One row of `probes`.
struct Cell {
    setting: (String, String, String, String),
    condition: String,
    train_condition: Option<String>,
    place: Place,
    score: Option<Estimate>,
    baseline: Option<f64>,
    chance: Option<f64>,
    p_value_fwer: Option<f64>,
    n_repeats: i64,
    n_permutations: i64,
    n_prompts: i64,
    n_groups: Option<i64>,
    n_classes: Option<i64>,
    n_folds: i64,
    seed: String,
    reason: Option<String>,
}

/// One target of one task, at its leading setting and metric.
struct Target<'a> {
    name: String,
    conditions: &'a Conditions,
    probe: String,
    metric: String,
    states: String,
    others: usize,
    cells: Vec<Cell>,
    sql: String,
}

/// The section.
///
/// # Errors
/// When a question cannot be answered.
pub fn probes_section(inputs: SectionInputs<'_>) -> Result<Section, ReportError> {
    let SectionInputs { catalog, request, tasks } = inputs;
    let mut section = Section {
        id: "probes",
        title: "Probes",
        question: "What can a linear classifier or regression read from the states, on items it was not \
                   trained on?",
        tasks: Vec::new(),
        findings: Vec::new(),
        missing: None,
    };
    let names = TARGETS.ask(catalog, &[("study", &request.study), ("model", &request.model)])?;
    for conditions in tasks {
        let mut read = Vec::new();
        for row in names.rows_where("task", &conditions.task)? {
            read.extend(read_target(catalog, request, conditions, row.text("target")?)?);
        }
        if read.is_empty() {
            continue;
        }
        section.findings.extend(read.first().map(|t| Finding {
            task: conditions.task.clone(),
            topic: "Probe",
            text: t.sentence(),
            brief: String::new(),
        }));
        let figures = read.iter().enumerate().map(|(i, t)| t.figure(i > 0)).collect();
        section.tasks.push(TaskFigures { task: conditions.task.clone(), figures });
    }
    if section.tasks.is_empty() {
        section.missing = Some(request.missing("probes", "analyze"));
    }
    Ok(section)
}

fn read_target<'a>(
    catalog: &Catalog,
    request: &ReportRequest,
    conditions: &'a Conditions,
    name: &str,
) -> Result<Option<Target<'a>>, ReportError> {
    let places = [
        ("study", request.study.as_str()),
        ("model", request.model.as_str()),
        ("task", conditions.task.as_str()),
        ("target", name),
    ];
    let answer = PROBES.ask(catalog, &places)?;
    let cells: Vec<Cell> = answer.rows().map(cell).collect::<Result<_, _>>()?;
    let settings: BTreeSet<_> = cells.iter().map(|c| c.setting.clone()).collect();
    let others = settings.len().saturating_sub(1);
    let Some(main) = settings.into_iter().min_by_key(|(role, pooling, _, metric)| {
        let metric = ["balanced_accuracy", "r2"].iter().position(|m| m == metric).unwrap_or(9);
        (metric, role != "prompt", pooling != "mean", role.clone(), pooling.clone())
    }) else {
        return Ok(None);
    };
    let cells = cells.into_iter().filter(|c| c.setting == main).collect();
    let (role, pooling, probe, metric) = main;
    let states = format!("{pooling}-pooled “{role}” states");
    let name = name.to_owned();
    Ok(Some(Target { name, conditions, probe, metric, states, others, cells, sql: answer.sql }))
}

fn cell(row: Row<'_>) -> Result<Cell, ReportError> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    let optional = |column: &str| Ok::<_, ReportError>(row.optional_text(column)?.map(str::to_owned));
    Ok(Cell {
        setting: (text("role")?, text("pooling")?, text("probe")?, text("metric")?),
        condition: text("condition")?,
        train_condition: optional("train_condition")?,
        place: Place::new(row.integer("layer")?, row.text("site")?),
        score: row.estimate("score", "ci_low", "ci_high")?,
        baseline: row.optional_number("baseline")?,
        chance: row.optional_number("chance")?,
        p_value_fwer: row.optional_number("p_value_fwer")?,
        n_repeats: row.integer("n_repeats")?,
        n_permutations: row.integer("n_permutations")?,
        n_prompts: row.integer("n_prompts")?,
        n_groups: row.optional_integer("n_groups")?,
        n_classes: row.optional_integer("n_classes")?,
        n_folds: row.integer("n_folds")?,
        seed: text("seed")?,
        reason: optional("reason")?,
    })
}

impl Target<'_> {
    fn shown(&self) -> Vec<Condition> {
        let known: BTreeSet<&str> = self.cells.iter().map(|c| c.condition.as_str()).collect();
        self.conditions.all.iter().filter(|c| known.contains(c.name.as_str())).cloned().collect()
    }

    fn baseline(&self) -> Option<f64> {
        mean(&self.cells.iter().filter_map(|c| c.baseline).collect::<Vec<_>>())
    }

    fn of<'c>(&'c self, condition: &'c str) -> impl Iterator<Item = &'c Cell> {
        self.cells.iter().filter(move |c| c.condition == condition && c.score.is_some())
    }

    /// Layers whose score is more than chance, corrected over layers, and all layers.
    fn above_chance(&self, condition: &str) -> (usize, usize) {
        let is_above = |c: &&Cell| c.p_value_fwer.is_some_and(|p| p < Q_LEVEL);
        (self.of(condition).filter(is_above).count(), self.of(condition).count())
    }

    fn sentence(&self) -> String {
        let shown = self.shown();
        let mut series = shown.iter().filter(|c| c.is_in_series && self.of(&c.name).next().is_some());
        let Some(first) = series.next() else {
            return format!("No score for “{}” could be computed.", self.name);
        };
        let last = series.next_back();
        let condition = last.unwrap_or(first);
        let (above, n) = self.above_chance(&condition.name);
        let value = |c: &Cell| c.score.map_or(f64::NEG_INFINITY, |s| s.value);
        let Some(best) = self.of(&condition.name).max_by(|a, b| value(a).total_cmp(&value(b))) else {
            return String::new();
        };
        let (score, place) = (self.told(best), best.place.name());
        let text = if above == 0 {
            format!(
                "In {}, “{}” cannot be read better than by chance at any of {n} layers (family-wise p < 0.05); the \
                 best, at {place}, is {score}.",
                condition.name, self.name
            )
        } else {
            format!(
                "In {}, “{}” can be read better than by chance at {above} of {n} layers (family-wise p < 0.05), best at \
                 {place}: {score}.",
                condition.name, self.name
            )
        };
        if last.is_some() { text + &self.comparison(first, best) } else { text }
    }

    /// A score with its interval, baseline and chance level.
    fn told(&self, cell: &Cell) -> String {
        let mut text = words(&self.metric);
        if let Some(score) = cell.score {
            text.push_str(&format!(" {} ({})", number(score.value), interval(score)));
        }
        for (name, value) in [("baseline", cell.baseline), ("chance", cell.chance)] {
            if let Some(value) = value {
                text.push_str(&format!(", {name} {}", number(value)));
            }
        }
        text
    }

    fn comparison(&self, first: &Condition, best: &Cell) -> String {
        let other = self.of(&first.name).find(|c| c.place == best.place).and_then(|c| c.score);
        let (Some(before), Some(after)) = (other, best.score) else { return String::new() };
        let overlap = match (before.low, before.high, after.low, after.high) {
            (Some(bl), Some(bh), Some(al), Some(ah)) => al <= bh && bl <= ah,
            _ => true,
        };
        let verdict = match (overlap, after.value > before.value) {
            (true, _) => "the intervals overlap, so no change is established",
            (false, true) => "higher with more examples",
            (false, false) => "lower with more examples",
        };
        format!(" At the same layer in {} it is {}: {verdict}.", first.name, with_interval(before))
    }

    fn figure(&self, is_secondary: bool) -> Figure {
        let baseline = self.baseline();
        let mut legend: Vec<LegendEntry> = self
            .shown()
            .into_iter()
            .map(|c| LegendEntry {
                name: c.name,
                color: c.color,
                mark: if c.is_in_series { LegendMark::Line } else { LegendMark::Dashed },
            })
            .collect();
        if baseline.is_some() {
            let (name, color) = ("baseline".to_owned(), palette::REFERENCE.to_owned());
            legend.push(LegendEntry { name, color, mark: LegendMark::Reference });
        }
        Figure {
            title: format!("Reading “{}”", self.name),
            takeaway: self.sentence(),
            method: self.method(),
            legend,
            panels: vec![
                self.panel("Probe", Shown::Score),
                self.panel("Chance: refits to permuted targets", Shown::Chance),
            ],
            gaps: self.gaps(),
            caveats: vec![
                "A probe shows what can be read from a state, not what the model uses.".to_owned(),
                "A score counts for its distance from chance, not for itself; words alone may carry it, which layer 0 \
                 shows."
                    .to_owned(),
                "The layer named is the best one, picked after looking, so its score is optimistic."
                    .to_owned(),
            ],
            sql: vec![self.sql.clone()],
            is_secondary,
            ..Figure::default()
        }
    }

    fn method(&self) -> String {
        let Some(cell) = self.cells.first() else { return String::new() };
        let classes = cell.n_classes.map_or_else(String::new, |n| {
            format!(" ({})", count(n as usize, "class").replace("classs", "classes"))
        });
        let others = match self.others {
            0 => String::new(),
            n => format!(
                " Also in table probes: {}.",
                count(n, "further combination of role, pooling, probe and metric")
                    .replace("metrics", "metric")
            ),
        };
        let trained = cell.train_condition.as_ref();
        let trained = trained.map_or_else(String::new, |name| format!(" trained on “{name}”, tested"));
        let groups = cell.n_groups.map_or_else(|| "groups".to_owned(), |n| count(n as usize, "group"));
        let most = self.cells.iter().map(|c| c.n_prompts).max().unwrap_or(0) as usize;
        format!(
            "{} probe{classes}{trained} on {}, {}. n = {} a condition in {}, kept whole over {} in {}; \
             {} refits to permuted targets; bands are {} intervals over groups and training sets, seed {}.{others}",
            crate::wording::sentence_case(&self.probe),
            self.states,
            words(&self.metric),
            count(most, "prompt"),
            groups,
            count(cell.n_folds as usize, "fold"),
            count(cell.n_repeats as usize, "fold plan"),
            cell.n_permutations,
            coverage(cell.score.map_or(0.0, |score| score.confidence)),
            cell.seed,
        )
    }

    /// Both panels share one scale, so that score and chance can be compared by eye.
    fn range(&self) -> Option<(f64, f64)> {
        let ends = |c: &Cell| {
            let score = c.score.into_iter().flat_map(|s| [Some(s.value), s.low, s.high]);
            score.chain([c.baseline, c.chance]).flatten().collect::<Vec<_>>()
        };
        let values: Vec<f64> = self.cells.iter().flat_map(ends).collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        let low = if self.metric == "r2" { low.max(LOWEST_R2) } else { low };
        let margin = 0.06 * (high - low).max(1e-6);
        Some((low - margin, high + margin))
    }

    fn panel(&self, title: &str, shown: Shown) -> Panel {
        let of = |condition: Condition| {
            let cells = self.cells.iter().filter(|c| c.condition == condition.name);
            let mut points: Vec<Point> = cells.map(|c| point(c, shown)).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series { name: condition.name, color: condition.color, is_aside: !condition.is_in_series, points }
        };
        let series: Vec<Series> = self.shown().into_iter().map(of).collect();
        let baseline = self.baseline().map(|y| Reference { name: "baseline".to_owned(), y });
        let x = layer_axis(self.cells.iter().map(|c| &c.place));
        let unit = if self.metric == "r2" { "R²".to_owned() } else { words(&self.metric) };
        let y = AxisPlan { title: unit, range: self.range(), ticks: None };
        lines(title, Axes { x, y }, &series, baseline.as_slice())
    }

    fn gaps(&self) -> Vec<String> {
        let mut by_reason: BTreeMap<(Option<&str>, &str), Vec<i64>> = BTreeMap::new();
        for cell in self.cells.iter().filter(|c| c.score.is_none()) {
            by_reason.entry((cell.reason.as_deref(), &cell.condition)).or_default().push(cell.place.layer);
        }
        let mut gaps: Vec<String> = by_reason
            .iter()
            .map(|((reason, condition), layers)| {
                format!(
                    "Not computed in {condition}, layers {}: {}.",
                    layer_ranges(layers),
                    reason_words(*reason)
                )
            })
            .collect();
        let lowest = |c: &Cell| [c.score.map(|s| s.value), c.chance].into_iter().flatten().reduce(f64::min);
        let n_below = self.cells.iter().filter_map(lowest).filter(|v| *v < LOWEST_R2).count();
        if self.metric == "r2" && n_below > 0 {
            gaps.push(format!(
                "At {n_below} points an R² lies below {} and is not drawn.",
                number(LOWEST_R2)
            ));
        }
        gaps
    }
}

/// What a panel shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Score,
    Chance,
}

fn point(cell: &Cell, shown: Shown) -> Point {
    let estimate = match shown {
        Shown::Chance => cell.chance.map(|value| Estimate { value, low: None, high: None, confidence: 0.0 }),
        Shown::Score => cell.score,
    };
    let said = estimate.map_or_else(|| "not computed".to_owned(), with_interval);
    Point {
        x: cell.place.x(),
        y: estimate.map(|e| e.value),
        low: estimate.and_then(|e| e.low),
        high: estimate.and_then(|e| e.high),
        hover: format!("{}, {}: {said}", cell.condition, cell.place.name()),
        is_marked: false,
    }
}
