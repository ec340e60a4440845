//! Attention ratios: how much more a query attends to relevant than to irrelevant segments.
//!
//! DuckDB adds up the masses of each prompt, layer, head and segment; [`masses`] combines heads within each prompt, and
//! [`contrast`] compares segments and averages over prompts.

mod changes_of_attention;
mod contrast;

mod masses;
mod ratio_rows;
mod tests_over_clusters;

use super::entry::{Entry, Named};
use super::{Analysis, Correction, Inputs, Results};
use crate::analyses::CheckedTask;
use crate::answer::ask;
use crate::checked_questions::{AttentionAsked, CheckedQuestions};
use crate::design::Grouping;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::INDEX;
use crate::quote::literal;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, attention_section};
use crate::settings::AnalysisSettings;
use duckdb::params;
use hypercolumn_schemas::tables::{self, AttentionRatioRow};
use hypercolumn_schemas::{FIRST_TOKEN, Progress, Table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tests_over_clusters::Tests;

/// Attention to relevant against irrelevant parts of the prompt: tables `attention_ratios` and `measures`.
pub(crate) struct AttentionRatios;

/// An `[[attention_ratio]]` entry. Its SQL is over one segment: `role`, `segment` (its number) and the
/// columns of its prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttentionRatio {
    /// Name of the task that it is about.
    pub task: String,
    /// Name of the ratio among the measures; made from the roles if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SQL over one segment: the segments that attend.
    pub query: String,
    /// SQL over one segment: those that should be attended to.
    pub relevant: String,
    /// SQL over one segment: those that should not be attended to.
    pub irrelevant: String,
    /// SQL over one segment: those that the relevant one is compared with where they stand in its position, in other prompts of the
    /// condition. If absent, that of the task's generator where it is the irrelevant ones; without one, or with `none`,
    /// relevant segments are compared with the irrelevant ones of their own prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// SQL over one segment: where it stands, for `control`.
    #[serde(default = "segment_number")]
    pub position: String,
    /// Whether attention to the first token that the model reads, where attention rests whatever it says, is left out of
    /// the segments that hold it. The table has the ratio without it in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out_first_token: bool,
    /// SQL over one prompt: prompts with equal values are resampled as a whole; the task's clusters if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Name of the rows that are corrected together; if absent, those of one ratio and head reduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
}

fn segment_number() -> String {
    "segment".to_owned()
}

