//! Pools what passes by in a forward pass: states by segment and pooling, attention by pair of segments.
//!
//! A prompt's numbers are sums over its own rows in reading order, so they do not depend on which
//! prompts share the pass.

mod attention;

use crate::backend::{Shape, Site, Taps, TokenTree};
use crate::progress::Progress;
use crate::settings::Pooling;
use crate::vector::{log_sum_exp, position_of_largest};
use attention::AttentionTaps;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Mutex;

/// A segment of a prompt and what is kept of it.
#[derive(Clone, Debug)]
pub struct SegmentPlan {
    pub number: i16,
    pub role: String,
    /// Positions of its tokens as ranges; the response's are those past the prompt.
    pub ranges: Vec<(u32, u32)>,
    pub is_response: bool,
    pub poolings: Vec<Pooling>,
    pub is_query: bool,
    pub is_key: bool,
}

/// A prompt's segments and length.
#[derive(Clone, Debug)]
pub struct PromptPlan {
    pub n_tokens: usize,
    pub segments: Vec<SegmentPlan>,
}

impl PromptPlan {
    /// Number of tokens in a segment, given the response's length.
    pub fn n_tokens_of(&self, segment: &SegmentPlan, n_response: usize) -> usize {
        if segment.is_response {
            return n_response;
        }
        segment.ranges.iter().map(|(start, end)| (end - start) as usize).sum()
    }

    fn queries(&self) -> impl Iterator<Item = &SegmentPlan> {
        self.segments.iter().filter(|s| s.is_query)
    }

    fn keys(&self) -> impl Iterator<Item = &SegmentPlan> {
        self.segments.iter().filter(|s| s.is_key)
    }

    fn ranges_of(&self, segment: &SegmentPlan) -> Vec<(u32, u32)> {
        if segment.is_response { vec![(self.n_tokens as u32, u32::MAX)] } else { segment.ranges.clone() }
    }
}

/// One pooled vector to keep: a segment of a prompt under one pooling.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub prompt: usize,
    /// Index into the prompt's segments.
    pub segment: usize,
    pub pooling: Pooling,
}

/// What a row's logits are needed for.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    /// The next token of this prompt's response.
    Next { prompt: usize },
    /// The log-probability of `token`, the target numbered `target`.
    Target { target: usize, token: u32 },
}

/// Taps of one chunk of prompts.
pub struct ChunkTaps<'a> {
    plans: &'a [PromptPlan],
    progress: &'a dyn Progress,
    n_tokens: u64,
    d_model: usize,
    n_layers: usize,
    /// The kept vectors, by prompt.
    pub slots: Vec<Slot>,
    /// For each site in [`Shape::sites`] order: `n_slots × d_model`.
    pub hidden: Vec<Vec<f32>>,
    attention: AttentionTaps,
    /// For each prompt, its rows in reading order, response included.
    rows: Vec<Vec<usize>>,
    /// Tree row of the first row of the pass.
    first_row: usize,
    /// Whether the pass reads response tokens, one a prompt; the first pass reads prompts.
    reads_responses: bool,
    wants: HashMap<usize, Vec<Want>>,
    found: Mutex<Found>,
}

/// What was read off logits.
#[derive(Clone, Debug)]
struct Found {
    /// For each prompt, the likeliest next token of the last wanted row.
    next_token: Vec<u32>,
    /// For each target, its log-probability.
    target_logprob: Vec<f64>,
}

impl<'a> ChunkTaps<'a> {
    /// Taps for `plans`, whose prompts end at the runs `ends` of `tree`. The first pass advances `progress` by
    /// the prompts' tokens, a share at every site.
    pub fn new(
        plans: &'a [PromptPlan],
        shape: Shape,
        tree: &TokenTree,
        (ends, n_targets): (&[usize], usize),
        progress: &'a dyn Progress,
    ) -> Self {
        let slots = plan_slots(plans);
        let attention = AttentionTaps::new(plans, tree, ends, (shape.n_layers, shape.n_heads));
        let found = Found { next_token: vec![0; plans.len()], target_logprob: vec![0.0; n_targets] };
        Self {
            plans,
            progress,
            n_tokens: plans.iter().map(|p| p.n_tokens as u64).sum(),
            d_model: shape.d_model,
            n_layers: shape.n_layers,
            hidden: vec![vec![0.0; slots.len() * shape.d_model]; shape.n_layers + 2],
            slots,
            attention,
            rows: ends.iter().map(|end| tree.path(*end).into_iter().flatten().collect()).collect(),
            first_row: 0,
            reads_responses: false,
            wants: HashMap::new(),
            found: Mutex::new(found),
        }
    }

    /// Says what the logits at `row` are needed for.
    pub fn want(&mut self, row: usize, want: Want) {
        self.wants.entry(row).or_default().push(want);
    }

    /// Rows whose logits are needed in the next pass, ascending.
    pub fn wanted_rows(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.wants.keys().copied().collect();
        rows.sort_unstable();
        rows
    }

    /// Prepares for a pass over response tokens: each a new run of one row of its prompt.
    pub fn begin_response_pass(&mut self, tree: &TokenTree, added: &[(usize, usize)]) {
        self.wants.clear();
        self.reads_responses = true;
        self.first_row = added.first().map_or(self.first_row, |(_, run)| tree.runs[*run].row);
        for &(prompt, run) in added {
            self.rows[prompt].push(tree.runs[run].row);
        }
        self.attention.begin_responses(tree, added);
    }

    /// Length of a prompt's response so far, in tokens that were run.
    pub fn n_response(&self, prompt: usize) -> usize {
        self.rows[prompt].len() - self.plans[prompt].n_tokens
    }

