//! Attention between segments: sums over query tokens, run by run, that become means.
//!
//! Weights come run by run and head by head from several threads. Each (run, head) has sums of its own,
//! added up in the runs' order once a layer is through, so that the result does not depend on threads.

use crate::cpu::vector::vectorized;
use crate::forward::segment_plan::PromptPlan;
use crate::forward::{Run, TokenTree};
use crate::stage::batch::Chunk;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Rows of a run, as ascending half-open ranges.
type RowRanges = Vec<(usize, usize)>;

/// Prompts, and the place of a query segment among each prompt's query segments.
type Owners = Vec<(usize, usize)>;

/// A query segment's tokens within one run, and whose they are.
struct RowSet {
    rows: RowRanges,
    owners: Owners,
}

/// What is asked of one run.
#[derive(Default)]
struct RunPlan {
    n_keys: usize,
    sets: Vec<RowSet>,
    /// Length of its sums: for every owner of every set, one for each key segment.
    n_sums: usize,
}

/// Attention sums of a chunk of prompts.
pub(super) struct AttentionTaps<'a> {
    chunk: &'a Chunk<'a>,
    n_heads: usize,
    /// For each prompt, the tokens of its key segments, the response's last.
    keys: Vec<Vec<Vec<(u32, u32)>>>,
    first_run: usize,
    runs: Vec<RunPlan>,
    /// By run of the pass and head.
    sums: Vec<Mutex<Vec<f64>>>,
    /// By layer, prompt, head and key segment: sums over the response's tokens.
    responses: Vec<Vec<f64>>,
    /// For each prompt, where its sums begin in a layer of `responses`.
    response_starts: Vec<usize>,
}

impl<'a> AttentionTaps<'a> {
    /// Taps for prompts that end at the runs `ends` of `tree`.
    pub fn new(
        chunk: &'a Chunk<'a>,
        tree: &TokenTree,
        ends: &[usize],
        (n_layers, n_heads): (usize, usize),
    ) -> Self {
        let keys: Vec<_> = chunk.plans().map(key_ranges).collect();
        let mut n_sums = 0;
        let response_starts = chunk
            .plans()
            .zip(&keys)
            .map(|(plan, keys)| {
                let n = if plan.response_query().is_some() { keys.len() * n_heads } else { 0 };
                n_sums += n;
                n_sums - n
            })
            .collect();
        let responses = vec![vec![0.0; n_sums]; n_layers];
        let (runs, sums) = (Vec::new(), Vec::new());
        let mut taps = Self { chunk, n_heads, keys, first_run: 0, runs, sums, responses, response_starts };
        taps.begin(0, taps.plan_runs(tree, ends));
        taps
    }

    /// Prepares for a pass over response tokens: prompts, each with a new run of one token.
    pub fn begin_responses(&mut self, tree: &TokenTree, added: &[(usize, usize)]) {
        let plan = |(prompt, run): &(usize, usize)| {
            let mut plan = RunPlan { n_keys: tree.runs[*run].position + 1, ..RunPlan::default() };
            if let Some(query) = self.chunk.readings[*prompt].plan.response_query() {
                plan.sets.push(RowSet { rows: vec![(0, 1)], owners: vec![(*prompt, query)] });
                plan.n_sums = self.keys[*prompt].len();
            }
            plan
        };
        let runs = added.iter().map(plan).collect();
        self.begin(added.first().map_or(0, |(_, run)| *run), runs);
    }

    fn begin(&mut self, first_run: usize, runs: Vec<RunPlan>) {
        let heads = |run: &RunPlan| vec![vec![0.0; run.n_sums]; self.n_heads];
        self.sums = runs.iter().flat_map(heads).map(Mutex::new).collect();
        (self.first_run, self.runs) = (first_run, runs);
    }

    fn plan_runs(&self, tree: &TokenTree, ends: &[usize]) -> Vec<RunPlan> {
        let mut sets: Vec<BTreeMap<RowRanges, Owners>> = vec![BTreeMap::new(); tree.runs.len()];
        for (prompt, (plan, end)) in self.chunk.plans().zip(ends).enumerate() {
            for run in tree.ancestry(*end) {
                for (query, segment) in plan.queries().enumerate().filter(|(_, s)| !s.is_response) {
                    let rows = rows_within(&segment.ranges, &tree.runs[run]);
                    if !rows.is_empty() {
                        sets[run].entry(rows).or_default().push((prompt, query));
                    }
                }
            }
        }
        let plan = |(sets, run): (BTreeMap<_, Owners>, &Run)| {
            let n_sums = sets.values().flatten().map(|(prompt, _)| self.keys[*prompt].len()).sum();
            let set = |(rows, owners)| RowSet { rows, owners };
            RunPlan { n_keys: run.position + run.len, sets: sets.into_iter().map(set).collect(), n_sums }
        };
        sets.into_iter().zip(&tree.runs).map(plan).collect()
    }

    /// Takes one run's weights in one head, `len × n_keys`.
    pub fn take(&self, head: usize, run: usize, weights: &[f32]) {
        let Some(index) = run.checked_sub(self.first_run).filter(|i| *i < self.runs.len()) else { return };
        let plan = &self.runs[index];
        if plan.sets.is_empty() {
            return;
        }
        let mut sums = self.sums[index * self.n_heads + head].lock().expect("no tap panicked");
        let mut sums = sums.iter_mut();
        // Entry i is the sum of the columns before i.
        let mut running = vec![0.0; plan.n_keys + 1];
        for set in &plan.sets {
            running.fill(0.0);
            sum_rows(&mut running[1..], weights, &set.rows);
            accumulate(&mut running);
            for (prompt, _) in &set.owners {
                for ranges in &self.keys[*prompt] {
                    *sums.next().expect("one for each key segment") = sum_over(&running, ranges);
                }
            }
        }
    }

