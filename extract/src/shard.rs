//! Shards: the unit of work that is committed, and the chunks that it is computed in.

use crate::backend::Backend;
use crate::chunk::{ChunkResult, Reading, run_chunk};
use crate::error::ExtractError;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::taps::PromptPlan;
use crate::tokenizer::Tokenizer;
use crate::tree::shared_prefix;
use crate::writers::ShardWriters;
use hypercolumn_schemas::{Partition, Transaction};
use std::sync::mpsc::sync_channel;

/// A shard ends when its prompts hold this many tokens that they do not share: about a minute of work
/// for a small model on two cores, which is what a kill can lose.
const SHARD_TOKENS: usize = 12_288;

/// A chunk, which is in memory at once, ends at this many rows of the tree: enough that decoding, one row a
/// prompt and step, is still a product of large matrices …
const CHUNK_ROWS: usize = 6_144;

/// … or at this many bytes of pooled states.
const CHUNK_POOLED_BYTES: usize = 160 << 20;

/// Prompts in an order in which neighbours share their beginnings, cut into shards of indices.
pub fn plan_shards(readings: &[Reading]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..readings.len()).collect();
    order.sort_by(|a, b| {
        let ids = |i: &usize| (&readings[*i].encoding.ids, &readings[*i].prompt.prompt_id);
        ids(a).cmp(&ids(b))
    });
    cut(
        &order,
        |previous, next| {
            readings[next].encoding.ids.len() - previous.map_or(0, |p| shared(readings, p, next))
        },
        SHARD_TOKENS,
    )
}

/// Number of tokens of `prompts` when each shared beginning counts once, prompts being in shared order.
pub fn count_unique(readings: &[Reading], prompts: &[usize]) -> usize {
    let first = prompts.first().map_or(0, |p| readings[*p].encoding.ids.len());
    let rest = prompts.windows(2).map(|w| readings[w[1]].encoding.ids.len() - shared(readings, w[0], w[1]));
    first + rest.sum::<usize>()
}

fn shared(readings: &[Reading], a: usize, b: usize) -> usize {
    shared_prefix(&readings[a].encoding.ids, &readings[b].encoding.ids)
}

/// Cuts `order` before the element that would bring a part's cost past `limit`. `cost` is given the element
/// before it in its part.
fn cut(order: &[usize], cost: impl Fn(Option<usize>, usize) -> usize, limit: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut total = 0;
    for &next in order {
        let here = parts.last().and_then(|p| p.last()).copied();
        let joined = cost(here, next);
        match parts.last_mut() {
            Some(part) if total + joined <= limit => {
                part.push(next);
                total += joined;
            }
            _ => {
                parts.push(vec![next]);
                total = cost(None, next);
            }
        }
    }
    parts
}

/// A model, ready to read prompts.
pub struct Reader<'a> {
    /// The loaded model.
    pub backend: &'a dyn Backend,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What is kept.
    pub settings: &'a Settings,
    /// Model and task.
    pub partition: Partition,
}

impl Reader<'_> {
    /// Computes a shard and stages its files.
    pub fn read_shard(
        &self,
        readings: &[Reading],
        shard: &[usize],
        transaction: &mut Transaction,
        progress: &dyn Progress,
    ) -> Result<(), ExtractError> {
        let chunks = self.chunks(readings, shard);
        let chunks: Vec<Vec<&Reading>> =
            chunks.iter().map(|chunk| chunk.iter().map(|i| &readings[*i]).collect()).collect();
        let plans: Vec<Vec<PromptPlan>> =
            chunks.iter().map(|chunk| chunk.iter().map(|r| r.plan.clone()).collect()).collect();
        let writers = ShardWriters::open(transaction, &self.partition, self.backend.shape())?;
        let writers = std::thread::scope(|scope| {
            // One chunk is encoded while the next is computed; a third would wait, so memory is bounded.
            let (hand_over, written) = sync_channel::<ChunkResult>(0);
            let tokenizer = self.tokenizer;
            let writing = scope.spawn(move || writers.write_all(written, tokenizer));
            for (chunk, plans) in chunks.iter().zip(&plans) {
                let result = run_chunk(self.backend, self.tokenizer, self.settings, chunk, plans, progress)?;
                if hand_over.send(result).is_err() {
                    break;
                }
            }
            drop(hand_over);
            writing.join().expect("the writer does not panic")
        })?;
        Ok(writers.stage(transaction)?)
    }

    fn chunks(&self, readings: &[Reading], shard: &[usize]) -> Vec<Vec<usize>> {
        let shape = self.backend.shape();
        let slot_bytes = shape.d_model * (shape.n_layers + 2) * size_of::<f32>();
        let rows_per_slot = CHUNK_ROWS * slot_bytes / CHUNK_POOLED_BYTES;
        let cost = |previous: Option<usize>, next: usize| {
            let reading = &readings[next];
            let slots: usize = reading.plan.segments.iter().map(|s| s.poolings.len()).sum();
            let rows = reading.n_rows(previous.map_or(0, |p| shared(readings, p, next)));
            rows.max(slots * rows_per_slot)
        };
        cut(shard, cost, CHUNK_ROWS)
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn parts_stay_within_the_limit_and_keep_every_element() {
        let cost = |previous: Option<usize>, next: usize| if previous.is_some() { next } else { next + 5 };
        let parts = cut(&[1, 2, 3, 9, 30, 1], cost, 12);
        assert_eq!(parts, [vec![1, 2, 3], vec![9], vec![30], vec![1]]);
    }
}
