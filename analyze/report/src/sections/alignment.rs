//! Alignment of representations with hypotheses, by layer and condition: one figure a hypothesis, each
//! normalization in a panel of its own, and the change from the reference condition.

mod rows;

use super::SectionInputs;
use crate::chart::{Axes, AxisPlan, Panel, Point, Reference, Series, lines};
use crate::conditions::{Conditions, contrast};
use crate::declared_contrasts::DeclaredContrasts;
use crate::error::ReportError;
use crate::figure::{Figure, LegendEntry, LegendMark, Section, TaskFigures};
use crate::layers::{Change, Place, Q_LEVEL, Verdict, change_sentence, judge, layer_axis};
use crate::question::{Question, question};
use crate::request::{Finding, ReportRequest};
use crate::wording::{Estimate, count, layer_ranges, reason_words, sentence_case, with_interval};
use hypercolumn_catalog::catalog::Catalog;
use rows::{Cell, Setting, cell, inference, preference, setting};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const HYPOTHESES: Question = question!("report_hypotheses");
const ALIGNMENT: Question = question!("report_alignment");

const ROGUE: &str = "A few rogue dimensions dominate cosine in transformers, so the standardized result leads and \
     the raw one stands beside it.";
const CHOSEN_LAYER: &str = "The layer named is the one of the largest change, picked after looking: its size there is \
     an optimistic estimate.";
const CHEAP: &str = "Permutation tests ask whether permuted units would fit as well. They treat units as \
     exchangeable, which is cheap, and do not protect against what goes with the hypothesis, such as \
     shared words or length.";
const OBSERVATIONAL: &str =
    "Alignment is observational: it does not show that the model uses what it aligns with.";

/// The layer at which a task's alignment changes most, for the similarity matrices.
#[derive(Clone, Debug)]
pub struct ChosenLayer {
    pub(super) hypothesis: String,
    pub(super) place: Place,
    /// Site in the layer.
    pub(super) site: String,
    /// Role of the pooled segment.
    pub(super) role: String,
    pub(super) pooling: String,
    pub(super) normalization: String,
    pub(super) similarity: String,
    /// Whether the change is reliable.
    pub(super) is_reliable: bool,
}

/// The candidates of each task for a closer look, most changed first.
pub type ChosenLayers = BTreeMap<String, Vec<ChosenLayer>>;

/// One hypothesis of one task, read.
struct Hypothesis<'a> {
    name: String,
    is_control: bool,
    conditions: &'a Conditions,
    setting: Setting,
    others: Vec<Setting>,
    cells: Vec<Cell>,
    inference: String,
    declared: Rc<DeclaredContrasts>,
    sql: String,
}

/// The section, and the layers that the similarity matrices show.
///
/// # Errors
/// When a question cannot be answered.
pub fn alignment_section(inputs: SectionInputs<'_>) -> Result<(Section, ChosenLayers), ReportError> {
    let SectionInputs { catalog, request, tasks } = inputs;
    let mut section = Section {
        id: "alignment",
        title: "Alignment by layer",
        question: "Do prompts that share what a hypothesis names come to be represented alike, and at which \
                   layers does that change with examples?",
        tasks: Vec::new(),
        findings: Vec::new(),
        missing: None,
    };
    let mut chosen = BTreeMap::new();
    let names = HYPOTHESES.ask(catalog, &[("study", &request.study), ("model", &request.model)])?;
    for conditions in tasks {
        let mut read = Vec::new();
        let declared = Rc::new(DeclaredContrasts::read(catalog, request, conditions, "rsa")?);
        for row in names.rows_where("task", &conditions.task)? {
            let places = (conditions, row.text("hypothesis")?);
            read.extend(read_hypothesis(catalog, request, places, &declared)?);
        }
        if read.is_empty() {
            continue;
        }
        chosen.insert(conditions.task.clone(), read.iter().filter_map(Hypothesis::chosen).collect());
        section.findings.extend(leading(&read).map(Hypothesis::finding));
        let open = open_figures(&read);
        let figures = read.iter().map(|h| h.figure(!open.contains(&h.name))).collect();
        section.tasks.push(TaskFigures { task: conditions.task.clone(), figures });
    }
    if section.tasks.is_empty() {
        section.missing = Some(request.missing("rsa", "analyze"));
    }
    Ok((section, chosen))
}

