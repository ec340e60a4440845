//! Masses of prompts, and heads combined within a prompt.

use super::{Key, Prepared};
use crate::analyses::Inputs;
use crate::answer::ask;
use crate::error::AnalyzeError;
use crate::prompts::TaskPrompts;
use std::collections::BTreeMap;

/// Attention of one prompt in one head (or of heads combined) to its picked segments.
#[derive(Clone, Debug)]
pub(super) struct Masses {
    /// The prompt, by its number in the task.
    pub(super) prompt: usize,
    pub(super) head: i16,
    /// One a key of the prompt, `[n_keys]`; 0 where the lake has none.
    pub(super) of: Vec<f64>,
}

impl Masses {
    /// Mass and tokens of the segments of one part.
    pub(super) fn part(&self, keys: &[Key], is_part: impl Fn(&Key) -> bool) -> Part {
        let own = self.of.iter().zip(keys).filter(|(_, key)| is_part(key));
        own.fold(Part::default(), |part, (mass, key)| Part {
            mass: part.mass + mass,
            n_tokens: part.n_tokens + key.n_tokens,
        })
    }

    /// Mass on the first token, where it was kept.
    pub(super) fn of_first_token(&self, keys: &[Key]) -> Option<f64> {
        keys.iter().position(|key| key.is_first_token).map(|at| self.of[at])
    }

    /// The masses less the first token's, in the segments that hold it. A rest within the rounding of the stored masses
    /// is none.
    pub(super) fn without_first_token(&self, keys: &[Key]) -> Self {
        let first = self.of_first_token(keys).unwrap_or(0.0);
        let rest = |mass: f64| if mass - first > ROUNDING * mass { mass - first } else { 0.0 };
        let of = self
            .of
            .iter()
            .zip(keys)
            .map(|(&mass, key)| if key.shares_first_token() { rest(mass) } else { mass });
        Self { prompt: self.prompt, head: self.head, of: of.collect() }
    }

    /// Logarithm of the ratio of masses, without regard to lengths; `None` where a side has no mass.
    pub(super) fn log_ratio_raw(&self, keys: &[Key]) -> Option<f64> {
        let (relevant, irrelevant) =
            (self.part(keys, |key| key.is_relevant), self.part(keys, |key| key.is_irrelevant));
        (relevant.mass > 0.0 && irrelevant.mass > 0.0).then(|| (relevant.mass / irrelevant.mass).ln())
    }

    /// Logarithm of the ratio of masses per token.
    pub(super) fn log_ratio(&self, keys: &[Key]) -> Option<f64> {
        let (relevant, irrelevant) =
            (self.part(keys, |key| key.is_relevant), self.part(keys, |key| key.is_irrelevant));
        Some(self.log_ratio_raw(keys)? - (relevant.n_tokens / irrelevant.n_tokens).ln())
    }
}

/// Masses are stored in single precision.
const ROUNDING: f64 = 1e-6;

/// Picked segments less the first token; of `keys`, by prompt.
pub(super) fn keys_without_first_token(keys: &[Vec<Key>]) -> Vec<Vec<Key>> {
    let shorten =
        |key: &Key| Key { n_tokens: key.n_tokens - f64::from(u8::from(key.shares_first_token())), ..*key };
    keys.iter().map(|keys| keys.iter().map(shorten).collect()).collect()
}

/// Mass and tokens of some segments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) mass: f64,
    pub(super) n_tokens: f64,
}

/// How heads are combined within a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadReduction {
    None,
    Mean,
    Max,
}

impl HeadReduction {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::Max => "max",
        }
    }
}

/// The prompts of one row.
#[derive(Clone)]
pub(super) struct RowPrompts {
    /// The condition, by its number in the task.
    pub(super) condition: usize,
    pub(super) layer: i16,
    pub(super) head: i16,
    pub(super) reduction: HeadReduction,
    pub(super) masses: Vec<Masses>,
}

