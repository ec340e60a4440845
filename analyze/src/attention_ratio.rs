//! Attention ratios: how much more a query attends to relevant than to irrelevant segments.
//!
//! DuckDB adds up the masses of each prompt, layer and head; here they become ratios, heads are
//! combined within each prompt, and prompts are averaged.

use crate::catalog::Catalog;
use crate::columns::ask;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::{INDEX, TaskPrompts};
use crate::rows::{Cell, Outcome, correct};
use crate::settings::{AnalysisSettings, AttentionRatio};
use crate::stats::bootstrap::{BootstrapSettings, ItemDesign};
use crate::stats::paired::one_sample_t;
use crate::stats::resampling::bootstrap_mean;
use crate::stats::summary::mean;
use duckdb::params;
use hypercolumn_schemas::{Progress, tables};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Raised when a value of `attention_ratios` would come out differently.
pub(crate) const CODE_VERSION: u32 = 1;

/// Rows that are corrected together agree in these columns: all layers, heads and conditions.
const FAMILY: [&str; 4] = ["head_reduction", "query", "relevant", "irrelevant"];

/// An entry whose segments have been picked.
pub(crate) struct Prepared<'a> {
    entry: &'a AttentionRatio,
    /// Temporary table of the picked segments.
    parts: String,
    /// Tokens of the relevant and the irrelevant segments of each prompt.
    n_tokens: Vec<(f64, f64)>,
}

/// Picks the segments of each entry.
pub(crate) fn prepare<'a>(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    entries: &[(String, &'a AttentionRatio)],
) -> Result<Vec<Prepared<'a>>, AnalyzeError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let segments = format!("{}_segments", prompts.table);
    let sql = format!(
        "CREATE TEMP TABLE {segments} AS SELECT {}, s.segment, s.role, s.n_tokens AS __n_tokens
         FROM ({}) AS s JOIN {} AS p ON p.prompt_id = s.prompt_id",
        prompts.columns_except(&["segment", "role"]),
        include_str!("../queries/segments_with_tokens.sql"),
        prompts.table
    );
    let connection = catalog.connection();
    connection.execute(&sql, params![model, prompts.task]).map_err(AnalyzeError::engine("count tokens"))?;
    let pick = |(number, (label, entry)): (usize, &(String, &'a AttentionRatio))| {
        let parts = format!("{segments}_{number}");
        pick_parts(catalog, prompts, &segments, &parts, label, entry)
    };
    entries.iter().enumerate().map(pick).collect()
}

fn pick_parts<'a>(
    catalog: &Catalog,
    prompts: &TaskPrompts,
    segments: &str,
    parts: &str,
    label: &str,
    entry: &'a AttentionRatio,
) -> Result<Prepared<'a>, AnalyzeError> {
    let failed = || AnalyzeError::engine("pick segments");
    let connection = catalog.connection();
    let sql = format!(
        "CREATE TEMP TABLE {parts} AS SELECT prompt_id, {INDEX}, segment, __n_tokens AS n_tokens, '' AS part
         FROM {segments} WHERE false"
    );
    connection.execute_batch(&sql).map_err(failed())?;
    let keys = [("query", &entry.query), ("relevant", &entry.relevant), ("irrelevant", &entry.irrelevant)];
    for (key, sql) in keys {
        let expression = Expression { entry: label, key, sql };
        expression.check_condition(catalog, INDEX, segments)?;
        let condition = expression.parenthesized();
        let sql = format!(
            "INSERT INTO {parts} SELECT prompt_id, {INDEX}, segment, __n_tokens, '{key}'
             FROM {segments} WHERE {condition}"
        );
        let n = connection.execute(&sql, []).map_err(|source| expression.refuse(source.to_string()))?;
        if n == 0 {
            return Err(expression.refuse("no segment of any prompt satisfies it"));
        }
    }
    let sql = format!(
        "SELECT {INDEX}, sum(n_tokens) FILTER (WHERE part = 'relevant'),
            sum(n_tokens) FILTER (WHERE part = 'irrelevant') FROM {parts} GROUP BY {INDEX}"
    );
    let answer = ask(connection, &sql, &[], "count the tokens of segments")?;
    let mut n_tokens = vec![(0.0, 0.0); prompts.len()];
    let counts = answer.numbers(1).into_iter().zip(answer.numbers(2));
    for (prompt, (relevant, irrelevant)) in answer.integers(0).into_iter().zip(counts) {
        n_tokens[prompt as usize] = (relevant.unwrap_or(0.0), irrelevant.unwrap_or(0.0));
    }
    Ok(Prepared { entry, parts: parts.to_owned(), n_tokens })
}

