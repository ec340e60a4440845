//! Attention ratios: how much more a query attends to relevant than to irrelevant segments.
//!
//! DuckDB adds up the masses of each prompt, layer and head; here they become ratios, heads are
//! combined within each prompt, and prompts are averaged.

use super::entry::{Entry, Named};
use super::measures::Measure;
use super::{Analysis, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::answer::ask;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::{INDEX, TaskPrompts};
use crate::settings::AnalysisSettings;
use crate::stats::bootstrap::{BootstrapSettings, ItemDesign};
use crate::stats::paired::one_sample_t;
use crate::stats::resampling::bootstrap_mean;
use crate::stats::summary::mean;
use duckdb::params;
use hypercolumn_schemas::Table;
use hypercolumn_schemas::tables::{self, AttentionRatioRow, MeasureRow};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Attention to relevant against irrelevant parts of the prompt: tables `attention_ratios` and `measures`.
pub(crate) struct AttentionRatios;

/// An `[[attention_ratio]]` entry. Its SQL is over one segment: `role`, `segment` (its number) and the
/// columns of its prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionRatio {
    /// The task.
    pub task: String,
    /// Name of the ratio among the measures; made from the roles if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SQL: the segments that attend.
    pub query: String,
    /// SQL: the segments that should be attended to.
    pub relevant: String,
    /// SQL: the segments that should not.
    pub irrelevant: String,
}

impl AttentionRatio {
    /// Its SQL, each with its key.
    fn parts(&self) -> [(&'static str, &str); 3] {
        [("query", &self.query), ("relevant", &self.relevant), ("irrelevant", &self.irrelevant)]
    }

    /// The ratio's name among the measures, e.g. `final to informative over distractor`.
    pub fn label(&self) -> String {
        let made = || {
            let parts = [&self.query, &self.relevant, &self.irrelevant].map(|sql| name_roles(sql));
            format!("{} to {} over {}", parts[0], parts[1], parts[2])
        };
        self.name.clone().unwrap_or_else(made)
    }
}

/// The role in `role = 'x'`; any other SQL as it is.
fn name_roles(sql: &str) -> &str {
    let role = sql.trim().strip_prefix("role").and_then(|rest| rest.trim_start().strip_prefix('='));
    let quoted = role.and_then(|rest| rest.trim().strip_prefix('\'')?.strip_suffix('\''));
    quoted.filter(|name| !name.contains('\'')).unwrap_or(sql)
}

impl Entry for AttentionRatio {
    fn task(&self) -> &str {
        &self.task
    }

    fn label(&self) -> String {
        AttentionRatio::label(self)
    }

    fn to_json(&self) -> Value {
        json!(self)
    }
}

impl Analysis for AttentionRatios {
    type Entry = AttentionRatio;
    type Prepared = Vec<Prepared>;

    fn name(&self) -> &'static str {
        "attention_ratios"
    }

    fn entry_key(&self) -> Option<&'static str> {
        Some("attention_ratio")
    }

    fn code_version(&self) -> u32 {
        1
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 4] =
            [&tables::PROMPTS, &tables::SEGMENTS, &tables::TOKENS, &tables::ATTENTION];
        &INPUTS
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!({"n_bootstraps": shared.n_bootstraps, "seed": shared.seed, "confidence": shared.confidence})
    }

    fn check(&self, task: &CheckedTask<'_>, named: &Named<AttentionRatio>) -> Result<(), AnalyzeError> {
        let segments = format!(
            "(SELECT {}, NULL::SMALLINT AS segment, NULL::VARCHAR AS role FROM {} AS p)",
            task.prompts.columns_except(&["segment", "role"]),
            task.prompts.table
        );
        for (key, sql) in named.entry.parts() {
            Expression { entry: &named.name, key, sql }.check_condition(task.catalog, INDEX, &segments)?;
        }
        Ok(())
    }

    fn prepare(
        &self,
        inputs: Inputs<'_>,
        entries: &[Named<AttentionRatio>],
    ) -> Result<Vec<Prepared>, AnalyzeError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let segments = load_segments(inputs)?;
        let pick = |(number, named)| pick_parts(inputs, &segments, number, named);
        entries.iter().enumerate().map(pick).collect()
    }

    fn compute(&self, inputs: Inputs<'_>, prepared: &Vec<Prepared>) -> Result<Vec<Results>, AnalyzeError> {
        let Inputs { prompts, settings, progress, .. } = inputs;
        progress.start(&format!("attention: {}", prompts.task), prepared.len() as u64, "ratios");
        let (mut rows, mut measures) = (Vec::new(), Vec::new());
        for one in prepared {
            let masses = read_masses(inputs, one)?;
            let groups = group(prompts, masses, &one.n_tokens);
            let of_entry: Vec<AttentionRatioRow> =
                groups.par_iter().map(|g| row(prompts, one, g, settings)).collect::<Result<_, _>>()?;
            rows.extend(of_entry);
            push_measures(prompts, one, &groups, &mut measures);
            progress.advance(1);
        }
        progress.finish();
        Ok(vec![Results::corrected(&rows, &FAMILY)?, Results::of(&measures)?])
    }
}