/// The hypothesis that changes most and the first control stand open; the others are folded.
fn open_figures(read: &[Hypothesis<'_>]) -> BTreeSet<String> {
    leading(read).map(|h| h.name.clone()).collect()
}

fn leading<'h, 'a>(read: &'h [Hypothesis<'a>]) -> impl Iterator<Item = &'h Hypothesis<'a>> {
    let first = read.iter().find(|h| !h.is_control);
    let control = read.iter().find(|h| h.is_control);
    first.into_iter().chain(control)
}

fn read_hypothesis<'a>(
    catalog: &Catalog,
    request: &ReportRequest,
    (conditions, name): (&'a Conditions, &str),
    declared: &Rc<DeclaredContrasts>,
) -> Result<Option<Hypothesis<'a>>, ReportError> {
    let task = conditions.task.as_str();
    let places = [
        ("study", request.study.as_str()),
        ("model", request.model.as_str()),
        ("task", task),
        ("hypothesis", name),
    ];
    let answer = ALIGNMENT.ask(catalog, &places)?;
    let settings: BTreeSet<Setting> = answer.rows().map(setting).collect::<Result<_, _>>()?;
    let Some(main) = settings.iter().min_by_key(|s| preference(s)).cloned() else { return Ok(None) };
    let mut cells = Vec::new();
    for row in answer.rows() {
        if setting(row)? == main {
            cells.push(cell(row)?);
        }
    }
    Ok(Some(Hypothesis {
        name: name.to_owned(),
        is_control: request.is_control(task, name),
        conditions,
        others: settings.into_iter().filter(|s| *s != main).collect(),
        setting: main,
        cells,
        inference: inference(&answer)?,
        declared: Rc::clone(declared),
        sql: answer.sql,
    }))
}