/// Masses by layer, in order of prompt and head.
pub(super) fn read(inputs: Inputs<'_>, one: &Prepared) -> Result<BTreeMap<i16, Vec<Masses>>, AnalyzeError> {
    let Inputs { catalog, model, prompts, .. } = inputs;
    let connection = catalog.connection();
    let sql = format!("CREATE OR REPLACE TEMP VIEW picked_segments AS SELECT * FROM {}", one.parts);
    connection.execute_batch(&sql).map_err(AnalyzeError::engine("name the picked segments"))?;
    let sql = include_str!("../../../queries/attention_masses.sql");
    let task = prompts.task.as_str();
    let answer = ask(connection, sql, &[&model, &task], "add up attention masses")?;
    let ids = answer.column::<String>("prompt_id")?;
    let (layers, heads) = (answer.column::<i64>("layer")?, answer.column::<i64>("head")?);
    let (segments, found) = (answer.column::<i64>("key_segment")?, answer.column::<f64>("mass")?);
    let mut masses: BTreeMap<i16, Vec<Masses>> = BTreeMap::new();
    for (i, id) in ids.iter().enumerate() {
        let Some(prompt) = prompts.number(id) else { continue };
        let (keys, head) = (&one.keys[prompt], heads[i] as i16);
        let of_layer = masses.entry(layers[i] as i16).or_default();
        if of_layer.last().is_none_or(|last| last.prompt != prompt || last.head != head) {
            of_layer.push(Masses { prompt, head, of: vec![0.0; keys.len()] });
        }
        let at = keys.iter().position(|key| i64::from(key.segment) == segments[i]);
        let last = of_layer.last_mut().expect("masses were just added");
        last.of[at.expect("masses are of picked segments")] = found[i];
    }
    if one.entry.leave_out_first_token {
        for of_prompt in masses.values_mut().flatten() {
            *of_prompt = of_prompt.without_first_token(&one.keys[of_prompt.prompt]);
        }
    }
    Ok(masses)
}

/// Each head, then heads combined by mean and by max, by layer and condition. A condition whose prompts have the segments
/// but no attention has groups without prompts.
pub(super) fn group(
    prompts: &TaskPrompts,
    one: &Prepared,
    masses: BTreeMap<i16, Vec<Masses>>,
) -> Vec<RowPrompts> {
    let has_segments = |condition: usize| {
        let own = (0..prompts.len()).filter(|&p| prompts.condition_of[p] == condition);
        own.into_iter().any(|p| one.has_segments(p))
    };
    let conditions: Vec<usize> = (0..prompts.conditions.len()).filter(|&c| has_segments(c)).collect();
    let mut groups = Vec::new();
    for (layer, masses) in masses {
        let mut heads: Vec<i16> = masses.iter().map(|m| m.head).collect();
        heads.sort_unstable();
        heads.dedup();
        for &condition in &conditions {
            let own: Vec<&Masses> = masses
                .iter()
                .filter(|m| prompts.condition_of[m.prompt] == condition && one.has_segments(m.prompt))
                .collect();
            let new = |head, reduction, masses| RowPrompts { condition, layer, head, reduction, masses };
            for &head in &heads {
                let of_head = own.iter().filter(|m| m.head == head).map(|m| (*m).clone()).collect();
                groups.push(new(head, HeadReduction::None, of_head));
            }
            let by_prompt: Vec<&[&Masses]> = own.chunk_by(|a, b| a.prompt == b.prompt).collect();
            let mean = by_prompt.iter().map(|heads| mean_of_heads(heads)).collect();
            groups.push(new(-1, HeadReduction::Mean, mean));
            let max =
                by_prompt.iter().map(|heads| largest_of_heads(heads, &one.keys[heads[0].prompt])).collect();
            groups.push(new(-1, HeadReduction::Max, max));
        }
    }
    groups
}

impl RowPrompts {
    /// Whether two rows differ in nothing but the condition.
    pub(super) fn is_same_but_for_condition(&self, other: &Self) -> bool {
        other.layer == self.layer && other.head == self.head && other.reduction == self.reduction
    }

    /// The row's prompts less the first token.
    pub(super) fn without_first_token(&self, keys: &[Vec<Key>]) -> Self {
        let masses = self.masses.iter().map(|m| m.without_first_token(&keys[m.prompt])).collect();
        Self { masses, ..*self }
    }
}

impl Prepared {
    /// Whether a prompt has segments of both sides.
    pub(super) fn has_segments(&self, prompt: usize) -> bool {
        let keys = &self.keys[prompt];
        keys.iter().any(|key| key.is_relevant) && keys.iter().any(|key| key.is_irrelevant)
    }
}

fn mean_of_heads(heads: &[&Masses]) -> Masses {
    let n = heads.len() as f64;
    let of = (0..heads[0].of.len()).map(|key| heads.iter().map(|m| m.of[key]).sum::<f64>() / n).collect();
    Masses { prompt: heads[0].prompt, head: -1, of }
}

/// The head with the largest ratio, the first of them if tied.
fn largest_of_heads(heads: &[&Masses], keys: &[Key]) -> Masses {
    let ratio = |m: &Masses| m.log_ratio(keys).unwrap_or(f64::NEG_INFINITY);
    let better = |best, m| if ratio(m) > ratio(best) { m } else { best };
    let largest: &Masses = heads.iter().skip(1).copied().fold(heads[0], better);
    largest.clone()
}
