//! What an extraction will take of memory and of the lake, from the prompts that are there.
//!
//! The rows are counted exactly, short of how long responses become. Their bytes follow from what the
//! writer's encoding leaves of a row, measured on SmolLM2-135M with 40 to 48 prompts of the built-in tasks: over
//! five extractions the prediction was 3 to 13 % above the lake's true growth (maxima compress best). The
//! memory is the sum of what is alive at the largest chunk; of four runs' peaks it was between 2 % below and
//! 8 % above.

use crate::backend::Shape;
use crate::chunk::Reading;
use crate::error::ExtractError;
use crate::model::architecture::Architecture;
use crate::prompts::read_prompts;
use crate::settings::{Pooling, Settings};
use crate::shard::{count_unique, plan_chunks, plan_shards};
use crate::taps::SegmentPlan;
use crate::tokenizer::Tokenizer;
use hypercolumn_schemas::{Lake, content_key};
use rayon::prelude::*;
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

/// Rows whose logits are alive together.
const LOGIT_ROWS: usize = 128;
/// Bytes of a row group that a writer holds back at most.
const ROW_GROUP_BYTES: usize = 32 << 20;

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
    /// Bytes of memory at most, about.
    pub n_memory_bytes: u64,
}

/// Counts what extracting `task` would take.
pub fn forecast(
    lake: &Lake,
    task: &str,
    settings: &Settings,
    tokenizer: &Tokenizer,
    architecture: &Architecture,
    n_parameters: u64,
) -> Result<Forecast, ExtractError> {
    let prompts = read_prompts(lake, &lake.snapshot()?, task)?;
    let readings = prompts
        .into_par_iter()
        .map(|prompt| Reading::new(prompt, tokenizer, settings))
        .collect::<Result<Vec<_>, _>>()?;
    let shards = plan_shards(&readings);
    let count = Count::of(&readings);
    let shape = architecture.shape;
    Ok(Forecast {
        task: task.to_owned(),
        n_prompts: readings.len(),
        n_tokens: readings.iter().map(|r| r.encoding.ids.len()).sum(),
        n_unique_tokens: shards.iter().map(|shard| count_unique(&readings, shard)).sum(),
        n_hidden_rows: count.n_slots * (shape.n_layers + 2),
        n_attention_rows: count.n_pairs * shape.n_layers * shape.n_heads,
        n_lake_bytes: lake_bytes(&count, &readings, settings, shape, shards.len()),
        n_memory_bytes: memory_bytes(architecture, n_parameters, &readings, &shards, settings),
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
    fn of(readings: &[Reading]) -> Self {
        let mut distinct = HashSet::new();
        let (mut n_slots, mut n_pairs) = (0, 0);
        for (prompt, reading) in readings.iter().enumerate() {
            let segments: Vec<_> =
                reading.plan.segments.iter().filter(|s| reading.plan.n_tokens_of(s, 1) > 0).collect();
            let n_queries = segments.iter().filter(|s| s.is_query).count();
            n_pairs += n_queries * segments.iter().filter(|s| s.is_key).count();
            for segment in segments {
                n_slots += segment.poolings.len();
                distinct.extend(segment.poolings.iter().map(|p| identity(prompt, reading, segment, *p)));
            }
        }
        Self { n_slots, n_distinct: distinct.len(), n_pairs }
    }
}

/// What a pooled vector depends on.
fn identity(prompt: usize, reading: &Reading, segment: &SegmentPlan, pooling: Pooling) -> String {
    let Some((_, end)) = segment.ranges.last() else {
        return content_key(&(prompt, pooling));
    };
    let is_single = reading.plan.n_tokens_of(segment, 0) == 1 || pooling == Pooling::Last;
    let ranges = if is_single { vec![(end - 1, *end)] } else { segment.ranges.clone() };
    let pooling = (!is_single).then_some(pooling);
    content_key(&(&reading.encoding.ids[..*end as usize], ranges, pooling))
}

/// `(L + 2) · (distinct · 4 d · 0.82 + rows · 40) + L · heads · pairs · 2.3 + tokens · 2.5 + files · 2,500`.
fn lake_bytes(
    count: &Count,
    readings: &[Reading],
    settings: &Settings,
    shape: Shape,
    n_shards: usize,
) -> u64 {
    let vector = (shape.d_model * size_of::<f32>()) as f64 * VECTOR_LEFT;
    let site = count.n_distinct as f64 * vector + count.n_slots as f64 * HIDDEN_ROW;
    let hidden = (shape.n_layers + 2) as f64 * site;
    let attention = (shape.n_layers * shape.n_heads * count.n_pairs) as f64 * ATTENTION_ROW;
    let tokens = |r: &Reading| r.encoding.ids.len() + settings.max_new_tokens;
    let tokens = readings.iter().map(tokens).sum::<usize>() as f64 * TOKEN_ROW;
    let n_attention_files = if count.n_pairs > 0 { shape.n_layers } else { 0 };
    let n_files = n_shards * (shape.n_layers + 1 + n_attention_files + 3);
    (hidden + attention + tokens + n_files as f64 * FILE) as u64
}

/// Weights in f32, and for the largest chunk: keys and values, activations, logits, pooled states and attention
/// sums, and the row groups that the writers of its shard hold back.
fn memory_bytes(
    architecture: &Architecture,
    n_parameters: u64,
    readings: &[Reading],
    shards: &[Vec<usize>],
    settings: &Settings,
) -> u64 {
    let shape = architecture.shape;
    let key_width = architecture.n_key_heads * architecture.head_width;
    let query_width = shape.n_heads * architecture.head_width;
    let kept = 2 * key_width * shape.n_layers;
    let passing = 3 * shape.d_model + 2 * (query_width + 2 * key_width) + 3 * architecture.d_feed_forward;
    let row = (kept + passing) * size_of::<f32>();
    let chunk = |chunk: &Vec<usize>| {
        let count = |of: fn(&Reading) -> usize| chunk.iter().map(|i| of(&readings[*i])).sum::<usize>();
        let answers = count(|r| r.n_rows(r.encoding.ids.len()));
        let rows = count_unique(readings, chunk) + answers + chunk.len() * settings.max_new_tokens;
        rows * row
            + count(pooled_slots) * slot_bytes(shape)
            + count(pairs) * shape.n_layers * shape.n_heads * size_of::<f64>()
    };
    let shard = |shard: &Vec<usize>| {
        let slots: usize = shard.iter().map(|i| pooled_slots(&readings[*i])).sum();
        let held = (slots * shape.d_model * size_of::<f32>()).min(ROW_GROUP_BYTES) * (shape.n_layers + 2);
        held + plan_chunks(shape, readings, shard).iter().map(chunk).max().unwrap_or(0)
    };
    let largest = shards.iter().map(shard).max().unwrap_or(0);
    let logits = LOGIT_ROWS * shape.n_vocabulary * size_of::<f32>();
    n_parameters * size_of::<f32>() as u64 + (logits + largest) as u64
}

fn slot_bytes(shape: Shape) -> usize {
    shape.d_model * (shape.n_layers + 2) * size_of::<f32>()
}

fn pooled_slots(reading: &Reading) -> usize {
    reading.plan.segments.iter().map(|s| s.poolings.len()).sum()
}

fn pairs(reading: &Reading) -> usize {
    let segments = &reading.plan.segments;
    segments.iter().filter(|s| s.is_query).count() * segments.iter().filter(|s| s.is_key).count()
}
