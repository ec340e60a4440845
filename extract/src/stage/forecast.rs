//! What an extraction will take of memory and of the lake, from the prompts that are there.
//!
//! The rows are counted exactly, short of how long responses become. Their bytes follow from what the
//! writer's encoding leaves of a row, measured on SmolLM2-135M with 40 to 48 prompts of the built-in tasks: over
//! five extractions the prediction was 3 to 13 % above the lake's true growth (maxima compress best).

use crate::error::ExtractError;
use crate::forward::MemoryForecast;
use crate::model::architecture::Architecture;
use crate::model::architecture::Shape;
use crate::stage::BACKEND;
use crate::stage::ModelFile;
use crate::stage::read_task;
use crate::stage::segment_plan::SegmentPlan;
use crate::stage::settings::Settings;
use crate::stage::shard::{count_unique, plan_shards, workload};
use crate::stage::tokenized_prompt::{TokenizedPrompt, tokenize_task};
use hypercolumn_schemas::Pooling;
use hypercolumn_schemas::{Lake, content_key};
use serde::Serialize;
use std::collections::HashSet;

/// Part of a vector's bytes that is left after its bytes were put side by side and compressed: mantissas are
/// noise, signs and exponents are not.
const VECTOR_LEFT: f64 = 0.82;
/// Bytes of a row of `hidden_states` beside its vector, or of a whole row whose vector was there before.
const HIDDEN_ROW: f64 = 40.0;
/// Bytes of a row of `attention`.
const ATTENTION_ROW: f64 = 2.3;
/// Bytes of a row of `tokens`.
const TOKEN_ROW: f64 = 2.5;
/// Bytes of a Parquet file without rows, and of its entry in the log.
const FILE: f64 = 2_500.0;

/// Part of an extraction's time that its matrix products take: the rest is attention's softmax, norms, pooling and the
/// writer's share of the cores. Measured by `extract --profile` on SmolLM2-135M: 0.69 to 0.77.
const PRODUCTS_SHARE: f64 = 0.70;

/// What an extraction will take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The task.
    pub task: String,
    /// Its prompts.
    pub n_prompts: usize,
    /// Their tokens.
    pub n_tokens: usize,
    /// Tokens when each shared beginning counts once a shard: what has to be computed.
    pub n_unique_tokens: usize,
    /// Rows of `hidden_states`, if every prompt gets a response.
    pub n_hidden_rows: usize,
    /// Rows of `attention`, if every prompt gets a response.
    pub n_attention_rows: usize,
    /// Bytes that the lake grows by, about.
    pub n_lake_bytes: u64,
    /// Memory at most, about, with every weight in memory, by what it is for.
    pub memory: MemoryForecast,
}

/// Counts what extracting `task` would take.
pub fn forecast(
    lake: &Lake,
    task: &str,
    settings: &Settings,
    file: &ModelFile,
) -> Result<Forecast, ExtractError> {
    let (tokenized_prompts, _) = tokenize_task(read_task(lake, &lake.snapshot()?, task)?, file, settings)?;
    let shards = plan_shards(&tokenized_prompts);
    let count = Count::of(&tokenized_prompts);
    let shape = file.shape();
    Ok(Forecast {
        task: task.to_owned(),
        n_prompts: tokenized_prompts.len(),
        n_tokens: tokenized_prompts.iter().map(|r| r.ids.len()).sum(),
        n_unique_tokens: shards.iter().map(|shard| count_unique(&tokenized_prompts, shard)).sum(),
        n_hidden_rows: count.n_slots * (shape.n_layers + 2),
        n_attention_rows: count.n_pairs * shape.n_layers * shape.n_heads,
        n_lake_bytes: lake_bytes(&count, &tokenized_prompts, settings, shape, shards.len()),
        memory: BACKEND
            .place(
                file.architecture(),
                &workload(&tokenized_prompts, &shards, settings, shape.d_model),
                u64::MAX,
            )
            .map_or_else(|needed| needed, |placed| placed.forecast),
    })
}

/// Rows at one site, and at one head.
struct Count {
    /// Vectors: kept poolings of segments that have tokens.
    n_slots: usize,
    /// Vectors that differ: a state depends on nothing but the tokens up to it, so prompts that begin alike
    /// share those of their beginnings, and the poolings of a single token are the same.
    n_distinct: usize,
    /// Pairs of query and key segments that have tokens.
    n_pairs: usize,
}

impl Count {
    fn of(tokenized_prompts: &[TokenizedPrompt]) -> Self {
        let mut distinct = HashSet::new();
        let (mut n_slots, mut n_pairs) = (0, 0);
        for (prompt, tokenized_prompt) in tokenized_prompts.iter().enumerate() {
            let segments: Vec<_> = tokenized_prompt
                .plan
                .segments
                .iter()
                .filter(|s| tokenized_prompt.plan.n_tokens_of(s, 1) > 0)
                .collect();
            let n_queries = segments.iter().filter(|s| s.is_query).count();
            n_pairs += n_queries * segments.iter().filter(|s| s.is_key).count();
            for segment in segments {
                n_slots += segment.poolings.len();
                distinct
                    .extend(segment.poolings.iter().map(|p| identity(prompt, tokenized_prompt, segment, *p)));
            }
        }
        Self { n_slots, n_distinct: distinct.len(), n_pairs }
    }
}