    /// Attention masses of one prompt at a layer (from 1) and head: `n_queries × n_keys` means over query tokens,
    /// for segments marked as query and key, in order.
    pub fn masses(&self, layer: usize, head: usize, prompt: usize) -> Vec<f32> {
        let plan = &self.plans[prompt];
        let n_response = self.n_response(prompt);
        let mut masses = Vec::new();
        for (query, sums) in plan.queries().zip(self.attention.sums(layer, head, prompt)) {
            let n = plan.n_tokens_of(query, n_response).max(1) as f64;
            masses.extend(sums.iter().map(|sum| (sum / n) as f32));
        }
        masses
    }

    /// The likeliest next token of a prompt, as of the last pass that asked for it.
    pub fn next_token(&self, prompt: usize) -> u32 {
        self.found.lock().expect("no tap panicked").next_token[prompt]
    }

    /// Log-probabilities of the targets.
    pub fn target_logprobs(&self) -> Vec<f64> {
        self.found.lock().expect("no tap panicked").target_logprob.clone()
    }

    /// Divides the response means by the number of response tokens; call once, after the last pass.
    pub fn finish(&mut self) {
        let d = self.d_model;
        let counts: Vec<f32> = (0..self.plans.len()).map(|p| self.n_response(p).max(1) as f32).collect();
        for hidden in &mut self.hidden {
            for (slot, out) in self.slots.iter().zip(hidden.chunks_mut(d)) {
                if slot.pooling == Pooling::Mean && self.plans[slot.prompt].segments[slot.segment].is_response
                {
                    out.iter_mut().for_each(|v| *v /= counts[slot.prompt]);
                }
            }
        }
    }

    fn site_index(&self, layer: usize, site: Site) -> usize {
        if site == Site::FinalNorm { self.n_layers + 1 } else { layer }
    }
}

impl Taps for ChunkTaps<'_> {
    fn hidden(&mut self, layer: usize, site: Site, rows: &[f32]) {
        if site == Site::ResidPost {
            self.attention.end_layer(layer);
        }
        let (d, first) = (self.d_model, self.first_row);
        let n_rows = rows.len() / d;
        let index = self.site_index(layer, site);
        if !self.reads_responses {
            self.progress.advance(share(self.n_tokens, index, self.hidden.len()));
        }
        let (plans, prompt_rows, reads_responses) = (self.plans, &self.rows, self.reads_responses);
        let row = |tree_row: usize| {
            let at = (tree_row - first) * d;
            &rows[at..at + d]
        };
        self.hidden[index].par_chunks_mut(d).zip(&self.slots).for_each(|(out, slot)| {
            let plan = &plans[slot.prompt];
            let segment = &plan.segments[slot.segment];
            let places = &prompt_rows[slot.prompt];
            if !segment.is_response && !reads_responses {
                let tokens = segment.ranges.iter().flat_map(|&(a, b)| &places[a as usize..b as usize]);
                pool(out, slot.pooling, tokens.map(|r| row(*r)));
            } else if segment.is_response && reads_responses {
                let last = *places.last().expect("a prompt has tokens");
                let is_new = places.len() > plan.n_tokens && (first..first + n_rows).contains(&last);
                if is_new {
                    extend_pool(out, slot.pooling, row(last), places.len() - plan.n_tokens == 1);
                }
            }
        });
    }

    fn attention(&self, _layer: usize, head: usize, run: usize, weights: &[f32]) {
        self.attention.take(head, run, weights);
    }

    fn logits(&self, row: usize, logits: &[f32]) {
        let Some(wants) = self.wants.get(&row) else { return };
        let (mut likeliest, mut normalizer) = (None, None);
        for want in wants {
            match *want {
                Want::Next { prompt } => {
                    let token = *likeliest.get_or_insert_with(|| position_of_largest(logits) as u32);
                    self.found.lock().expect("no tap panicked").next_token[prompt] = token;
                }
                Want::Target { target, token } => {
                    let normalizer = *normalizer.get_or_insert_with(|| log_sum_exp(logits));
                    let logprob = f64::from(logits[token as usize]) - normalizer;
                    self.found.lock().expect("no tap panicked").target_logprob[target] = logprob;
                }
            }
        }
    }
}

/// What part `index` of `n_parts` adds to a total that the parts make up exactly.
fn share(total: u64, index: usize, n_parts: usize) -> u64 {
    let until = |parts: usize| total * parts as u64 / n_parts as u64;
    until(index + 1) - until(index)
}

fn plan_slots(plans: &[PromptPlan]) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (prompt, plan) in plans.iter().enumerate() {
        for (index, segment) in plan.segments.iter().enumerate() {
            slots.extend(segment.poolings.iter().map(|&pooling| Slot { prompt, segment: index, pooling }));
        }
    }
    slots
}

/// Pools rows into `out`; an empty segment leaves zeros, and no row is written for it.
fn pool<'r>(out: &mut [f32], pooling: Pooling, rows: impl Iterator<Item = &'r [f32]>) {
    let mut n = 0;
    for row in rows {
        extend_pool(out, pooling, row, n == 0);
        n += 1;
    }
    if pooling == Pooling::Mean && n > 0 {
        out.iter_mut().for_each(|v| *v /= n as f32);
    }
}

/// Adds one row: to the sum (mean), the maximum, or as the last.
fn extend_pool(out: &mut [f32], pooling: Pooling, row: &[f32], is_first: bool) {
    match pooling {
        _ if is_first => out.copy_from_slice(row),
        Pooling::Last => out.copy_from_slice(row),
        Pooling::Mean => out.iter_mut().zip(row).for_each(|(o, v)| *o += v),
        Pooling::Max => out.iter_mut().zip(row).for_each(|(o, v)| *o = o.max(*v)),
    }
}