impl Hypothesis<'_> {
    fn normalizations(&self) -> Vec<&str> {
        let known: BTreeSet<&str> = self.cells.iter().map(|c| c.normalization.as_str()).collect();
        let mut ordered: Vec<&str> = known.into_iter().collect();
        ordered.sort_by_key(|n| ["standardize", "center", "none"].iter().position(|k| k == n).unwrap_or(9));
        ordered
    }

    /// The condition compared with its reference in sentences: the last of the series that has changes.
    fn compared(&self) -> Option<(&str, &str)> {
        let with_change = |name: &str| {
            self.cells
                .iter()
                .find(|c| c.condition == name && c.change.is_some())
                .and_then(|c| c.reference.as_deref())
        };
        let mut series: Vec<&str> = self.conditions.series().map(|c| c.name.as_str()).collect();
        series.reverse();
        series.into_iter().find_map(|name| Some((with_change(name)?, name)))
    }

    fn changes(&self, condition: &str, normalization: &str) -> Vec<(&Cell, Change)> {
        let cells =
            self.cells.iter().filter(|c| c.condition == condition && c.normalization == normalization);
        cells
            .filter_map(|cell| {
                let (place, q_value) = (cell.place.clone(), cell.change_q_value);
                Some((cell, Change { place, estimate: cell.change?, q_value }))
            })
            .collect()
    }

    fn verdict(&self, normalization: &str) -> Option<Verdict> {
        let (_, last) = self.compared()?;
        judge(&self.changes(last, normalization).into_iter().map(|(_, c)| c).collect::<Vec<_>>())
    }

    /// `rho_a` as a name to read.
    fn comparison(&self) -> String {
        self.setting.comparison.replace('_', "-")
    }

    fn subject(&self) -> String {
        format!("alignment with “{}”", self.name)
    }

    fn sentence(&self) -> String {
        let normalization = self.normalizations().first().copied().unwrap_or_default();
        let Some(((first, last), verdict)) = self.compared().zip(self.verdict(normalization)) else {
            let level =
                self.conditions.series().last().map_or_else(String::new, |condition| {
                    self.level_sentence(&condition.name, normalization)
                });
            return format!("{level}No change of {} could be computed.", self.subject());
        };
        let contrast = contrast(&self.conditions.find(first), &self.conditions.find(last));
        let mut text = self.level_sentence(last, normalization);
        text.push_str(&change_sentence(&contrast, &self.subject(), &verdict));
        text.push_str(&self.declared_sentences(normalization));
        text.push_str(&self.rival_sentence(last, normalization));
        if self.is_control {
            text.push_str(if verdict.n_up > 0 {
                " This is a control that should not rise, so some of the change elsewhere may be unspecific."
            } else {
                " This is a control, and as it should, it does not rise."
            });
        }
        text
    }

    /// What the declared contrasts say, measured as the figure's rows are.
    fn declared_sentences(&self, normalization: &str) -> String {
        let Setting { role, pooling, similarity, comparison } = &self.setting;
        let variant = format!("{role}, {pooling}, {normalization}, {similarity}, {comparison}");
        self.declared.sentences((&self.name, &variant), &self.subject(), self.conditions)
    }

    /// At how many layers the hypothesis fits better than its rival, and at how many worse.
    fn rival_sentence(&self, condition: &str, normalization: &str) -> String {
        let is_compared = |c: &&Cell| c.condition == condition && c.normalization == normalization;
        let compared: Vec<&Cell> =
            self.cells.iter().filter(is_compared).filter(|c| c.rival_difference.is_some()).collect();
        let Some(rival) = compared.first().and_then(|c| c.rival.as_deref()) else { return String::new() };
        let is_reliable = |c: &&&Cell| c.rival_q_value.is_some_and(|q| q < Q_LEVEL);
        let reliable: Vec<f64> =
            compared.iter().filter(is_reliable).filter_map(|c| Some(c.rival_difference?.value)).collect();
        let better = reliable.iter().filter(|difference| **difference > 0.0).count();
        format!(
            " In {condition} it fits better than its rival [{rival}] at {better} of {} layers and worse at {} (q < 0.05).",
            compared.len(),
            reliable.len() - better
        )
    }

    /// At how many layers the alignment in a condition is more than chance.
    fn level_sentence(&self, condition: &str, normalization: &str) -> String {
        let of: Vec<&Cell> = self
            .cells
            .iter()
            .filter(|c| c.condition == condition && c.normalization == normalization && c.estimate.is_some())
            .collect();
        let above: Vec<&&Cell> = of.iter().filter(|c| c.p_value_fwer.is_some_and(|p| p < Q_LEVEL)).collect();
        let value = |c: &&&Cell| c.estimate.map_or(f64::NEG_INFINITY, |e| e.value);
        match above.iter().max_by(|a, b| value(a).total_cmp(&value(b))).and_then(|c| Some((c, c.estimate?))) {
            None if of.is_empty() => String::new(),
            None => format!(
                "In {condition}, {} is more than chance at none of {} layers (family-wise p < 0.05). ",
                self.subject(),
                of.len()
            ),
            Some((best, estimate)) => format!(
                "In {condition}, {} is more than chance at {} of {} layers (family-wise p < 0.05), most at {}: {}{}. ",
                self.subject(),
                above.len(),
                of.len(),
                best.place.name(),
                with_interval(estimate),
                best.unadjusted_clause()
            ),
        }
    }

    fn finding(&self) -> Finding {
        let verdict = self.normalizations().first().and_then(|n| self.verdict(n));
        let brief = match verdict.filter(|_| !self.is_control) {
            None => String::new(),
            Some(v) if v.n_up > 0 && v.n_down > 0 => {
                format!("{} rises at {} and falls at {} of {} layers", self.subject(), v.n_up, v.n_down, v.n)
            }
            Some(v) if v.n_up > 0 => format!("{} rises at {} of {} layers", self.subject(), v.n_up, v.n),
            Some(v) if v.n_down > 0 => format!("{} falls at {} of {} layers", self.subject(), v.n_down, v.n),
            Some(_) => format!("{} changes reliably at no layer", self.subject()),
        };
        Finding {
            task: self.conditions.task.clone(),
            topic: if self.is_control { "Control" } else { "Alignment" },
            text: self.sentence(),
            brief,
        }
    }

    fn raw_sentence(&self) -> String {
        let normalizations = self.normalizations();
        let (Some(lead), true) = (normalizations.first(), normalizations.contains(&"none")) else {
            return String::new();
        };
        let (Some(lead_verdict), Some(raw)) = (self.verdict(lead), self.verdict("none")) else {
            return String::new();
        };
        if *lead == "none" {
            return String::new();
        }
        let agrees =
            (lead_verdict.n_up > 0) == (raw.n_up > 0) && (lead_verdict.n_down > 0) == (raw.n_down > 0);
        format!(
            " Without normalization it rises at {} and falls at {} of {} layers{}.",
            raw.n_up,
            raw.n_down,
            raw.n,
            if agrees { ", the same picture" } else { ", a different picture: the result depends on it" }
        )
    }

    fn figure(&self, is_secondary: bool) -> Figure {
        let control = if self.is_control { " (control)" } else { "" };
        let mut panels: Vec<Panel> = self.normalizations().into_iter().map(|n| self.level_panel(n)).collect();
        panels.extend(self.change_panel());
        Figure {
            title: format!("Alignment with “{}”{control}", self.name),
            takeaway: self.sentence() + &self.raw_sentence(),
            method: self.method(),
            legend: self.legend(),
            panels,
            gaps: self.gaps(),
            caveats: [ROGUE, CHOSEN_LAYER, CHEAP, OBSERVATIONAL].map(str::to_owned).into(),
            sql: std::iter::once(self.sql.clone()).chain(self.declared.sql.clone()).collect(),
            is_secondary,
            ..Figure::default()
        }
    }

    fn method(&self) -> String {
        let Setting { role, pooling, similarity, .. } = &self.setting;
        let (similarity, comparison) = (sentence_case(similarity), self.comparison());
        let most = |n: fn(&Cell) -> i64| self.cells.iter().map(n).max().unwrap_or(0) as usize;
        let mut text = format!(
            "{similarity} similarity of {pooling}-pooled “{role}” states, compared with the hypothesis by \
             {comparison}. n = {} and {} a condition. Tests: {}. A level counts where its family-wise p < 0.05, a change \
             where its q < 0.05.",
            count(most(|c| c.n_prompts), "prompt"),
            count(most(|c| c.n_pairs), "pair"),
            self.inference
        );
        if !self.others.is_empty() {
            let other = |s: &Setting| format!("{}/{}/{}/{}", s.role, s.pooling, s.similarity, s.comparison);
            let others: Vec<String> = self.others.iter().map(other).collect();
            text.push_str(&format!(" Also in table rsa: {}.", others.join(", ")));
        }
        text
    }

    fn shown_conditions(&self) -> Vec<crate::conditions::Condition> {
        let known: BTreeSet<&str> = self.cells.iter().map(|c| c.condition.as_str()).collect();
        let mut shown: Vec<_> =
            self.conditions.all.iter().filter(|c| known.contains(c.name.as_str())).cloned().collect();
        let strangers = known.into_iter().filter(|n| !self.conditions.all.iter().any(|c| c.name == *n));
        shown.extend(strangers.map(|n| self.conditions.find(n)));
        shown
    }

    fn legend(&self) -> Vec<LegendEntry> {
        let entry = |c: crate::conditions::Condition| LegendEntry {
            name: c.name,
            color: c.color,
            mark: if c.is_in_series { LegendMark::Line } else { LegendMark::Dashed },
        };
        self.shown_conditions().into_iter().map(entry).collect()
    }

    fn level_panel(&self, normalization: &str) -> Panel {
        let point = |c: &Cell| point(&c.place, c.estimate, c.hover.clone());
        let series = self.series(|c| c.normalization == normalization, point);
        let x = layer_axis(self.cells.iter().map(|c| &c.place));
        let y = AxisPlan::titled(format!("alignment ({})", self.comparison()));
        let title = format!("Normalization: {normalization}");
        lines(&title, Axes { x, y }, &series, &[Reference { name: "zero".to_owned(), y: 0.0 }])
    }

    fn change_panel(&self) -> Option<Panel> {
        let normalization = self.normalizations().first().copied()?;
        let reference = self.compared()?.0;
        let point = |c: &Cell| {
            let said = c.change.map_or_else(|| "not computed".to_owned(), with_interval);
            let hover = format!("{}, {}: change {said}", c.condition, c.place.name());
            point(&c.place, c.change, hover)
        };
        let is_shown = |c: &Cell| c.normalization == normalization && c.change.is_some();
        let series = self.series(is_shown, point);
        let x = layer_axis(self.cells.iter().map(|c| &c.place));
        let y = AxisPlan::titled(format!("change of alignment ({})", self.comparison()));
        let title = format!("Change from {reference} ({normalization})");
        Some(lines(&title, Axes { x, y }, &series, &[Reference { name: "zero".to_owned(), y: 0.0 }]))
    }

    fn series(&self, is_shown: impl Fn(&Cell) -> bool, point: impl Fn(&Cell) -> Point) -> Vec<Series> {
        let of = |condition: crate::conditions::Condition| {
            let cells = self.cells.iter().filter(|c| c.condition == condition.name && is_shown(c));
            let mut points: Vec<Point> = cells.map(&point).collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series { name: condition.name, color: condition.color, is_aside: !condition.is_in_series, points }
        };
        self.shown_conditions().into_iter().map(of).filter(|s| !s.points.is_empty()).collect()
    }

    fn gaps(&self) -> Vec<String> {
        let mut by_reason: BTreeMap<(Option<&str>, &str, &str), Vec<i64>> = BTreeMap::new();
        for cell in self.cells.iter().filter(|c| c.estimate.is_none()) {
            let key = (cell.reason.as_deref(), cell.condition.as_str(), cell.normalization.as_str());
            by_reason.entry(key).or_default().push(cell.place.layer);
        }
        let say = |((reason, condition, normalization), layers): (&(Option<&str>, &str, &str), &Vec<i64>)| {
            format!(
                "Not computed in {condition} ({normalization}), layers {}: {}.",
                layer_ranges(layers),
                reason_words(*reason)
            )
        };
        by_reason.iter().map(say).collect()
    }

    fn chosen(&self) -> Option<ChosenLayer> {
        if self.is_control {
            return None;
        }
        let normalization = self.normalizations().first().copied()?;
        let verdict = self.verdict(normalization)?;
        let (_, last) = self.compared()?;
        let changes = self.changes(last, normalization);
        let cell = changes.iter().find(|(c, _)| c.place == verdict.largest.place)?.0;
        Some(ChosenLayer {
            hypothesis: self.name.clone(),
            place: cell.place.clone(),
            site: cell.site.clone(),
            role: self.setting.role.clone(),
            pooling: self.setting.pooling.clone(),
            normalization: normalization.to_owned(),
            similarity: self.setting.similarity.clone(),
            is_reliable: verdict.is_reliable(),
        })
    }
}

/// A point of a line over layers.
fn point(place: &Place, estimate: Option<Estimate>, hover: String) -> Point {
    Point {
        x: place.x(),
        y: estimate.map(|e| e.value),
        low: estimate.and_then(|e| e.low),
        high: estimate.and_then(|e| e.high),
        hover,
        is_marked: false,
    }
}
