//! Shards: the unit of work that is committed, and the chunks that it is computed in.

use crate::backend::{Backend, Shape};
use crate::chunk::{ChunkResult, Reading, run_chunk};
use crate::error::ExtractError;
use crate::progress::Progress;
use crate::rows::{attention_rows, choice_rows, hidden_rows, response_rows, token_rows};
use crate::settings::Settings;
use crate::taps::PromptPlan;
use crate::tokenizer::Tokenizer;
use crate::tree::shared_prefix;
use hypercolumn_schemas::{FileWriter, LakeError, Partition, Table, Transaction, tables};

/// A shard ends when its prompts hold this many tokens that they do not share: about a minute of work
/// for a small model on two cores, which is what a kill can lose.
const SHARD_TOKENS: usize = 12_288;

/// A chunk, which is in memory at once, ends at this many rows of the tree: enough that decoding, one row a
/// prompt and step, is still a product of large matrices …
const CHUNK_ROWS: usize = 8_192;

/// … or at this many bytes of pooled states.
const CHUNK_POOLED_BYTES: usize = 256 << 20;

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

/// Cuts a shard into the chunks that are in memory at once.
pub fn plan_chunks(shape: Shape, readings: &[Reading], shard: &[usize]) -> Vec<Vec<usize>> {
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
        let shape = self.backend.shape();
        let mut writers = ShardWriters::open(transaction, &self.partition, shape)?;
        for chunk in plan_chunks(shape, readings, shard) {
            let chunk: Vec<&Reading> = chunk.into_iter().map(|i| &readings[i]).collect();
            let plans: Vec<PromptPlan> = chunk.iter().map(|r| r.plan.clone()).collect();
            let result = run_chunk(self.backend, self.tokenizer, self.settings, &chunk, &plans, progress)?;
            writers.write(&result, self.tokenizer, shape)?;
        }
        Ok(writers.stage(transaction)?)
    }
}

struct ShardWriters {
    tokens: FileWriter,
    responses: FileWriter,
    choices: FileWriter,
    /// By layer from 0.
    hidden: Vec<FileWriter>,
    /// By layer from 1.
    attention: Vec<FileWriter>,
}

impl ShardWriters {
    fn open(transaction: &mut Transaction, partition: &Partition, shape: Shape) -> Result<Self, LakeError> {
        let mut whole = |table: &'static Table| transaction.writer(table, partition.clone(), None);
        let (tokens, responses, choices) =
            (whole(&tables::TOKENS)?, whole(&tables::RESPONSES)?, whole(&tables::CHOICES)?);
        let n = shape.n_layers as i32;
        let mut at_layer = |table: &'static Table, layer: i32, width: Option<i32>| {
            transaction.writer(table, partition.clone().at_layer(layer), width)
        };
        let width = Some(shape.d_model as i32);
        let hidden = (0..=n).map(|l| at_layer(&tables::HIDDEN_STATES, l, width)).collect::<Result<_, _>>()?;
        let attention = (1..=n).map(|l| at_layer(&tables::ATTENTION, l, None)).collect::<Result<_, _>>()?;
        Ok(Self { tokens, responses, choices, hidden, attention })
    }

    fn write(
        &mut self,
        chunk: &ChunkResult,
        tokenizer: &Tokenizer,
        shape: Shape,
    ) -> Result<(), ExtractError> {
        self.tokens.write(&token_rows(chunk, tokenizer)?)?;
        self.responses.write(&response_rows(chunk)?)?;
        self.choices.write(&choice_rows(chunk)?)?;
        for (layer, writer) in self.hidden.iter_mut().enumerate() {
            writer.write(&hidden_rows(chunk, shape, layer)?)?;
        }
        for (layer, writer) in (1..).zip(&mut self.attention) {
            writer.write(&attention_rows(chunk, shape, layer)?)?;
        }
        Ok(())
    }

    fn stage(self, transaction: &mut Transaction) -> Result<(), LakeError> {
        let whole = [self.tokens, self.responses, self.choices];
        whole.into_iter().chain(self.hidden).chain(self.attention).try_for_each(|w| transaction.stage(w))
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
