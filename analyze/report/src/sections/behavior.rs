//! Behaviour by condition: how good the answers are, with intervals from a bootstrap over clusters.

mod empty_responses;

use super::SectionInputs;
use crate::chart::{Axes, AxisPlan, Point, Reference, Series, intervals};
use crate::conditions::{Condition, Conditions, contrast};
use crate::declared_contrasts::DeclaredContrasts;
use crate::error::ReportError;
use crate::figure::{Figure, LegendEntry, LegendMark, Section, TaskFigures};
use crate::palette;
use crate::question::{Question, question};
use crate::request::{Finding, ReportRequest};
use crate::resampling::{CONFIDENCE, ItemScores, N_RESAMPLES, SEED, Statistic};
use crate::wording::{
    Estimate, count, coverage, interval, number, percent, sentence_case, signed, thousands, with_interval,
    words,
};
use empty_responses::EmptyResponses;
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_catalog::expression::Expression;
use hypercolumn_schemas::tables::SAMPLED;
use std::collections::{BTreeMap, BTreeSet};

const SUMMARY: Question = question!("report_behavior");
const ITEMS: Question = question!("report_behavior_items");
const CHANCE: Question = question!("report_chance");

/// The metric of candidates, and the beginning of those by length.
const FORCED_CHOICE: &str = "forced_choice";

const MEAN_COLOR: &str = "#5e1894";
const MEDIAN_COLOR: &str = "#d0762a";

/// How a metric is shown and read.
struct MetricPlan {
    title: String,
    unit: String,
    /// Whether less is better; `None` where it is not known.
    less_is_better: Option<bool>,
    /// What stands for the condition in sentences.
    statistic: Statistic,
    is_share: bool,
}

fn plan(metric: &str) -> MetricPlan {
    if let Some(metric) = metric.strip_prefix(SAMPLED) {
        let greedy = plan(metric);
        return MetricPlan { title: format!("{}, drawn responses", greedy.title), ..greedy };
    }
    let (title, unit, less_is_better, statistic, is_share) = match metric {
        "absolute_error" => {
            ("Absolute error", "absolute error (units of the answer)", Some(true), Statistic::Median, false)
        }
        "contains" => {
            ("Expected answer in the response", "share of items", Some(false), Statistic::Mean, true)
        }
        "exact_match" | "first_line" => {
            ("Response is the expected answer", "share of items", Some(false), Statistic::Mean, true)
        }
        "numeric" => ("Number within the tolerance", "share of items", Some(false), Statistic::Mean, true),
        "expected_logprob" => (
            "Log-probability of the expected answer",
            "log-probability (nats)",
            Some(false),
            Statistic::Mean,
            false,
        ),
        FORCED_CHOICE => {
            ("Forced choice among the candidates", "share of items", Some(false), Statistic::Mean, true)
        }
        "forced_choice_per_token" => {
            ("Forced choice, per token", "share of items", Some(false), Statistic::Mean, true)
        }
        "forced_choice_per_character" => {
            ("Forced choice, per character", "share of items", Some(false), Statistic::Mean, true)
        }
        "forced_choice_pmi" => {
            ("Forced choice, by mutual information", "share of items", Some(false), Statistic::Mean, true)
        }
        other => {
            let title = sentence_case(&words(other));
            return MetricPlan {
                unit: words(other),
                title,
                less_is_better: None,
                statistic: Statistic::Mean,
                is_share: false,
            };
        }
    };
    let (title, unit) = (title.to_owned(), unit.to_owned());
    MetricPlan { title, unit, less_is_better, statistic, is_share }
}

/// Numbers of one metric and condition.
struct Tally {
    mean: Option<f64>,
    median: Option<f64>,
    n_items: usize,
    n_responses: usize,
    n_scored: usize,
}

/// Everything about the behaviour of one task.
struct TaskBehavior<'a> {
    conditions: &'a Conditions,
    /// Metric and condition.
    tallies: BTreeMap<String, BTreeMap<String, Tally>>,
    scores: BTreeMap<String, ItemScores>,
    /// SQL whose values the resampled clusters have in common.
    cluster: String,
    n_clusters: usize,
    chance: BTreeMap<String, f64>,
    empty: EmptyResponses,
    sql: Vec<String>,
}

