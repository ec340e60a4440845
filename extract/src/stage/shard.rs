//! Shards: the unit of work that is committed, and the chunks that it is computed in.

use crate::error::ExtractError;
use crate::forward::prefix_tree::shared_prefix;
use crate::forward::{BatchWorkload, KvCache, ResumeCheckpoint, Workload};
use crate::stage::batch::{Runner, run_chunk};
use crate::stage::chunk::Chunk;
use crate::stage::collect::Delivery;
use crate::stage::output::{Piece, ShardWriters};
use crate::stage::settings::Settings;
use crate::stage::tokenized_prompt::TokenizedPrompt;
use hypercolumn_schemas::{Partition, Progress, Transaction};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sha2::{Digest, Sha256};
use std::sync::mpsc::sync_channel;

/// A shard's prompts hold at most this many tokens that they do not share, unless one prompt has more: about a minute and a
/// half of work for a small model on two cores, which is what a kill can lose.
const MOST_SHARD_TOKENS: usize = 18_432;

/// A shard ends before its content says so only where it has fewer than these.
const LEAST_SHARD_TOKENS: usize = 6_144;

/// Tokens between two places at which the content says that a shard ends, on average.
const TOKENS_BETWEEN_ENDS: usize = 6_144;

/// A chunk, whose keys and values are in memory at once, ends at this many rows of the tree: enough that decoding,
/// one row a prompt and step, is still a product of large matrices.
const CHUNK_ROWS: usize = 8_192;

/// Parts of a chunk that may wait for the writer: each is one layer's.
pub const WAITING_PARTS: usize = 8;

/// Prompts in an order in which neighbours share their beginnings, cut into shards of indices. Where a shard ends depends on
/// the prompts around its end: a prompt more or less, or another text, changes the shard that it is in, and seldom the next.
pub fn plan_shards(tokenized_prompts: &[TokenizedPrompt]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tokenized_prompts.len()).collect();
    order.sort_by(|a, b| {
        let ids = |i: &usize| (&tokenized_prompts[*i].ids, &tokenized_prompts[*i].prompt.prompt_id);
        ids(a).cmp(&ids(b))
    });
    let cost = |previous: Option<usize>, next: usize| {
        let TokenizedPrompt { ids, n_sampled, .. } = &tokenized_prompts[next];
        ids.len() + n_sampled - previous.map_or(0, |p| shared(tokenized_prompts, p, next))
    };
    cut_by_content(&order, cost, |prompt| mark(&tokenized_prompts[prompt].ids))
}

/// A number from 0, below 1, that follows from the tokens alone.
fn mark(ids: &[u32]) -> f64 {
    let mut hasher = Sha256::new();
    ids.iter().for_each(|id| hasher.update(id.to_le_bytes()));
    let digest = hasher.finalize();
    let number = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// Cuts `order` into parts of [`LEAST_SHARD_TOKENS`] to [`MOST_SHARD_TOKENS`], before elements whose mark is small beside their
/// cost (content-defined chunking, as in Muthitacharoen et al. 2001). The last part may have less. `cost` is given the element
/// before it in its part.
fn cut_by_content(
    order: &[usize],
    cost: impl Fn(Option<usize>, usize) -> usize,
    mark: impl Fn(usize) -> f64,
) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let (mut total, mut last) = (0, None);
    for &next in order {
        let joined = cost(last, next);
        let ends_here =
            || total >= LEAST_SHARD_TOKENS && mark(next) < joined as f64 / TOKENS_BETWEEN_ENDS as f64;
        match parts.last_mut() {
            Some(part) if total + joined <= MOST_SHARD_TOKENS && !ends_here() => {
                part.push(next);
                total += joined;
            }
            _ => {
                parts.push(vec![next]);
                total = cost(None, next);
            }
        }
        last = Some(next);
    }
    parts
}

/// Cuts a shard into the chunks that are in memory at once.
pub fn plan_chunks(tokenized_prompts: &[TokenizedPrompt], shard: &[usize]) -> Vec<Vec<usize>> {
    let cost = |previous: Option<usize>, next: usize| {
        let own = &tokenized_prompts[next];
        own.n_rows(previous.map_or(0, |p| shared(tokenized_prompts, p, next))) + own.n_sampled
    };
    cut(shard, cost, CHUNK_ROWS)
}