impl AttentionRatio {
    /// Its conditions on segments, each with its key.
    fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts = [("query", &self.query), ("relevant", &self.relevant), ("irrelevant", &self.irrelevant)];
        parts.into_iter().map(|(key, sql)| (key, sql.as_str()))
    }

    /// Its matched control: its own, or `of_task` where it compares with the same segments.
    fn control<'s>(&'s self, of_task: Option<&'s str>) -> Option<&'s str> {
        let is_irrelevant = |sql: &&str| sql.split_whitespace().eq(self.irrelevant.split_whitespace());
        match self.control.as_deref() {
            Some(sql) if sql.trim() == NO_CONTROL => None,
            Some(sql) => Some(sql),
            None => of_task.filter(is_irrelevant),
        }
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

/// The control that is none.
const NO_CONTROL: &str = "none";

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
        6
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 4] =
            [&tables::PROMPTS, &tables::SEGMENTS, &tables::TOKENS, &tables::ATTENTION];
        &INPUTS
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!({"seed": shared.seed, "n_bootstraps": shared.n_bootstraps, "confidence": shared.confidence})
    }

    fn check(
        &self,
        task: &CheckedTask<'_>,
        named: &Named<AttentionRatio>,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        let segments = format!(
            "(SELECT {}, s.segment, s.role FROM {} AS p JOIN ({}) AS s ON s.prompt_id = p.prompt_id)",
            task.prompts.columns_except(&["segment", "role"]),
            task.prompts.table,
            include_str!("../../../queries/segments_of_prompts.sql")
                .replace("$task", &literal(&task.prompts.task))
        );
        let control = named.entry.control(None).map(|sql| ("control", sql));
        for (key, sql) in named.entry.parts().chain(control) {
            let part = Expression { entry: &named.name, key, sql };
            if let Some(roles) = found.note(find_roles(task, &segments, part))? {
                found.attention.push(AttentionAsked { entry: named.name.clone(), key, roles });
            }
        }
        let position = Expression { entry: &named.name, key: "position", sql: &named.entry.position };
        found.note(position.check(task.catalog, INDEX, &segments))?;
        if let Some(sql) = &named.entry.cluster {
            let cluster = Expression { entry: &named.name, key: "cluster", sql };
            found.note(cluster.check(task.catalog, INDEX, &task.prompts.table))?;
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
        let Inputs { prompts, progress, .. } = inputs;
        progress.start(&format!("attention: {}", prompts.task), prepared.len() as u64, "ratios");
        let (mut rows, mut measures, mut declared) = (Vec::new(), Vec::new(), Vec::new());
        for one in prepared {
            let groups = masses::group(prompts, one, masses::read(inputs, one)?);
            let contrasts = ratio_rows::contrasts(one, &groups);
            let tests = Tests { context: inputs.context(), one, groups: &groups, contrasts: &contrasts };
            let of_ratio = ratio_rows::rows(tests)?;
            warn_of_lost_prompts(progress, &prompts.task, one, &of_ratio);
            rows.extend(of_ratio);
            declared.extend(changes_of_attention::rows(tests)?);
            ratio_rows::push_measures(tests, &mut measures);
            progress.advance(1);
        }
        progress.finish();
        let corrections = [Correction::LEVEL, Correction::CHANGE];
        Ok(vec![
            Results::corrected(&rows, &corrections)?,
            Results::of(&measures)?,
            Results::corrected(&declared, &[Correction::LEVEL])?,
        ])
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        Ok(vec![attention_section(inputs)?])
    }
}

/// The roles of the segments that satisfy a condition; one that no segment of the task satisfies is refused.
fn find_roles(
    task: &CheckedTask<'_>,
    segments: &str,
    part: Expression<'_>,
) -> Result<Vec<String>, AnalyzeError> {
    part.check_condition(task.catalog, INDEX, segments)?;
    let sql = format!("SELECT DISTINCT role FROM {segments} WHERE {} ORDER BY role", part.parenthesized());
    let found = part.ask(task.catalog, &sql)?.column::<String>("role")?;
    if !found.is_empty() {
        return Ok(found);
    }
    let roles = task.roles.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(", ");
    Err(part.refuse(format!("no segment of any prompt satisfies it; the roles are {roles}")).into())
}

/// Says how many prompts a ratio or its contrast had to leave out where.
fn warn_of_lost_prompts(progress: &dyn Progress, task: &str, one: &Prepared, rows: &[AttentionRatioRow]) {
    let label = one.entry.label();
    let n_zero: Vec<&AttentionRatioRow> = rows.iter().filter(|row| row.n_zero_mass > 0).collect();
    if let Some(worst) = n_zero.iter().max_by_key(|row| row.n_zero_mass) {
        progress.warn(&format!(
            "{task}: in {} of {} rows of attention ratio `{label}` a compared segment of some prompt has no mass, and the \
             prompt is left out (at most {}, in {} at layer {}); column n_zero_mass has their number",
            n_zero.len(),
            rows.len(),
            worst.n_zero_mass,
            worst.condition,
            worst.layer
        ));
    }
    let lacks_control = |row: &&AttentionRatioRow| row.n_prompts - row.n_zero_mass > row.n_contrasted;
    if one.is_controlled
        && let Some(row) =
            rows.iter().filter(lacks_control).max_by_key(|row| row.n_prompts - row.n_contrasted)
    {
        progress.warn(&format!(
            "{task}: attention ratio `{label}`: in {}, {} of {} prompts have a relevant segment in a position where no \
             prompt of the condition has a control, and are not in its contrast; `position` says where a segment stands",
            row.condition,
            row.n_prompts - row.n_contrasted,
            row.n_prompts
        ));
    }
}

