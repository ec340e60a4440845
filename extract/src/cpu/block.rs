//! One transformer block over the rows of a batch.

use super::attention::{Attention, AttentionScratch, Scoring};
use super::block_table::BatchLayout;
use super::capture::AttentionSums;
use super::edits::LayerEdits;
use super::elementwise::{RotaryTable, add, normalize};
use super::feed_forward::{FeedForward, FeedForwardScratch};
use super::heads::heads;
use super::kv_cache::{KvBlock, KvBlockPart, LayerKvCache};
use super::matrix::Matrix;
use super::product::PackedRows;
use super::workers::{block_rows, share_out, sized};
use crate::forward::profile::{Clock, Profile, Work};
use crate::model::architecture::{Architecture, Layer, LayerWeights, Norm, NormWeights, Residual};
use hypercolumn_schemas::Site;
use std::ops::Range;

/// Rows at which a thread has enough neighbouring edges to attend for.
const NEIGHBOUR_ROWS: usize = 8;

/// The weights of a block, packed.
pub struct Block {
    kind: Layer,
    attention_norm: NormWeights,
    query_key_value: Matrix,
    query_norm: Option<NormWeights>,
    key_norm: Option<NormWeights>,
    attention_output: Matrix,
    post_attention_norm: Option<NormWeights>,
    feed_forward_norm: NormWeights,
    feed_forward: FeedForward,
    post_feed_forward_norm: Option<NormWeights>,
}

/// Buffers for the rows of a batch, kept from block to block.
#[derive(Debug, Default)]
pub struct Workspace {
    queries: Vec<f32>,
    mixed: Vec<f32>,
    logits: Vec<f32>,
    kv_cache: Option<KvBlock>,
    threads: Vec<Scratch>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What the thread's time went to.
    pub clock: Clock,
    attention: AttentionScratch,
    normal: Vec<f32>,
    wide: Vec<f32>,
    feed_forward: FeedForwardScratch,
    result: Vec<f32>,
    packed: PackedRows,
}

impl Workspace {
    /// Buffers for as many threads as there are.
    pub fn new() -> Self {
        let threads = (0..rayon::current_num_threads()).map(|_| Scratch::default()).collect();
        Self { threads, ..Self::default() }
    }

    /// What the threads' time went to since this was last asked.
    pub fn take_profile(&mut self) -> Profile {
        let n = self.threads.len();
        self.threads.iter_mut().fold(Profile::default(), |mut total, thread| {
            total += thread.clock.take(n);
            total
        })
    }

    /// Takes keys and values that nobody needs any more, for the next block to overwrite.
    pub fn take_back(&mut self, kv_cache: Option<KvBlock>) {
        self.kv_cache = kv_cache;
    }

    /// The threads' buffers.
    pub fn threads(&mut self) -> &mut [Scratch] {
        &mut self.threads
    }

    /// `n` values to fill with logits, and the threads' buffers.
    pub fn logits(&mut self, n: usize) -> (&mut [f32], &mut [Scratch]) {
        (sized(&mut self.logits, n), &mut self.threads)
    }
}

impl Scratch {
    /// `n` values to fill.
    pub fn values(&mut self, n: usize) -> &mut [f32] {
        sized(&mut self.wide, n)
    }
}

/// What a block needs besides its weights and rows.
pub struct BatchContext<'a> {
    /// The model.
    pub architecture: &'a Architecture,
    /// The rows' places in the tree.
    pub layout: &'a BatchLayout<'a>,
    /// Rotary angles, where the model has them.
    pub rotary: Option<&'a RotaryTable>,
}

/// What is done with a block's states besides computing them.
pub(super) struct Hooks<'a> {
    /// Attention between segments.
    pub sums: &'a AttentionSums,
    /// Interventions.
    pub edits: &'a LayerEdits<'a>,
}

impl Block {
    /// Packs the weights of block `index`, from 0.
    pub fn pack(weights: LayerWeights, architecture: &Architecture, index: usize) -> Self {
        let Architecture { activation, is_gated, .. } = *architecture;
        Self {
            kind: architecture.layers[index],
            attention_norm: weights.attention_norm,
            query_key_value: Matrix::pack(&weights.query_key_value),
            query_norm: weights.query_norm,
            key_norm: weights.key_norm,
            attention_output: Matrix::pack(&weights.attention_output),
            post_attention_norm: weights.post_attention_norm,
            feed_forward_norm: weights.feed_forward_norm,
            feed_forward: FeedForward::pack(activation, is_gated, &weights.up, &weights.down),
            post_feed_forward_norm: weights.post_feed_forward_norm,
        }
    }

