//! Pools what passes by in a forward pass: states by segment and pooling, attention by pair of segments.
//!
//! A prompt's numbers are sums over its own rows in reading order, so they do not depend on which
//! prompts share the pass. Attention sums run over a row's cumulative weights in f64.

use crate::backend::{Shape, Site, Taps, TokenTree};
use crate::progress::Progress;
use crate::settings::Pooling;
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
    /// The log-probability of `token`, added to the sum of this answer.
    Target { answer: usize, token: u32 },
}

/// Attention bookkeeping of one prompt.
struct PairPlan {
    /// Start of the prompt's `n_queries × n_keys` sums.
    start: usize,
    n_keys: usize,
    /// For each position of the prompt, the indices of the query segments that hold it.
    queries_at: Vec<Vec<usize>>,
    response_query: Option<usize>,
    key_ranges: Vec<Vec<(u32, u32)>>,
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
    pairs: Vec<PairPlan>,
    n_pairs: usize,
    /// For each layer from 1 and head: sums by prompt, query segment, key segment.
    attention: Vec<Vec<Mutex<Vec<f64>>>>,
    /// For each run, the prompts whose own tokens it holds.
    members: Vec<Vec<usize>>,
    positions: Vec<usize>,
    /// For each prompt, its rows in reading order, response included.
    rows: Vec<Vec<usize>>,
    /// Tree row of the first row of the pass.
    first_row: usize,
    /// Whether the pass reads response tokens, one a prompt; the first pass reads prompts.
    reads_responses: bool,
    wants: HashMap<usize, Vec<Want>>,
    /// For each prompt, the likeliest next token of the last wanted row.
    pub next_token: Vec<u32>,
    /// For each answer, the sum of log-probabilities.
    pub answer_logprob: Vec<f64>,
}

impl<'a> ChunkTaps<'a> {
    /// Taps for `plans`, whose prompts end at the runs `ends` of `tree`. The first pass advances `progress` by
    /// the prompts' tokens, a share at every site.
    pub fn new(
        plans: &'a [PromptPlan],
        shape: Shape,
        tree: &TokenTree,
        (ends, n_answers): (&[usize], usize),
        progress: &'a dyn Progress,
    ) -> Self {
        let mut members = vec![Vec::new(); tree.runs.len()];
        for (prompt, end) in ends.iter().enumerate() {
            tree.ancestry(*end).into_iter().for_each(|run| members[run].push(prompt));
        }
        let slots = plan_slots(plans);
        let (pairs, n_pairs) = plan_pairs(plans);
        let heads = || (0..shape.n_heads).map(|_| Mutex::new(vec![0.0; n_pairs])).collect();
        Self {
            plans,
            progress,
            n_tokens: plans.iter().map(|p| p.n_tokens as u64).sum(),
            d_model: shape.d_model,
            n_layers: shape.n_layers,
            hidden: vec![vec![0.0; slots.len() * shape.d_model]; shape.n_layers + 2],
            slots,
            pairs,
            n_pairs,
            attention: (0..shape.n_layers).map(|_| heads()).collect(),
            members,
            positions: tree.runs.iter().map(|r| r.position).collect(),
            rows: ends.iter().map(|end| tree.path(*end).into_iter().flatten().collect()).collect(),
            first_row: 0,
            reads_responses: false,
            wants: HashMap::new(),
            next_token: vec![0; plans.len()],
            answer_logprob: vec![0.0; n_answers],
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
            self.members.resize(run + 1, Vec::new());
            self.members[run].push(prompt);
            self.positions.resize(run + 1, 0);
            self.positions[run] = tree.runs[run].position;
            self.rows[prompt].push(tree.runs[run].row);
        }
    }

    /// Length of a prompt's response so far, in tokens that were run.
    pub fn n_response(&self, prompt: usize) -> usize {
        self.rows[prompt].len() - self.plans[prompt].n_tokens
    }