/// The section.
///
/// # Errors
/// When a question cannot be answered.
pub fn behavior_section(inputs: SectionInputs<'_>) -> Result<Section, ReportError> {
    let SectionInputs { catalog, request, tasks } = inputs;
    let mut section = Section {
        id: "behavior",
        title: "Behaviour by condition",
        question: "Do the answers get better when the prompt shows more examples?",
        tasks: Vec::new(),
        findings: Vec::new(),
        missing: None,
    };
    for conditions in tasks {
        let task = read_task(catalog, request, conditions)?;
        if task.tallies.is_empty() {
            continue;
        }
        let declared = DeclaredContrasts::read(catalog, request, conditions, "behavior")?;
        let mut sentences = task.sentences();
        for metric in task.tallies.keys() {
            let said = declared.sentences((metric, ""), &words(metric), conditions);
            sentences.extend((!said.is_empty()).then(|| said.trim_start().to_owned()));
        }
        section.findings.extend(task.finding(&sentences));
        let figures = vec![task.figure(&sentences)];
        section.tasks.push(TaskFigures { task: conditions.task.clone(), figures });
    }
    if section.tasks.is_empty() {
        section.missing = Some(request.missing("behavior", "analyze"));
    }
    Ok(section)
}

fn read_task<'a>(
    catalog: &Catalog,
    request: &ReportRequest,
    conditions: &'a Conditions,
) -> Result<TaskBehavior<'a>, ReportError> {
    let of_model = [("model", request.model.as_str()), ("task", conditions.task.as_str())];
    let [model, task] = of_model;
    let places = [("study", request.study.as_str()), model, task];
    let summary = SUMMARY.ask(catalog, &places)?;
    let cluster = request.cluster(&conditions.task).unwrap_or("item_id");
    let expression = Expression { entry: &conditions.task, key: "cluster", sql: cluster };
    let items = ITEMS.ask_about(catalog, expression, &places.map(|(name, value)| (name, value.into())))?;
    let chance = CHANCE.ask(catalog, &of_model)?;
    let mut tallies: BTreeMap<String, BTreeMap<String, Tally>> = BTreeMap::new();
    for row in summary.rows() {
        let tally = Tally {
            mean: row.optional_number("mean")?,
            median: row.optional_number("median")?,
            n_items: row.integer("n_items")? as usize,
            n_responses: row.integer("n_responses")? as usize,
            n_scored: row.integer("n_scored")? as usize,
        };
        let of_metric = tallies.entry(row.text("metric")?.to_owned()).or_default();
        of_metric.insert(row.text("condition")?.to_owned(), tally);
    }
    let mut scores: BTreeMap<String, ItemScores> = BTreeMap::new();
    let mut clusters = BTreeSet::new();
    for row in items.rows() {
        // The question gives items with a score; a cluster without a name is the cluster of all such prompts.
        let cluster = row.optional_text("cluster")?.unwrap_or_default();
        clusters.insert(cluster);
        let of_metric = scores.entry(row.text("metric")?.to_owned()).or_default();
        of_metric.insert(row.text("condition")?, row.text("item_id")?, cluster, row.number("score")?);
    }
    let (cluster, n_clusters) = (cluster.to_owned(), clusters.len());
    let chance = chance.rows().map(|row| Ok((row.text("condition")?.to_owned(), row.number("chance")?)));
    let chance: BTreeMap<String, f64> = chance.collect::<Result<_, ReportError>>()?;
    let empty = EmptyResponses::read(catalog, request, conditions)?;
    let mut sql = vec![summary.sql, items.sql];
    sql.extend(empty.sentence().map(|_| empty.sql.clone()));
    Ok(TaskBehavior { conditions, tallies, scores, cluster, n_clusters, chance, empty, sql })
}