    /// Takes the residual stream `x` (`[n_rows, d_model]`) past this block. `kv_cache` has the layer's keys and values of the
    /// passes so far; this batch's are added. Attention goes to the hooks' sums, states within the block to `inner` where it
    /// has room for them.
    pub(super) fn forward(
        &self,
        context: &BatchContext,
        x: &mut [f32],
        kv_cache: &mut LayerKvCache,
        work: &mut Workspace,
        hooks: &Hooks<'_>,
        inner: &mut InnerStates,
    ) {
        let heads = heads(context.architecture);
        let n = context.layout.n_rows() * heads.q_dim();
        sized(&mut work.queries, n);
        sized(&mut work.mixed, n);
        let mut own = kv_cache.begin(context.layout, work.kv_cache.take());
        self.project(context, x, &mut own, work);
        work.kv_cache = kv_cache.end(context.layout, own);
        self.attend(context, kv_cache, work, hooks);
        hooks.edits.states(Site::Z, &mut work.mixed[..n], heads.q_dim(), 0);
        if let Some(z) = &mut inner.z {
            z.copy_from_slice(&work.mixed[..n]);
        }
        self.finish(context, x, work, hooks.edits, inner);
    }

    /// Queries, keys and values of every row.
    fn project(&self, context: &BatchContext, x: &[f32], own: &mut KvBlock, work: &mut Workspace) {
        let heads = heads(context.architecture);
        let d = context.architecture.shape.d_model;
        let n_rows = block_rows(context.layout.n_rows(), context.layout.key_tile());
        let queries =
            work.queries[..context.layout.n_rows() * heads.q_dim()].chunks_mut(n_rows * heads.q_dim());
        let positions = context.layout.positions.chunks(n_rows);
        let tasks = x.chunks(n_rows * d).zip(queries).zip(own.parts(n_rows)).zip(positions);
        share_out(tasks, &mut work.threads, |(((x, queries), mut part), positions), scratch| {
            let Scratch { clock, normal, wide, packed, .. } = scratch;
            clock.begin();
            let normal = sized(normal, x.len());
            normalize(context.architecture.norm, &self.attention_norm, x, normal);
            clock.lap(Work::Elementwise);
            let wide = sized(wide, positions.len() * self.query_key_value.n_out);
            packed.fill(normal, d);
            self.query_key_value.apply(packed, wide);
            clock.lap_linear(positions.len(), self.query_key_value.n_weights());
            self.take_heads(context, wide, positions, queries, &mut part);
            clock.lap(Work::Elementwise);
        });
    }

    /// Splits rows of `[query | key | value]`, normalizing and rotating what is to be.
    fn take_heads(
        &self,
        context: &BatchContext,
        wide: &mut [f32],
        positions: &[usize],
        queries: &mut [f32],
        part: &mut KvBlockPart,
    ) {
        let heads = heads(context.architecture);
        let rotary = context.rotary.filter(|_| self.kind.rotates);
        let norm = context.architecture.norm;
        let turn = |vectors: &mut [f32], weights: &Option<NormWeights>, position: usize| {
            for head in vectors.chunks_mut(heads.head_dim) {
                if let Some(weights) = weights {
                    let before = head.to_vec();
                    normalize(norm, weights, &before, head);
                }
                if let Some(rotary) = rotary {
                    rotary.rotate(head, position);
                }
            }
        };
        let rows = wide.chunks_mut(heads.q_dim() + 2 * heads.kv_dim());
        for (index, ((row, query), position)) in
            rows.zip(queries.chunks_mut(heads.q_dim())).zip(positions).enumerate()
        {
            let (own, rest) = row.split_at_mut(heads.q_dim());
            let (keys, values) = rest.split_at_mut(heads.kv_dim());
            turn(own, &self.query_norm, *position);
            turn(keys, &self.key_norm, *position);
            query.copy_from_slice(own);
            part.put(index, keys, values);
        }
    }

    fn attend(
        &self,
        context: &BatchContext,
        kv_cache: &LayerKvCache,
        work: &mut Workspace,
        hooks: &Hooks<'_>,
    ) {
        let layout = context.layout;
        let heads = heads(context.architecture);
        let scoring = Scoring {
            scale: context.architecture.attention_scale,
            softcap: context.architecture.attention_softcap,
            window: self.kind.window,
        };
        let attention = Attention { layout, kv_cache, heads, scoring, edits: hooks.edits };
        let mut rest = &mut work.mixed[..layout.n_rows() * heads.q_dim()];
        let queries = &work.queries;
        let tasks = neighbours(layout).map(|edges| {
            let n_rows: usize = edges.clone().map(|edge| layout.edge(edge).len).sum();
            (edges, rest.split_off_mut(..n_rows * heads.q_dim()).expect("every row is of one edge"))
        });
        share_out(tasks, &mut work.threads, |(edges, mut out), scratch| {
            let Scratch { clock, attention: buffers, .. } = scratch;
            clock.begin();
            for edge in edges {
                let start = (layout.edge(edge).row - layout.first_row()) * heads.q_dim();
                let out =
                    out.split_off_mut(..layout.edge(edge).len * heads.q_dim()).expect("rows of these edges");
                attention.attend(edge, &queries[start..][..out.len()], out, buffers, clock, hooks.sums);
            }
        });
    }