    /// Attention masses of one prompt at a layer (from 1) and head: `n_queries × n_keys` means over query tokens,
    /// for segments marked as query and key, in order.
    pub fn masses(&self, layer: usize, head: usize, prompt: usize) -> Vec<f32> {
        let plan = &self.plans[prompt];
        let pair = &self.pairs[prompt];
        let sums = self.attention[layer - 1][head].lock().expect("no tap panicked");
        let n_response = self.n_response(prompt);
        let mut masses = Vec::new();
        for (q, query) in plan.queries().enumerate() {
            let n = plan.n_tokens_of(query, n_response).max(1) as f64;
            let at = pair.start + q * pair.n_keys;
            masses.extend(sums[at..at + pair.n_keys].iter().map(|sum| (sum / n) as f32));
        }
        masses
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

    fn add_row(&self, sums: &mut [f64], prompt: usize, position: usize, cumulative: &[f64]) {
        let pair = &self.pairs[prompt];
        let n_tokens = self.plans[prompt].n_tokens;
        let response;
        let queries = if position < n_tokens {
            &pair.queries_at[position]
        } else {
            response = pair.response_query.into_iter().collect::<Vec<_>>();
            &response
        };
        for &query in queries {
            let at = pair.start + query * pair.n_keys;
            for (sum, ranges) in sums[at..at + pair.n_keys].iter_mut().zip(&pair.key_ranges) {
                *sum += sum_over(cumulative, ranges);
            }
        }
    }

    fn is_query_row(&self, prompt: usize, position: usize) -> bool {
        let pair = &self.pairs[prompt];
        match pair.queries_at.get(position) {
            Some(queries) => !queries.is_empty(),
            None => pair.response_query.is_some(),
        }
    }
}

impl Taps for ChunkTaps<'_> {
    fn hidden(&mut self, layer: usize, site: Site, rows: &[f32]) {
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

    fn attention(&self, layer: usize, head: usize, run: usize, weights: &[f32]) {
        if self.n_pairs == 0 || self.members[run].is_empty() {
            return;
        }
        let members = &self.members[run];
        let position = self.positions[run];
        let mut sums = self.attention[layer - 1][head].lock().expect("no tap panicked");
        let n_rows = self.row_count(run, weights.len());
        let mut cumulative = Vec::new();
        for (i, row) in weights.chunks(weights.len() / n_rows).enumerate() {
            let at = position + i;
            if members.iter().any(|m| self.is_query_row(*m, at)) {
                accumulate(&mut cumulative, row);
                members.iter().for_each(|m| self.add_row(&mut sums, *m, at, &cumulative));
            }
        }
    }

    fn logits(&mut self, row: usize, logits: &[f32]) {
        let Some(wants) = self.wants.get(&row) else { return };
        let mut normalizer = None;
        for want in wants {
            match *want {
                Want::Next { prompt } => self.next_token[prompt] = largest(logits),
                Want::Target { answer, token } => {
                    let normalizer = *normalizer.get_or_insert_with(|| log_sum_exp(logits));
                    self.answer_logprob[answer] += f64::from(logits[token as usize]) - normalizer;
                }
            }
        }
    }
}

impl ChunkTaps<'_> {
    /// Rows of a run, from `len · (position + len) = n_weights`.
    fn row_count(&self, run: usize, n_weights: usize) -> usize {
        let position = self.positions[run] as f64;
        let len = ((position * position + 4.0 * n_weights as f64).sqrt() - position) / 2.0;
        len.round() as usize
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

fn plan_pairs(plans: &[PromptPlan]) -> (Vec<PairPlan>, usize) {
    let mut start = 0;
    let mut pairs = Vec::with_capacity(plans.len());
    for plan in plans {
        let mut queries_at = vec![Vec::new(); plan.n_tokens];
        let mut response_query = None;
        for (q, segment) in plan.queries().enumerate() {
            if segment.is_response {
                response_query = Some(q);
            }
            for &(a, b) in &segment.ranges {
                queries_at[a as usize..b as usize].iter_mut().for_each(|at| at.push(q));
            }
        }
        let key_ranges: Vec<_> = plan.keys().map(|s| plan.ranges_of(s)).collect();
        let n_keys = key_ranges.len();
        pairs.push(PairPlan { start, n_keys, queries_at, response_query, key_ranges });
        start += plan.queries().count() * n_keys;
    }
    (pairs, start)
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

/// Running sums of a row's weights: entry i is the sum of the first i.
fn accumulate(cumulative: &mut Vec<f64>, row: &[f32]) {
    cumulative.clear();
    cumulative.push(0.0);
    let mut sum = 0.0;
    cumulative.extend(row.iter().map(|w| {
        sum += f64::from(*w);
        sum
    }));
}

fn sum_over(cumulative: &[f64], ranges: &[(u32, u32)]) -> f64 {
    let last = cumulative.len() - 1;
    let at = |i: u32| cumulative[(i as usize).min(last)];
    ranges.iter().map(|&(start, end)| at(end) - at(start)).sum()
}

/// Index of the largest value, the first of equals.
fn largest(values: &[f32]) -> u32 {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best as u32
}

fn log_sum_exp(values: &[f32]) -> f64 {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = values.iter().map(|v| f64::from(v - largest).exp()).sum();
    f64::from(largest) + sum.ln()
}