/// Masses of one prompt in one head (or of heads combined).
#[derive(Clone, Copy)]
struct Masses {
    prompt: usize,
    head: i32,
    relevant: f64,
    irrelevant: f64,
}

impl Masses {
    fn log_ratio_raw(&self) -> Option<f64> {
        (self.relevant > 0.0 && self.irrelevant > 0.0).then(|| (self.relevant / self.irrelevant).ln())
    }

    fn log_ratio(&self, n_tokens: &[(f64, f64)]) -> Option<f64> {
        let (relevant, irrelevant) = n_tokens[self.prompt];
        Some(self.log_ratio_raw()? - (relevant / irrelevant).ln())
    }
}

/// How heads are combined within a prompt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeadReduction {
    None,
    Mean,
    Max,
}

impl HeadReduction {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }
}

/// One row's prompts.
struct RowPrompts {
    condition: usize,
    layer: i32,
    head: i32,
    reduction: HeadReduction,
    masses: Vec<Masses>,
}

/// Computes all prepared entries.
pub(crate) fn compute(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    prepared: &[Prepared<'_>],
    settings: &AnalysisSettings,
    progress: &dyn Progress,
) -> Result<Outcome, AnalyzeError> {
    progress.start(&format!("attention: {}", prompts.task), prepared.len() as u64, "ratios");
    let mut outcome = Outcome::default();
    for one in prepared {
        let masses = read_masses(catalog, model, prompts, one)?;
        let groups = group(prompts, masses, &one.n_tokens);
        let rows: Vec<Vec<Cell>> =
            groups.par_iter().map(|g| row(prompts, one, g, settings)).collect::<Result<_, _>>()?;
        outcome.rows.extend(rows);
        push_measures(prompts, one, &groups, &mut outcome);
        progress.advance(1);
    }
    progress.finish();
    correct(&tables::ATTENTION_RATIOS, &mut outcome.rows, &FAMILY);
    Ok(outcome)
}

/// Masses by layer, of prompts that have both kinds of segment.
fn read_masses(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    one: &Prepared<'_>,
) -> Result<BTreeMap<i32, Vec<Masses>>, AnalyzeError> {
    let sql = include_str!("../queries/attention_masses.sql").replace("$parts", &one.parts);
    let task = prompts.task.as_str();
    let answer = ask(catalog.connection(), &sql, &[&model, &task], "add up attention masses")?;
    let (ids, layers, heads) = (answer.names(0), answer.integers(1), answer.integers(2));
    let (relevant, irrelevant) = (answer.numbers(3), answer.numbers(4));
    let mut masses: BTreeMap<i32, Vec<Masses>> = BTreeMap::new();
    for (i, id) in ids.iter().enumerate() {
        let Some(prompt) = prompts.number(id) else { continue };
        let (Some(relevant), Some(irrelevant)) = (relevant[i], irrelevant[i]) else { continue };
        let entry = masses.entry(layers[i] as i32).or_default();
        entry.push(Masses { prompt, head: heads[i] as i32, relevant, irrelevant });
    }
    Ok(masses)
}

/// The rows of one entry: each head, then heads combined by mean and by max, by condition and layer.
fn group(
    prompts: &TaskPrompts,
    masses: BTreeMap<i32, Vec<Masses>>,
    n_tokens: &[(f64, f64)],
) -> Vec<RowPrompts> {
    let mut groups = Vec::new();
    for (layer, masses) in masses {
        for condition in 0..prompts.conditions.len() {
            let own: Vec<Masses> =
                masses.iter().filter(|m| prompts.condition_of[m.prompt] == condition).copied().collect();
            if own.is_empty() {
                continue;
            }
            let mut heads: BTreeMap<i32, Vec<Masses>> = BTreeMap::new();
            own.iter().for_each(|m| heads.entry(m.head).or_default().push(*m));
            let new = |head, reduction, masses| RowPrompts { condition, layer, head, reduction, masses };
            groups.extend(heads.into_iter().map(|(head, own)| new(head, HeadReduction::None, own)));
            let by_prompt: Vec<&[Masses]> = own.chunk_by(|a, b| a.prompt == b.prompt).collect();
            let mean = by_prompt.iter().map(|heads| mean_of_heads(heads)).collect();
            groups.push(new(-1, HeadReduction::Mean, mean));
            let max = by_prompt.iter().map(|heads| largest_of_heads(heads, n_tokens)).collect();
            groups.push(new(-1, HeadReduction::Max, max));
        }
    }
    groups
}

fn mean_of_heads(heads: &[Masses]) -> Masses {
    let n = heads.len() as f64;
    let relevant = heads.iter().map(|m| m.relevant).sum::<f64>() / n;
    let irrelevant = heads.iter().map(|m| m.irrelevant).sum::<f64>() / n;
    Masses { prompt: heads[0].prompt, head: -1, relevant, irrelevant }
}

/// The head with the largest ratio, the first of them if tied.
fn largest_of_heads(heads: &[Masses], n_tokens: &[(f64, f64)]) -> Masses {
    let ratio = |m: &Masses| m.log_ratio(n_tokens).unwrap_or(f64::NEG_INFINITY);
    let better = |best: Masses, m: &Masses| if ratio(m) > ratio(&best) { *m } else { best };
    heads.iter().skip(1).fold(heads[0], better)
}

fn row(
    prompts: &TaskPrompts,
    one: &Prepared<'_>,
    group: &RowPrompts,
    settings: &AnalysisSettings,
) -> Result<Vec<Cell>, AnalyzeError> {
    let usable: Vec<(Masses, f64, f64)> = group
        .masses
        .iter()
        .filter_map(|m| Some((*m, m.log_ratio(&one.n_tokens)?, m.log_ratio_raw()?)))
        .collect();
    let log_ratios: Vec<f64> = usable.iter().map(|u| u.1).collect();
    let log_ratio = mean(&log_ratios);
    let log_ratio_raw = mean(&usable.iter().map(|u| u.2).collect::<Vec<_>>());
    let interval = bootstrap(prompts, &usable, &log_ratios, settings)?;
    let p_value = one_sample_t(&log_ratios, 0.0).ok().map(|t| t.p_value);
    let average = |of: &dyn Fn(&Masses) -> f64| mean(&usable.iter().map(|u| of(&u.0)).collect::<Vec<_>>());
    let n_tokens = &one.n_tokens;
    Ok(vec![
        (&prompts.conditions[group.condition]).into(),
        group.layer.into(),
        group.head.into(),
        group.reduction.name().into(),
        one.entry.query.as_str().into(),
        one.entry.relevant.as_str().into(),
        one.entry.irrelevant.as_str().into(),
        log_ratio.map(f64::exp).into(),
        log_ratio.into(),
        interval.map(|i| i.0).into(),
        interval.map(|i| i.1).into(),
        p_value.into(),
        Cell::Number(None),
        log_ratio_raw.map(f64::exp).into(),
        log_ratio_raw.into(),
        average(&|m| m.relevant).into(),
        average(&|m| m.irrelevant).into(),
        average(&|m| n_tokens[m.prompt].0).into(),
        average(&|m| n_tokens[m.prompt].1).into(),
        top_head(group, &usable).into(),
        (usable.len() as i32).into(),
        log_ratio.is_none().then(|| "no_attention".to_owned()).into(),
    ])
}

fn bootstrap(
    prompts: &TaskPrompts,
    usable: &[(Masses, f64, f64)],
    log_ratios: &[f64],
    settings: &AnalysisSettings,
) -> Result<Option<(f64, f64)>, AnalyzeError> {
    if settings.n_bootstraps == 0 || usable.is_empty() {
        return Ok(None);
    }
    let names: Vec<&Arc<str>> = usable.iter().map(|u| &prompts.items[u.0.prompt]).collect();
    let items: Vec<u32> = crate::stats::probes::encode(&names).into_iter().map(|i| i as u32).collect();
    let n_items = items.iter().max().map_or(0, |i| *i as usize + 1);
    let draws = BootstrapSettings { n_draws: settings.n_bootstraps as usize, seed: settings.seed, stream: 0 };
    let design = ItemDesign { items: &items, n_items };
    let estimate = bootstrap_mean(log_ratios, design, draws, settings.confidence)?;
    Ok(estimate.interval.ok().map(|i| (i.low, i.high)))
}

/// Where heads are combined by max: the head that most often gave the max, the lowest if tied.
fn top_head(group: &RowPrompts, usable: &[(Masses, f64, f64)]) -> Option<i32> {
    if group.reduction != HeadReduction::Max {
        return None;
    }
    let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
    usable.iter().for_each(|u| *counts.entry(u.0.head).or_default() += 1);
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(head, _)| head)
}

fn push_measures(prompts: &TaskPrompts, one: &Prepared<'_>, groups: &[RowPrompts], outcome: &mut Outcome) {
    let name: Arc<str> = format!("attention: {}", one.entry.label()).into();
    for group in groups.iter().filter(|g| g.reduction == HeadReduction::Mean) {
        for masses in &group.masses {
            let value = masses.log_ratio(&one.n_tokens);
            let cells = crate::measures::cells(prompts, masses.prompt, &name, group.layer, value);
            outcome.measures.push(cells);
        }
    }
}