impl TaskBehavior<'_> {
    fn shown(&self, metric: &str) -> Vec<&Condition> {
        let known = &self.tallies[metric];
        self.conditions.all.iter().filter(|c| known.contains_key(&c.name)).collect()
    }

    fn figure(&self, sentences: &[String]) -> Figure {
        let metrics: Vec<&String> = self.tallies.keys().collect();
        let has_median = metrics.iter().any(|m| !plan(m).is_share);
        let has_chance = metrics.iter().any(|m| m.starts_with(FORCED_CHOICE)) && !self.chance.is_empty();
        let entry = |name: &str, color: &str, mark| LegendEntry {
            name: name.to_owned(),
            color: color.to_owned(),
            mark,
        };
        let mut legend = vec![entry("mean", MEAN_COLOR, LegendMark::Point)];
        if has_median {
            legend.push(entry("median", MEDIAN_COLOR, LegendMark::OpenPoint));
        }
        if has_chance {
            legend.push(entry("chance", palette::REFERENCE, LegendMark::Reference));
        }
        Figure {
            title: "Quality of the answers".to_owned(),
            takeaway: sentences.join(" "),
            method: self.method(),
            legend,
            panels: metrics.iter().map(|m| self.panel(m)).collect(),
            gaps: self
                .empty
                .sentence()
                .into_iter()
                .chain(metrics.iter().filter_map(|m| self.gap(m)))
                .collect(),
            caveats: vec![
                "A small model: a level of performance here says little about large ones.".to_owned(),
                "A mean of errors is ruled by the worst answers; the median is not.".to_owned(),
            ],
            sql: self.sql.clone(),
            ..Figure::default()
        }
    }

    fn method(&self) -> String {
        let n_items = self.tallies.values().flat_map(|t| t.values()).map(|t| t.n_items).max().unwrap_or(0);
        format!(
            "n = at most {} a condition, in {} (equal {}). Bars are {} intervals over {} bootstrap resamples of clusters \
             (expanded percentiles, seed {SEED}); changes are taken within the same items.",
            count(n_items, "item"),
            count(self.n_clusters, "cluster"),
            self.cluster,
            coverage(CONFIDENCE),
            thousands(N_RESAMPLES)
        )
    }

    fn gap(&self, metric: &str) -> Option<String> {
        let missing: Vec<String> = self
            .shown(metric)
            .into_iter()
            .filter_map(|c| self.tallies[metric].get(&c.name).map(|t| (c, t)))
            .filter(|(_, t)| t.n_scored < t.n_responses)
            .map(|(c, t)| format!("{} of {} in {}", t.n_responses - t.n_scored, t.n_responses, c.name))
            .collect();
        let title = plan(metric).title;
        (!missing.is_empty()).then(|| {
            format!("{title}: undefined because nothing to score was found in {}.", missing.join(", "))
        })
    }

    fn panel(&self, metric: &str) -> crate::chart::Panel {
        let plan = plan(metric);
        let shown = self.shown(metric);
        let ticks =
            ((0..shown.len()).map(|i| i as f64).collect(), shown.iter().map(|c| c.name.clone()).collect());
        let x = AxisPlan {
            title: "condition".to_owned(),
            range: Some((-0.5, shown.len() as f64 - 0.5)),
            ticks: Some(ticks),
        };
        let mut series = vec![self.series(metric, &shown, Statistic::Mean)];
        if !plan.is_share {
            series.push(self.series(metric, &shown, Statistic::Median));
        }
        let chance: Vec<f64> = shown.iter().filter_map(|c| self.chance.get(&c.name).copied()).collect();
        let references = match chance.first() {
            Some(&y) if metric.starts_with(FORCED_CHOICE) => vec![Reference { name: "chance".to_owned(), y }],
            _ => Vec::new(),
        };
        let range = plan.is_share.then_some((-0.04, 1.04));
        let y = AxisPlan { title: plan.unit, range, ticks: None };
        intervals(&plan.title, Axes { x, y }, &series, &references)
    }

    fn series(&self, metric: &str, shown: &[&Condition], statistic: Statistic) -> Series {
        let (name, color, shift) = match statistic {
            Statistic::Mean => ("mean", MEAN_COLOR, -0.06),
            Statistic::Median => ("median", MEDIAN_COLOR, 0.06),
        };
        let points = shown.iter().enumerate().map(|(i, condition)| {
            let estimate = self.estimate(metric, &condition.name, statistic);
            let n = self.tallies[metric][&condition.name].n_items;
            let said = estimate.map_or_else(|| "not computed".to_owned(), with_interval);
            Point {
                x: i as f64 + shift,
                y: estimate.map(|e| e.value),
                low: estimate.and_then(|e| e.low),
                high: estimate.and_then(|e| e.high),
                hover: format!("{} · {name}: {said}, n = {n}", condition.name),
                is_marked: true,
            }
        });
        let points = points.collect();
        Series { name: name.to_owned(), color: color.to_owned(), is_aside: false, points }
    }

    fn estimate(&self, metric: &str, condition: &str, statistic: Statistic) -> Option<Estimate> {
        let tally = self.tallies.get(metric)?.get(condition)?;
        let value = match statistic {
            Statistic::Mean => tally.mean?,
            Statistic::Median => tally.median?,
        };
        let interval = self.scores.get(metric).and_then(|s| s.level_interval(condition, statistic));
        Some(Estimate {
            value,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
            confidence: CONFIDENCE,
        })
    }

    /// One sentence a metric, the one that tells most first.
    fn sentences(&self) -> Vec<String> {
        self.metrics_by_interest().into_iter().filter_map(|m| self.sentence(m)).collect()
    }

    fn metrics_by_interest(&self) -> Vec<&String> {
        let order = [
            "absolute_error",
            FORCED_CHOICE,
            "expected_logprob",
            "contains",
            "exact_match",
            "first_line",
            "numeric",
        ];
        let mut metrics: Vec<&String> = self.tallies.keys().collect();
        metrics.sort_by_key(|m| order.iter().position(|o| o == m).unwrap_or(order.len()));
        metrics
    }

    fn finding(&self, sentences: &[String]) -> Option<Finding> {
        let text = sentences.first()?.clone();
        let metric = self.metrics_by_interest().into_iter().find(|m| self.sentence(m).is_some())?;
        let plan = plan(metric);
        let (first, last) = self.conditions.ends()?;
        let level = |c: &Condition| self.estimate(metric, &c.name, plan.statistic).map(|e| e.value);
        let write = |v: f64| if plan.is_share { percent(v) } else { number(v) };
        let levels = format!("{} to {}", write(level(first)?), write(level(last)?));
        let change = self.scores.get(metric)?.change(&first.name, &last.name, plan.statistic)?.estimate;
        let brief = match (change.excludes_zero(), change.value > 0.0) {
            (false, _) => format!("{} does not change reliably ({levels})", subject(metric, plan.statistic)),
            (true, true) => format!("{} rises from {levels}", subject(metric, plan.statistic)),
            (true, false) => format!("{} falls from {levels}", subject(metric, plan.statistic)),
        };
        Some(Finding { task: self.conditions.task.clone(), topic: "Answers", text, brief })
    }

    fn sentence(&self, metric: &str) -> Option<String> {
        let plan = plan(metric);
        let (first, last) = self.conditions.ends()?;
        let level = |c: &Condition| self.estimate(metric, &c.name, plan.statistic).map(|e| e.value);
        let (before, after) = (level(first)?, level(last)?);
        let found = self.scores.get(metric)?.change(&first.name, &last.name, plan.statistic)?;
        let change = found.estimate;
        let write = |v: f64| if plan.is_share { percent(v) } else { number(v) };
        let subject = subject(metric, plan.statistic);
        let contrast = sentence_case(&contrast(first, last));
        let size = format!(
            "change {}, {}, n = {} in {}",
            signed(change.value),
            interval(change),
            count(found.n_items, "item"),
            count(found.n_clusters, "cluster")
        );
        let levels = format!("from {} to {}", write(before), write(after));
        let chance = self.chance.get(&last.name).filter(|_| metric.starts_with(FORCED_CHOICE));
        let chance = chance.map_or_else(String::new, |c| format!("; chance is {}", percent(*c)));
        Some(if !change.excludes_zero() {
            format!(
                "{contrast}, {subject} does not change reliably: {levels} ({size}, which includes 0){chance}."
            )
        } else {
            let direction = if change.value > 0.0 { "rises" } else { "falls" };
            let good = match plan.less_is_better.map(|less| less == (change.value < 0.0)) {
                Some(true) => ", an improvement",
                Some(false) => ", which is worse",
                None => "",
            };
            format!("{contrast}, {subject} {direction} {levels} ({size}){good}{chance}.")
        })
    }
}

/// What a metric's statistic is, in words.
fn subject(metric: &str, statistic: Statistic) -> String {
    if let Some(metric) = metric.strip_prefix(SAMPLED) {
        return format!("{} over drawn responses", subject(metric, statistic));
    }
    match (metric, statistic) {
        ("contains", _) => "the share of responses that hold the expected answer".to_owned(),
        ("exact_match", _) => "the share of responses that are the expected answer".to_owned(),
        ("first_line", _) => "the share of responses whose first line is the expected answer".to_owned(),
        ("numeric", _) => "the share of numbers within the tolerance".to_owned(),
        (FORCED_CHOICE, _) => "the share of right forced choices".to_owned(),
        ("forced_choice_per_token", _) => "the share of right forced choices per token".to_owned(),
        ("forced_choice_per_character", _) => "the share of right forced choices per character".to_owned(),
        ("expected_logprob", _) => "the mean log-probability of the expected answer".to_owned(),
        (_, Statistic::Median) => format!("the median {}", words(metric)),
        (_, Statistic::Mean) => format!("the mean {}", words(metric)),
    }
}