/// What a pooled vector depends on.
fn identity(
    prompt: usize,
    tokenized_prompt: &TokenizedPrompt,
    segment: &SegmentPlan,
    pooling: Pooling,
) -> String {
    let Some((_, end)) = segment.ranges.last() else {
        return content_key(&(prompt, pooling));
    };
    let is_single = tokenized_prompt.plan.n_tokens_of(segment, 0) == 1 || pooling == Pooling::Last;
    let ranges = if is_single { vec![(end - 1, *end)] } else { segment.ranges.clone() };
    let pooling = (!is_single).then_some(pooling);
    content_key(&(&tokenized_prompt.ids[..*end as usize], ranges, pooling))
}

/// Bytes that the lake grows by with all of `tokenized_prompts`, about.
pub fn predicted_lake_bytes(
    tokenized_prompts: &[TokenizedPrompt],
    settings: &Settings,
    shape: Shape,
    n_shards: usize,
) -> u64 {
    lake_bytes(&Count::of(tokenized_prompts), tokenized_prompts, settings, shape, n_shards)
}

/// `(L + 2) · (distinct · 4 d · 0.82 + rows · 40) + L · heads · pairs · 2.3 + tokens · 2.5 + files · 2,500`.
fn lake_bytes(
    count: &Count,
    tokenized_prompts: &[TokenizedPrompt],
    settings: &Settings,
    shape: Shape,
    n_shards: usize,
) -> u64 {
    let vector = (shape.d_model * size_of::<f32>()) as f64 * VECTOR_LEFT;
    let site = count.n_distinct as f64 * vector + count.n_slots as f64 * HIDDEN_ROW;
    let hidden = (shape.n_layers + 2) as f64 * site;
    let attention = (shape.n_layers * shape.n_heads * count.n_pairs) as f64 * ATTENTION_ROW;
    let tokens = |r: &TokenizedPrompt| r.ids.len() + settings.max_new_tokens + r.n_sampled;
    let tokens = tokenized_prompts.iter().map(tokens).sum::<usize>() as f64 * TOKEN_ROW;
    let n_attention_files = if count.n_pairs > 0 { shape.n_layers } else { 0 };
    let n_files = n_shards * (shape.n_layers + 1 + n_attention_files + 3);
    (hidden + attention + tokens + n_files as f64 * FILE) as u64
}

/// Part of the longest response that one is taken to have, on average, where a text may end it: 0.7 and 0.24 in the
/// built-in study.
const STOPPED_PART: f64 = 0.5;

/// Floating-point operations in the matrix products of some shards, about: nobody knows how soon a response ends.
///
/// For each row that is computed, `2 · weights of the blocks + 4 · L · heads · width · position`, and for each row whose
/// logits are asked for, `2 · d · vocabulary`. Rows are a shard's tokens, shared beginnings once, those of answers, and
/// those of responses.
pub fn product_flop<'a>(
    block_bytes: u64,
    architecture: &Architecture,
    tokenized_prompts: &[TokenizedPrompt],
    shards: impl Iterator<Item = &'a Vec<usize>>,
    settings: &Settings,
) -> f64 {
    let shape = architecture.shape;
    let block = block_bytes as f64 / size_of::<f32>() as f64;
    let weights = block * shape.n_layers as f64;
    let attended = (shape.n_layers * shape.n_heads * architecture.head_dim) as f64;
    let unembedding = (shape.d_model * shape.n_vocabulary) as f64;
    let stopped_part = if settings.stop.is_empty() { 1.0 } else { STOPPED_PART };
    let of_shard = |shard: &Vec<usize>| {
        let answers = || shard.iter().flat_map(|i| &tokenized_prompts[*i].answers);
        let n_responses =
            (shard.len() * (settings.max_new_tokens + settings.n_sampled_tokens())) as f64 * stopped_part;
        let n_rows = (count_unique(tokenized_prompts, shard)
            + answers().map(|a| a.ids.len() - 1).sum::<usize>()) as f64
            + n_responses;
        let n_logits = answers().map(|a| a.ids.len()).sum::<usize>() as f64 + n_responses;
        let longest = shard.iter().map(|i| tokenized_prompts[*i].ids.len()).max().unwrap_or(0) as f64;
        n_rows * (2.0 * weights + 4.0 * attended * longest / 2.0) + 2.0 * unembedding * n_logits
    };
    shards.map(of_shard).sum()
}

/// Seconds that an extraction of so many operations takes where products run at `flop_per_second`.
pub fn seconds(product_flop: f64, flop_per_second: f64) -> f64 {
    product_flop / flop_per_second / PRODUCTS_SHARE
}