/// Rows that are corrected together agree in these columns: all layers, heads and conditions.
const FAMILY: [&str; 4] = ["head_reduction", "query", "relevant", "irrelevant"];

/// An entry whose segments have been picked.
pub(crate) struct Prepared {
    entry: Arc<AttentionRatio>,
    /// Temporary table of the picked segments.
    parts: String,
    /// Tokens of the picked segments, by prompt.
    n_tokens: Vec<PartTokens>,
}

/// Tokens of the relevant and the irrelevant segments of a prompt.
#[derive(Clone, Copy, Default)]
struct PartTokens {
    relevant: f64,
    irrelevant: f64,
}

/// Makes the temporary table of all segments with their tokens, and names it.
fn load_segments(inputs: Inputs<'_>) -> Result<String, AnalyzeError> {
    let Inputs { catalog, model, prompts, .. } = inputs;
    let segments = format!("{}_segments", prompts.table);
    let sql = format!(
        "CREATE TEMP TABLE {segments} AS SELECT {}, s.segment, s.role, s.n_tokens AS __n_tokens
         FROM ({}) AS s JOIN {} AS p ON p.prompt_id = s.prompt_id",
        prompts.columns_except(&["segment", "role"]),
        include_str!("../../queries/segments_with_tokens.sql"),
        prompts.table
    );
    let counted = catalog.connection().execute(&sql, params![model, prompts.task]);
    counted.map_err(AnalyzeError::engine("count tokens"))?;
    Ok(segments)
}

fn pick_parts(
    inputs: Inputs<'_>,
    segments: &str,
    number: usize,
    named: &Named<AttentionRatio>,
) -> Result<Prepared, AnalyzeError> {
    let Inputs { catalog, prompts, .. } = inputs;
    let parts = format!("{segments}_{number}");
    let failed = || AnalyzeError::engine("pick segments");
    let connection = catalog.connection();
    let sql = format!(
        "CREATE TEMP TABLE {parts} AS SELECT prompt_id, {INDEX}, segment, __n_tokens AS n_tokens, '' AS part
         FROM {segments} WHERE false"
    );
    connection.execute_batch(&sql).map_err(failed())?;
    for (key, sql) in named.entry.parts() {
        let expression = Expression { entry: &named.name, key, sql };
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
        "SELECT {INDEX}, sum(n_tokens) FILTER (WHERE part = 'relevant') AS relevant,
            sum(n_tokens) FILTER (WHERE part = 'irrelevant') AS irrelevant FROM {parts} GROUP BY {INDEX}"
    );
    let answer = ask(connection, &sql, &[], "count the tokens of segments")?;
    let mut n_tokens = vec![PartTokens::default(); prompts.len()];
    let relevant = answer.column::<Option<f64>>("relevant")?;
    let irrelevant = answer.column::<Option<f64>>("irrelevant")?;
    for ((prompt, relevant), irrelevant) in
        answer.column::<i64>(INDEX)?.into_iter().zip(relevant).zip(irrelevant)
    {
        // A prompt without a segment of a part has no token of it.
        n_tokens[prompt as usize] =
            PartTokens { relevant: relevant.unwrap_or(0.0), irrelevant: irrelevant.unwrap_or(0.0) };
    }
    Ok(Prepared { entry: named.entry.clone(), parts, n_tokens })
}