/// An entry whose segments have been picked.
pub(crate) struct Prepared {
    entry: Arc<AttentionRatio>,
    /// Temporary table of the picked segments.
    parts: String,
    /// The segments whose attention is compared, in order, by prompt; `[n_prompts]`.
    keys: Vec<Vec<Key>>,
    /// Whether relevant segments are compared with a matched control.
    is_controlled: bool,
    /// Whether attention to the first token was kept.
    keeps_first_token: bool,
    cluster: Grouping,
}

/// A picked segment of a prompt.
#[derive(Clone, Copy, Debug)]
struct Key {
    segment: i16,
    n_tokens: f64,
    is_relevant: bool,
    is_irrelevant: bool,
    is_control: bool,
    /// Whether it is the first token itself, and whether that is among its tokens.
    is_first_token: bool,
    holds_first_token: bool,
    /// Where it stands, by the rank of its `position` among all segments'.
    position: u32,
}

impl Key {
    /// Whether it is a segment that holds the first token, and not that token itself.
    const fn shares_first_token(&self) -> bool {
        self.holds_first_token && !self.is_first_token
    }
}

/// Makes the temporary table of all segments with their tokens, and names it.
fn load_segments(inputs: Inputs<'_>) -> Result<String, AnalyzeError> {
    let Inputs { catalog, model, prompts, .. } = inputs;
    let segments = format!("{}_segments", prompts.table);
    let sql = format!(
        "CREATE TEMP TABLE {segments} AS SELECT {}, s.segment, s.role, s.n_tokens AS __n_tokens,
             s.holds_first AS __holds_first
         FROM ({}) AS s JOIN {} AS p ON p.prompt_id = s.prompt_id",
        prompts.columns_except(&["segment", "role"]),
        include_str!("../../../queries/segments_with_tokens.sql"),
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
    let Inputs { catalog, prompts, design, .. } = inputs;
    let (connection, entry) = (catalog.connection(), &named.entry);
    let parts = format!("{segments}_{number}");
    let position = Expression { entry: &named.name, key: "position", sql: &entry.position };
    position.check(catalog, INDEX, segments)?;
    let columns = format!("prompt_id, {INDEX}, segment, __n_tokens AS n_tokens, __holds_first, __position");
    let sql = format!(
        "CREATE TEMP TABLE {segments}_{number}_all AS
         SELECT *, dense_rank() OVER (ORDER BY CAST({} AS VARCHAR)) - 1 AS __position FROM {segments};
         CREATE TEMP TABLE {parts} AS SELECT {columns}, '' AS part FROM {segments}_{number}_all WHERE false",
        position.parenthesized()
    );
    connection.execute_batch(&sql).map_err(|source| position.refuse(source.to_string()))?;
    let control = entry.control(design.control.as_deref());
    for (key, sql) in entry.parts().chain(control.map(|sql| ("control", sql))) {
        let expression = Expression { entry: &named.name, key, sql };
        expression.check_condition(catalog, INDEX, segments)?;
        let condition = expression.parenthesized();
        let sql = format!(
            "INSERT INTO {parts} SELECT {columns}, '{key}' FROM {segments}_{number}_all WHERE {condition}"
        );
        let n = connection.execute(&sql, []).map_err(|source| expression.refuse(source.to_string()))?;
        if n == 0 {
            return Err(expression.refuse("no segment of any prompt satisfies it").into());
        }
    }
    check_kept(inputs, &parts, named)?;
    let sql = format!(
        "INSERT INTO {parts} SELECT {columns}, '{FIRST_TOKEN}' FROM {segments}_{number}_all WHERE role = '{FIRST_TOKEN}'"
    );
    connection.execute(&sql, []).map_err(AnalyzeError::engine("pick the first tokens"))?;
    let keeps_first_token = keeps_first_token(inputs)?;
    if entry.leave_out_first_token && !keeps_first_token {
        return Err(named.refuse(
            "`leave_out_first_token` needs attention to first tokens, which the lake does not have; extract it with \
             `first_token` among `attention.key_roles`",
        ));
    }
    let cluster = match &entry.cluster {
        Some(sql) => {
            Grouping::evaluate(catalog, prompts, Expression { entry: &named.name, key: "cluster", sql })?
        }
        None => design.clusters().clone(),
    };
    let keys = read_keys(inputs, &parts)?;
    let keys = if entry.leave_out_first_token { masses::keys_without_first_token(&keys) } else { keys };
    let is_controlled = control.is_some();
    Ok(Prepared { entry: entry.clone(), parts, keys, is_controlled, keeps_first_token, cluster })
}

/// Whether the lake has attention to first tokens.
fn keeps_first_token(inputs: Inputs<'_>) -> Result<bool, AnalyzeError> {
    let sql = "SELECT prompt_id AS id FROM attention
         WHERE model = ?::VARCHAR AND task = ?::VARCHAR AND key_role = ?::VARCHAR LIMIT 1";
    let task = inputs.prompts.task.as_str();
    let parameters: [&dyn duckdb::ToSql; 3] = [&inputs.model, &task, &FIRST_TOKEN];
    let kept = ask(inputs.catalog.connection(), sql, &parameters, "look for attention to first tokens")?;
    Ok(!kept.column::<String>("id")?.is_empty())
}

/// Refuses a query from which no attention was kept.
fn check_kept(inputs: Inputs<'_>, parts: &str, named: &Named<AttentionRatio>) -> Result<(), AnalyzeError> {
    let sql = format!(
        "SELECT a.prompt_id AS id FROM attention AS a
         JOIN {parts} AS q ON q.prompt_id = a.prompt_id AND q.segment = a.query_segment AND q.part = 'query'
         WHERE a.model = ?::VARCHAR AND a.task = ?::VARCHAR LIMIT 1"
    );
    let task = inputs.prompts.task.as_str();
    let kept = ask(inputs.catalog.connection(), &sql, &[&inputs.model, &task], "look for attention")?;
    if !kept.column::<String>("id")?.is_empty() {
        return Ok(());
    }
    let query = Expression { entry: &named.name, key: "query", sql: &named.entry.query };
    let reason = "the lake has no attention from these segments; extract it with their role among \
                  `attention.query_roles`";
    Err(query.refuse(reason).into())
}

fn read_keys(inputs: Inputs<'_>, parts: &str) -> Result<Vec<Vec<Key>>, AnalyzeError> {
    let sql = format!(
        "SELECT {INDEX}, segment, any_value(n_tokens) AS n_tokens, any_value(__position) AS place,
            bool_or(part = 'relevant') AS is_relevant, bool_or(part = 'irrelevant') AS is_irrelevant,
            bool_or(part = 'control') AS is_control, bool_or(part = '{FIRST_TOKEN}') AS is_first_token,
            coalesce(bool_or(__holds_first), false) AS holds_first_token
         FROM {parts} WHERE part <> 'query' GROUP BY {INDEX}, segment ORDER BY {INDEX}, segment"
    );
    let answer = ask(inputs.catalog.connection(), &sql, &[], "read the picked segments")?;
    let (prompts, segments) = (answer.column::<i64>(INDEX)?, answer.column::<i64>("segment")?);
    let (n_tokens, positions) = (answer.column::<i64>("n_tokens")?, answer.column::<i64>("place")?);
    let is_relevant = answer.column::<bool>("is_relevant")?;
    let is_irrelevant = answer.column::<bool>("is_irrelevant")?;
    let is_control = answer.column::<bool>("is_control")?;
    let is_first_token = answer.column::<bool>("is_first_token")?;
    let holds_first_token = answer.column::<bool>("holds_first_token")?;
    let mut keys = vec![Vec::new(); inputs.prompts.len()];
    for (i, &prompt) in prompts.iter().enumerate() {
        keys[prompt as usize].push(Key {
            segment: segments[i] as i16,
            n_tokens: n_tokens[i] as f64,
            is_relevant: is_relevant[i],
            is_irrelevant: is_irrelevant[i],
            is_control: is_control[i],
            is_first_token: is_first_token[i],
            holds_first_token: holds_first_token[i],
            position: positions[i] as u32,
        });
    }
    Ok(keys)
}