/// What running the shards asks of memory besides weights, at `d_model` values a vector.
pub fn workload(
    tokenized_prompts: &[TokenizedPrompt],
    shards: &[Vec<usize>],
    settings: &Settings,
    d_model: usize,
) -> Workload {
    let chunks: Vec<Vec<usize>> =
        shards.iter().flat_map(|shard| plan_chunks(tokenized_prompts, shard)).collect();
    let slots =
        |i: &usize| tokenized_prompts[*i].plan.segments.iter().map(|s| s.poolings.len()).sum::<usize>();
    let most_slots = chunks.iter().map(|chunk| chunk.iter().map(slots).sum::<usize>()).max().unwrap_or(0);
    let n_response = |i: &usize| {
        let n_unread = usize::from(!tokenized_prompts[*i].plan.keeps_response());
        settings.max_new_tokens.saturating_sub(n_unread)
    };
    let batch = |chunk: &Vec<usize>| {
        let answers: usize =
            chunk.iter().map(|i| tokenized_prompts[*i].n_rows(tokenized_prompts[*i].ids.len())).sum();
        let samples = std::iter::repeat_n(
            settings.max_new_tokens.saturating_sub(1),
            chunk.len() * settings.sampling.n_samples,
        );
        BatchWorkload {
            n_prompt_rows: count_unique(tokenized_prompts, chunk) + answers,
            n_response_tokens: chunk.iter().map(n_response).chain(samples).collect(),
        }
    };
    Workload {
        batches: chunks.iter().map(batch).collect(),
        kv_cache: if settings.max_new_tokens > 0 { KvCache::Keep } else { KvCache::Drop },
        n_captured_bytes: (most_slots * d_model * size_of::<f32>() * WAITING_PARTS) as u64,
    }
}

/// Number of tokens of `prompts` when each shared beginning counts once, prompts being in shared order.
pub fn count_unique(tokenized_prompts: &[TokenizedPrompt], prompts: &[usize]) -> usize {
    let first = prompts.first().map_or(0, |p| tokenized_prompts[*p].ids.len());
    let rest =
        prompts.windows(2).map(|w| tokenized_prompts[w[1]].ids.len() - shared(tokenized_prompts, w[0], w[1]));
    first + rest.sum::<usize>()
}

fn shared(tokenized_prompts: &[TokenizedPrompt], a: usize, b: usize) -> usize {
    shared_prefix(&tokenized_prompts[a].ids, &tokenized_prompts[b].ids)
}

/// Cuts `order` into parts of about equal cost, as few as `limit` allows, and before the element that would bring a
/// part past `limit`. `cost` is given the element before it in its part.
fn cut(order: &[usize], cost: impl Fn(Option<usize>, usize) -> usize, limit: usize) -> Vec<Vec<usize>> {
    let first = order.first().map_or(0, |first| cost(None, *first));
    let whole = first + order.windows(2).map(|w| cost(Some(w[0]), w[1])).sum::<usize>();
    let fair = whole.div_ceil(whole.div_ceil(limit).max(1));
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut total = 0;
    for &next in order {
        let here = parts.last().and_then(|p| p.last()).copied();
        let joined = cost(here, next);
        match parts.last_mut() {
            Some(part) if total < fair && total + joined <= limit => {
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

/// Runs shards of one model and task.
pub struct ShardRunner<'a> {
    /// The model.
    pub runner: Runner<'a>,
    /// Name of the layout of the backend's resume checkpoints.
    pub resume_layout: String,
    /// Model and task.
    pub partition: Partition,
    /// Whether a run that is killed goes on at the last layer that it finished, rather than with the shard.
    pub keeps_layers: bool,
    /// The thread that encodes and writes: one for all shards, since what a thread has freed is of use to itself first.
    pub writing: ThreadPool,
}

/// A thread to write on.
pub fn writing_thread() -> ThreadPool {
    let thread = ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "writing".to_owned());
    thread.build().expect("the system gives a thread")
}

impl ShardRunner<'_> {
    /// Computes a shard and stages its files.
    pub fn read_shard(
        &self,
        tokenized_prompts: &[TokenizedPrompt],
        shard: &Shard<'_>,
        transaction: &mut Transaction,
        progress: &dyn Progress,
    ) -> Result<ShardRead, ExtractError> {
        let mut checkpoints = Vec::new();
        let of = |chunk: Vec<usize>| Chunk::new(chunk.iter().map(|i| &tokenized_prompts[*i]).collect());
        let chunks: Vec<Chunk> = plan_chunks(tokenized_prompts, shard.prompts).into_iter().map(of).collect();
        if self.keeps_layers {
            let name = |index| format!("resume-{}-{index}-{}", shard.key, self.resume_layout);
            let path = |index| transaction.lasting_directory(&name(index));
            checkpoints =
                (0..chunks.len()).map(|i| ResumeCheckpoint::open(path(i))).collect::<Result<_, _>>()?;
        }
        let writers = ShardWriters::open(transaction, &self.partition, self.runner.model.shape())?;
        // The writer encodes one part while the next is computed; a few may wait, so memory is bounded.
        let (sender, parts) = sync_channel(WAITING_PARTS);
        let mut written = None;
        let computed = self.writing.in_place_scope(|scope| {
            let (chunks, written, tokenizer) = (&chunks, &mut written, self.runner.tokenizer);
            scope.spawn(move |_| *written = Some(writers.write_all(chunks, parts, tokenizer)));
            // The scope waits for the writer, who waits for parts until no one can send any.
            let sender = sender;
            chunks.iter().enumerate().try_for_each(|(index, chunk)| {
                // A writer that failed has gone; its error is what counts.
                let hand_over = |part| drop(sender.send((index, Piece::Part(part))));
                let delivery = Delivery { progress, hand_over: &hand_over, resume: checkpoints.get(index) };
                let written = run_chunk(self.runner, chunk, delivery)?;
                drop(sender.send((index, Piece::Generated(written))));
                Ok::<_, ExtractError>(())
            })
        });
        let mut writers = computed.and(written.expect("the writer does not panic"))?;
        let spelt_otherwise = std::mem::take(&mut writers.spelt_otherwise);
        writers.stage(transaction)?;
        Ok(ShardRead { checkpoints, spelt_otherwise })
    }
}

/// What computing a shard leaves beside its files.
pub struct ShardRead {
    /// Resume checkpoints, to remove once the shard is committed.
    pub checkpoints: Vec<ResumeCheckpoint>,
    /// Prompts whose response begins with the expected answer in other tokens than those that were scored.
    pub spelt_otherwise: Vec<String>,
}

/// A shard that is computed.
pub struct Shard<'a> {
    /// Its prompts, by index.
    pub prompts: &'a [usize],
    /// Hash of everything that its numbers depend on.
    pub key: &'a str,
}