    /// Masses of the layer that was just computed: for each prompt and head, query segments × key segments, the
    /// response apart.
    pub fn end_layer(&self) -> Vec<f32> {
        let sizes: Vec<(usize, usize)> = self.chunk.plans().map(PromptPlan::n_given_pairs).collect();
        let mut starts = Vec::with_capacity(sizes.len());
        let mut n_masses = 0;
        for (n_queries, n_keys) in &sizes {
            starts.push(n_masses);
            n_masses += n_queries * n_keys;
        }
        let by_head: Vec<Vec<f64>> = (0..self.n_heads)
            .into_par_iter()
            .map(|head| {
                let mut totals = vec![0.0; n_masses];
                self.each_owner(head, |prompt, query, sums| {
                    let n_keys = sizes[prompt].1;
                    let totals = &mut totals[starts[prompt] + query * n_keys..][..n_keys];
                    totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
                });
                totals
            })
            .collect();
        let mut masses = vec![0.0; n_masses * self.n_heads];
        let mut rest = &mut masses[..];
        let prompts =
            self.chunk.plans().zip(sizes).zip(starts).map(|((plan, (n_queries, n_keys)), start)| {
                let (own, after) = std::mem::take(&mut rest).split_at_mut(n_queries * n_keys * self.n_heads);
                rest = after;
                (plan, n_keys, start, own)
            });
        let prompts: Vec<_> = prompts.collect();
        prompts.into_par_iter().for_each(|(plan, n_keys, start, own)| {
            let mut own = own.chunks_mut(n_keys.max(1));
            for totals in &by_head {
                for (query, segment) in plan.queries().filter(|s| !s.is_response).enumerate() {
                    let n = plan.n_tokens_of(segment, 0).max(1) as f64;
                    let sums = &totals[start + query * n_keys..][..n_keys];
                    let masses = own.next().into_iter().flatten();
                    masses.zip(sums).for_each(|(mass, sum)| *mass = (sum / n) as f32);
                }
            }
        });
        masses
    }

    /// Adds what the pass gave at a layer (from 1) to the responses' sums.
    pub fn end_response_layer(&mut self, layer: usize) {
        let mut totals = std::mem::take(&mut self.responses[layer - 1]);
        for head in 0..self.n_heads {
            self.each_owner(head, |prompt, _, sums| {
                let start = self.response_starts[prompt] + head * sums.len();
                totals[start..][..sums.len()].iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
            });
        }
        self.responses[layer - 1] = totals;
    }

    /// Calls `take` with every prompt, query segment and its sums in the runs' order.
    fn each_owner(&self, head: usize, mut take: impl FnMut(usize, usize, &[f64])) {
        for (index, run) in self.runs.iter().enumerate() {
            let sums = self.sums[index * self.n_heads + head].lock().expect("no tap panicked");
            let mut rest = &sums[..];
            for (prompt, query) in run.sets.iter().flat_map(|s| &s.owners) {
                let (own, after) = rest.split_at(self.keys[*prompt].len());
                take(*prompt, *query, own);
                rest = after;
            }
        }
    }

    /// By layer: for each prompt and head, masses from the response to each key segment, the response last.
    pub fn finish(self, n_tokens: &[usize]) -> Vec<Vec<f32>> {
        let counts: Vec<f64> = (0..self.keys.len())
            .flat_map(|p| {
                let n = if self.chunk.readings[p].plan.response_query().is_some() {
                    self.keys[p].len()
                } else {
                    0
                };
                std::iter::repeat_n(n_tokens[p].max(1) as f64, n * self.n_heads)
            })
            .collect();
        let mean = |sums: Vec<f64>| sums.iter().zip(&counts).map(|(sum, n)| (sum / n) as f32).collect();
        self.responses.into_iter().map(mean).collect()
    }
}

/// Tokens of a prompt's key segments, in order.
fn key_ranges(plan: &PromptPlan) -> Vec<Vec<(u32, u32)>> {
    let of_response = vec![(plan.n_tokens as u32, u32::MAX)];
    plan.keys().map(|s| if s.is_response { of_response.clone() } else { s.ranges.clone() }).collect()
}

/// The parts of `ranges` that fall on a run, as rows from 0.
fn rows_within(ranges: &[(u32, u32)], run: &Run) -> RowRanges {
    let (position, len) = (run.position, run.len);
    let clip = |at: u32| (at as usize).clamp(position, position + len) - position;
    ranges.iter().map(|&(a, b)| (clip(a), clip(b))).filter(|(a, b)| a < b).collect()
}

vectorized! {
    /// Adds rows of weights to `sums`, column by column.
    fn sum_rows<'a>(sums: &'a mut [f64], weights: &'a [f32], ranges: &'a [(usize, usize)]) {
        for (start, end) in ranges {
            for row in weights[start * sums.len()..end * sums.len()].chunks_exact(sums.len()) {
                for (sum, weight) in sums.iter_mut().zip(row) {
                    *sum += f64::from(*weight);
                }
            }
        }
    }
}

/// Makes every entry the sum of those up to it.
fn accumulate(values: &mut [f64]) {
    let mut sum = 0.0;
    for value in values {
        sum += *value;
        *value = sum;
    }
}

fn sum_over(running: &[f64], ranges: &[(u32, u32)]) -> f64 {
    let last = running.len() - 1;
    let at = |i: u32| running[(i as usize).min(last)];
    ranges.iter().map(|&(start, end)| at(end) - at(start)).sum()
}