    /// From mixed values to the residual stream after the block.
    fn finish(
        &self,
        context: &BatchContext,
        x: &mut [f32],
        work: &mut Workspace,
        edits: &LayerEdits<'_>,
        inner: &mut InnerStates,
    ) {
        let d = context.architecture.shape.d_model;
        let all = heads(context.architecture).q_dim();
        let n_rows = block_rows(context.layout.n_rows(), 1);
        let tasks =
            x.chunks_mut(n_rows * d).zip(work.mixed.chunks(n_rows * all)).zip(inner.chunks(n_rows * d));
        share_out(tasks.enumerate(), &mut work.threads, |(index, ((x, mixed), mut inner)), scratch| {
            let edit = |site, states: &mut [f32]| edits.states(site, states, d, index * n_rows);
            let n = x.len() / d;
            let mixed = &mixed[..n * all];
            let norm = context.architecture.norm;
            let Scratch { clock, normal, result, feed_forward, packed, .. } = scratch;
            clock.begin();
            let (normal, result) = (sized(normal, n * d), sized(result, n * d));
            packed.fill(mixed, all);
            self.attention_output.apply(packed, result);
            clock.lap_linear(n, self.attention_output.n_weights());
            if context.architecture.residual == Residual::Parallel {
                normalize(norm, &self.feed_forward_norm, x, normal);
                edit(Site::AttnOut, result);
                add(x, result);
                keep(&mut inner.attn_out, result);
            } else {
                let added = part_output(norm, &self.post_attention_norm, result, normal);
                edit(Site::AttnOut, added);
                add(x, added);
                keep(&mut inner.attn_out, added);
                edit(Site::ResidMid, x);
                keep(&mut inner.resid_mid, x);
                normalize(norm, &self.feed_forward_norm, x, normal);
            }
            clock.lap(Work::Elementwise);
            self.feed_forward.apply(normal, result, feed_forward, clock);
            let added = part_output(norm, &self.post_feed_forward_norm, result, normal);
            edit(Site::MlpOut, added);
            add(x, added);
            keep(&mut inner.mlp_out, added);
            clock.lap(Work::Elementwise);
        });
    }
}

/// What a part adds to the residual stream, `[n_rows, d_model]`: its result, normalized first where the model does so.
fn part_output<'r>(
    norm: Norm,
    weights: &Option<NormWeights>,
    result: &'r mut [f32],
    normal: &'r mut [f32],
) -> &'r mut [f32] {
    match weights {
        Some(weights) => {
            normalize(norm, weights, result, normal);
            normal
        }
        None => result,
    }
}

/// Room for states within a block, `[n_rows, d_model]` each but `z`, `[n_rows, n_heads · head_dim]`; none where a site is
/// not asked for.
#[derive(Debug, Default)]
pub struct InnerStates {
    /// The heads' outputs before the output projection.
    pub z: Option<Vec<f32>>,
    /// What attention adds to the residual stream.
    pub attn_out: Option<Vec<f32>>,
    /// The residual stream after attention.
    pub resid_mid: Option<Vec<f32>>,
    /// What the feed-forward part adds.
    pub mlp_out: Option<Vec<f32>>,
}

/// Some rows of [`InnerStates`].
#[derive(Default)]
struct InnerRows<'a> {
    attn_out: Option<&'a mut [f32]>,
    resid_mid: Option<&'a mut [f32]>,
    mlp_out: Option<&'a mut [f32]>,
}

impl InnerStates {
    /// Parts of `n` values of each site, as long as they are asked for.
    fn chunks(&mut self, n: usize) -> impl Iterator<Item = InnerRows<'_>> {
        let mut parts = [&mut self.attn_out, &mut self.resid_mid, &mut self.mlp_out]
            .map(|site| site.as_mut().map(|values| values.chunks_mut(n)));
        std::iter::from_fn(move || {
            let [attn_out, resid_mid, mlp_out] =
                parts.each_mut().map(|part| part.as_mut().and_then(Iterator::next));
            Some(InnerRows { attn_out, resid_mid, mlp_out })
        })
    }
}

fn keep(site: &mut Option<&mut [f32]>, values: &[f32]) {
    if let Some(site) = site {
        site.copy_from_slice(values);
    }
}

/// Runs that a thread attends for one after the other: neighbours read the same keys, which are then in its cache.
fn neighbours(layout: &BatchLayout) -> impl Iterator<Item = Range<usize>> {
    let mut rest = layout.edges();
    std::iter::from_fn(move || {
        let start = rest.start;
        let mut n_rows = 0;
        while n_rows < NEIGHBOUR_ROWS && !rest.is_empty() {
            n_rows += layout.edge(rest.start).len;
            rest.start += 1;
        }
        (start < rest.start).then_some(start..rest.start)
    })
}