#[cfg(test)]
mod tests {
    use super::{LEAST_SHARD_TOKENS, MOST_SHARD_TOKENS, cut, cut_by_content, mark};

    /// Parts of elements that cost 40 each.
    fn parts_of(order: &[usize]) -> Vec<Vec<usize>> {
        cut_by_content(order, |_, _| 40, |element| mark(&[element as u32]))
    }

    #[test]
    fn an_element_more_or_less_changes_few_parts() {
        let order: Vec<usize> = (0..10_000).collect();
        let parts = parts_of(&order);
        assert_eq!(parts.concat(), order);
        let sizes = || parts.iter().map(|part| part.len() * 40);
        assert!(sizes().all(|size| size <= MOST_SHARD_TOKENS), "{:?}", sizes().collect::<Vec<_>>());
        assert!(sizes().rev().skip(1).all(|size| size >= LEAST_SHARD_TOKENS));
        let mean = sizes().sum::<usize>() / parts.len();
        assert!((10_000..14_500).contains(&mean), "{mean}");
        let mut n_changed = 0;
        for removed in (0..10_000).step_by(100) {
            let rest: Vec<usize> = order.iter().copied().filter(|element| *element != removed).collect();
            n_changed += parts_of(&rest).iter().filter(|part| !parts.contains(part)).count();
        }
        assert!(n_changed <= 200, "{n_changed} of {} parts changed by 100 removals", parts.len() * 100);
    }

    #[test]
    fn a_part_holds_an_element_that_is_too_large() {
        let parts = cut_by_content(&[0, 1, 2], |_, _| 20_000, |_| 0.5);
        assert_eq!(parts, [[0], [1], [2]]);
        assert!(parts_of(&[]).is_empty());
    }

    #[test]
    fn parts_stay_within_the_limit_and_keep_every_element() {
        let cost = |previous: Option<usize>, next: usize| if previous.is_some() { next } else { next + 5 };
        let parts = cut(&[1, 2, 3, 9, 30, 1], cost, 12);
        assert_eq!(parts, [vec![1, 2, 3], vec![9], vec![30], vec![1]]);
        assert!(cut(&[], cost, 12).is_empty());
    }

    #[test]
    fn no_part_is_left_with_little() {
        let parts = cut(&[1; 25], |_, next| next, 12);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [9, 9, 7]);
    }
}