/// Masses of one prompt in one head (or of heads combined).
#[derive(Clone, Copy)]
struct Masses {
    prompt: usize,
    head: i16,
    relevant: f64,
    irrelevant: f64,
}

impl Masses {
    fn log_ratio_raw(&self) -> Option<f64> {
        (self.relevant > 0.0 && self.irrelevant > 0.0).then(|| (self.relevant / self.irrelevant).ln())
    }

    fn log_ratio(&self, n_tokens: &[PartTokens]) -> Option<f64> {
        let PartTokens { relevant, irrelevant } = n_tokens[self.prompt];
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
    layer: i16,
    head: i16,
    reduction: HeadReduction,
    masses: Vec<Masses>,
}

/// Masses by layer, of prompts that have both kinds of segment.
fn read_masses(inputs: Inputs<'_>, one: &Prepared) -> Result<BTreeMap<i16, Vec<Masses>>, AnalyzeError> {
    let Inputs { catalog, model, prompts, .. } = inputs;
    let connection = catalog.connection();
    let sql = format!("CREATE OR REPLACE TEMP VIEW picked_segments AS SELECT * FROM {}", one.parts);
    connection.execute_batch(&sql).map_err(AnalyzeError::engine("name the picked segments"))?;
    let sql = include_str!("../../queries/attention_masses.sql");
    let task = prompts.task.as_str();
    let answer = ask(connection, sql, &[&model, &task], "add up attention masses")?;
    let ids = answer.column::<String>("prompt_id")?;
    let (layers, heads) = (answer.column::<i64>("layer")?, answer.column::<i64>("head")?);
    let relevant = answer.column::<Option<f64>>("relevant_mass")?;
    let irrelevant = answer.column::<Option<f64>>("irrelevant_mass")?;
    let mut masses: BTreeMap<i16, Vec<Masses>> = BTreeMap::new();
    for (i, id) in ids.iter().enumerate() {
        let Some(prompt) = prompts.number(id) else { continue };
        let (Some(relevant), Some(irrelevant)) = (relevant[i], irrelevant[i]) else { continue };
        let entry = masses.entry(layers[i] as i16).or_default();
        entry.push(Masses { prompt, head: heads[i] as i16, relevant, irrelevant });
    }
    Ok(masses)
}

/// The rows of one entry: each head, then heads combined by mean and by max, by condition and layer.
fn group(
    prompts: &TaskPrompts,
    masses: BTreeMap<i16, Vec<Masses>>,
    n_tokens: &[PartTokens],
) -> Vec<RowPrompts> {
    let mut groups = Vec::new();
    for (layer, masses) in masses {
        for condition in 0..prompts.conditions.len() {
            let own: Vec<Masses> =
                masses.iter().filter(|m| prompts.condition_of[m.prompt] == condition).copied().collect();
            if own.is_empty() {
                continue;
            }
            let mut heads: BTreeMap<i16, Vec<Masses>> = BTreeMap::new();
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
fn largest_of_heads(heads: &[Masses], n_tokens: &[PartTokens]) -> Masses {
    let ratio = |m: &Masses| m.log_ratio(n_tokens).unwrap_or(f64::NEG_INFINITY);
    let better = |best: Masses, m: &Masses| if ratio(m) > ratio(&best) { *m } else { best };
    heads.iter().skip(1).fold(heads[0], better)
}

/// Masses of a prompt whose ratio is defined.
#[derive(Clone, Copy)]
struct Usable {
    masses: Masses,
    log_ratio: f64,
    log_ratio_raw: f64,
}

impl Usable {
    fn of(masses: &Masses, n_tokens: &[PartTokens]) -> Option<Self> {
        let log_ratio = masses.log_ratio(n_tokens)?;
        Some(Self { masses: *masses, log_ratio, log_ratio_raw: masses.log_ratio_raw()? })
    }
}

fn row(
    prompts: &TaskPrompts,
    one: &Prepared,
    group: &RowPrompts,
    settings: &AnalysisSettings,
) -> Result<AttentionRatioRow, AnalyzeError> {
    let usable: Vec<Usable> = group.masses.iter().filter_map(|m| Usable::of(m, &one.n_tokens)).collect();
    let log_ratios: Vec<f64> = usable.iter().map(|u| u.log_ratio).collect();
    let log_ratio = mean(&log_ratios);
    let log_ratio_raw = mean(&usable.iter().map(|u| u.log_ratio_raw).collect::<Vec<_>>());
    let interval = bootstrap(prompts, &usable, &log_ratios, settings)?;
    let p_value = one_sample_t(&log_ratios, 0.0).ok().map(|t| t.p_value);
    let average =
        |of: &dyn Fn(&Masses) -> f64| mean(&usable.iter().map(|u| of(&u.masses)).collect::<Vec<_>>());
    let n_tokens = &one.n_tokens;
    Ok(AttentionRatioRow {
        condition: prompts.conditions[group.condition].to_string(),
        layer: group.layer,
        head: group.head,
        head_reduction: group.reduction.name().to_owned(),
        query: one.entry.query.clone(),
        relevant: one.entry.relevant.clone(),
        irrelevant: one.entry.irrelevant.clone(),
        ratio: log_ratio.map(f64::exp),
        log_ratio,
        ci_low: interval.map(|i| i.0),
        ci_high: interval.map(|i| i.1),
        p_value,
        q_value: None,
        ratio_raw: log_ratio_raw.map(f64::exp),
        log_ratio_raw,
        relevant_mass: average(&|m| m.relevant),
        irrelevant_mass: average(&|m| m.irrelevant),
        relevant_tokens: average(&|m| n_tokens[m.prompt].relevant),
        irrelevant_tokens: average(&|m| n_tokens[m.prompt].irrelevant),
        top_head: top_head(group, &usable),
        n_prompts: usable.len() as i32,
        reason: log_ratio.is_none().then(|| "no_attention".to_owned()),
    })
}

fn bootstrap(
    prompts: &TaskPrompts,
    usable: &[Usable],
    log_ratios: &[f64],
    settings: &AnalysisSettings,
) -> Result<Option<(f64, f64)>, AnalyzeError> {
    if settings.n_bootstraps == 0 || usable.is_empty() {
        return Ok(None);
    }
    let names: Vec<&Arc<str>> = usable.iter().map(|u| &prompts.items[u.masses.prompt]).collect();
    let items: Vec<u32> = crate::stats::probes::encode(&names).into_iter().map(|i| i as u32).collect();
    let n_items = items.iter().max().map_or(0, |i| *i as usize + 1);
    let draws = BootstrapSettings { n_draws: settings.n_bootstraps as usize, seed: settings.seed, stream: 0 };
    let design = ItemDesign { items: &items, n_items };
    let estimate = bootstrap_mean(log_ratios, design, draws, settings.confidence)?;
    Ok(estimate.interval.ok().map(|i| (i.low, i.high)))
}

/// Where heads are combined by max: the head that most often gave the max, the lowest if tied.
fn top_head(group: &RowPrompts, usable: &[Usable]) -> Option<i16> {
    if group.reduction != HeadReduction::Max {
        return None;
    }
    let mut counts: BTreeMap<i16, usize> = BTreeMap::new();
    usable.iter().for_each(|u| *counts.entry(u.masses.head).or_default() += 1);
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(head, _)| head)
}

fn push_measures(
    prompts: &TaskPrompts,
    one: &Prepared,
    groups: &[RowPrompts],
    measures: &mut Vec<MeasureRow>,
) {
    let name = format!("attention: {}", one.entry.label());
    for group in groups.iter().filter(|g| g.reduction == HeadReduction::Mean) {
        let measure = Measure { name: &name, layer: group.layer };
        let rows = group.masses.iter().map(|m| measure.row(prompts, m.prompt, m.log_ratio(&one.n_tokens)));
        measures.extend(rows);
    }
}
