//! Attention between segments: sums over a pass, run by run, that become means over query tokens.
//!
//! Weights come run by run and head by head from several threads. Each (run, head) has sums of its own,
//! added up in the runs' order once a layer is through, so that the result does not depend on threads.

use super::PromptPlan;
use crate::backend::TokenTree;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

/// A query segment's tokens within one run, and whose they are.
struct RowSet {
    /// Rows of the run.
    rows: Vec<Range<usize>>,
    /// Prompts, and the place of the query segment among the prompt's query segments.
    owners: Vec<(usize, usize)>,
}

/// What is asked of one run.
#[derive(Default)]
struct RunPlan {
    n_keys: usize,
    sets: Vec<RowSet>,
    /// Length of its sums: for every owner of every set, one for each key segment.
    n_sums: usize,
}

/// Where a prompt's sums lie.
struct PairPlan {
    /// First of the prompt's `n_queries × n_keys` sums.
    start: usize,
    n_keys: usize,
    key_ranges: Vec<Vec<(u32, u32)>>,
    response_query: Option<usize>,
}

/// Attention sums of a chunk of prompts.
pub(super) struct AttentionTaps {
    pairs: Vec<PairPlan>,
    /// For each layer from 1 and head: sums by prompt, query segment, key segment.
    totals: Vec<Vec<Vec<f64>>>,
    n_heads: usize,
    first_run: usize,
    runs: Vec<RunPlan>,
    /// By run of the pass and head.
    sums: Vec<Mutex<Vec<f64>>>,
}

impl AttentionTaps {
    /// Taps for prompts that end at the runs `ends` of `tree`.
    pub fn new(
        plans: &[PromptPlan],
        tree: &TokenTree,
        ends: &[usize],
        (n_layers, n_heads): (usize, usize),
    ) -> Self {
        let (pairs, n_pairs) = plan_pairs(plans);
        let totals = vec![vec![vec![0.0; n_pairs]; n_heads]; n_layers];
        let mut taps = Self { pairs, totals, n_heads, first_run: 0, runs: Vec::new(), sums: Vec::new() };
        if n_pairs > 0 {
            taps.begin(0, plan_runs(plans, tree, ends, &taps.pairs));
        }
        taps
    }

    /// Prepares for a pass over response tokens: prompts, each with a new run of one token.
    pub fn begin_responses(&mut self, tree: &TokenTree, added: &[(usize, usize)]) {
        let plan = |(prompt, run): &(usize, usize)| {
            let pair = &self.pairs[*prompt];
            let owners: Vec<_> = pair.response_query.iter().map(|query| (*prompt, *query)).collect();
            let n_sums = owners.len() * pair.n_keys;
            let sets = if owners.is_empty() { vec![] } else { vec![RowSet { rows: vec![0..1], owners }] };
            RunPlan { n_keys: tree.runs[*run].position + 1, sets, n_sums }
        };
        let runs = added.iter().map(plan).collect();
        self.begin(added.first().map_or(0, |(_, run)| *run), runs);
    }

    fn begin(&mut self, first_run: usize, runs: Vec<RunPlan>) {
        let heads = |run: &RunPlan| vec![vec![0.0; run.n_sums]; self.n_heads];
        self.sums = runs.iter().flat_map(heads).map(Mutex::new).collect();
        (self.first_run, self.runs) = (first_run, runs);
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
        let mut column_sums = vec![0.0; plan.n_keys];
        for set in &plan.sets {
            column_sums.fill(0.0);
            for row in set.rows.iter().cloned().flatten() {
                let row = &weights[row * plan.n_keys..][..plan.n_keys];
                column_sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += f64::from(*w));
            }
            let cumulative = accumulate(&column_sums);
            for (prompt, _) in &set.owners {
                for ranges in &self.pairs[*prompt].key_ranges {
                    *sums.next().expect("one for each key segment") = sum_over(&cumulative, ranges);
                }
            }
        }
    }

    /// Adds up what the runs of the pass gave at a layer (from 1).
    pub fn end_layer(&mut self, layer: usize) {
        let (runs, pairs, sums, n_heads) = (&self.runs, &self.pairs, &self.sums, self.n_heads);
        self.totals[layer - 1].par_iter_mut().enumerate().for_each(|(head, totals)| {
            for (index, run) in runs.iter().enumerate() {
                let sums = sums[index * n_heads + head].lock().expect("no tap panicked");
                let mut sums = sums.iter();
                for (prompt, query) in run.sets.iter().flat_map(|s| &s.owners) {
                    let pair = &pairs[*prompt];
                    let totals = &mut totals[pair.start + query * pair.n_keys..][..pair.n_keys];
                    totals.iter_mut().zip(sums.by_ref()).for_each(|(total, sum)| *total += sum);
                }
            }
        });
    }

    /// One prompt's sums at a layer (from 1) and head: a row of key segments for each query segment.
    pub fn sums(&self, layer: usize, head: usize, prompt: usize) -> impl Iterator<Item = &[f64]> {
        let pair = &self.pairs[prompt];
        self.totals[layer - 1][head][pair.start..].chunks(pair.n_keys.max(1))
    }
}

fn plan_pairs(plans: &[PromptPlan]) -> (Vec<PairPlan>, usize) {
    let mut start = 0;
    let mut pairs = Vec::with_capacity(plans.len());
    for plan in plans {
        let key_ranges: Vec<_> = plan.keys().map(|s| plan.ranges_of(s)).collect();
        let n_keys = key_ranges.len();
        let response_query = plan.queries().position(|s| s.is_response);
        pairs.push(PairPlan { start, n_keys, key_ranges, response_query });
        start += plan.queries().count() * n_keys;
    }
    (pairs, start)
}

fn plan_runs(plans: &[PromptPlan], tree: &TokenTree, ends: &[usize], pairs: &[PairPlan]) -> Vec<RunPlan> {
    let mut sets: Vec<BTreeMap<Vec<(usize, usize)>, Vec<(usize, usize)>>> =
        vec![BTreeMap::new(); tree.runs.len()];
    for (prompt, (plan, end)) in plans.iter().zip(ends).enumerate() {
        for run in tree.ancestry(*end) {
            for (query, segment) in plan.queries().enumerate() {
                let rows = rows_within(&segment.ranges, tree.runs[run].position, tree.runs[run].len);
                if !rows.is_empty() {
                    sets[run].entry(rows).or_default().push((prompt, query));
                }
            }
        }
    }
    let plan = |(sets, run): (BTreeMap<_, Vec<(usize, usize)>>, &crate::backend::Run)| {
        let n_sums = sets.values().flatten().map(|(prompt, _)| pairs[*prompt].n_keys).sum();
        let set = |(rows, owners): (Vec<(usize, usize)>, _)| RowSet {
            rows: rows.into_iter().map(|(a, b)| a..b).collect(),
            owners,
        };
        RunPlan { n_keys: run.position + run.len, sets: sets.into_iter().map(set).collect(), n_sums }
    };
    sets.into_iter().zip(&tree.runs).map(plan).collect()
}

/// The parts of `ranges` that fall on `len` rows from `position`, as rows from 0.
fn rows_within(ranges: &[(u32, u32)], position: usize, len: usize) -> Vec<(usize, usize)> {
    let clip = |at: u32| (at as usize).clamp(position, position + len) - position;
    ranges.iter().map(|&(a, b)| (clip(a), clip(b))).filter(|(a, b)| a < b).collect()
}

/// Running sums: entry i is the sum of the first i.
fn accumulate(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let running = values.iter().map(|v| {
        sum += v;
        sum
    });
    std::iter::once(0.0).chain(running).collect()
}

fn sum_over(cumulative: &[f64], ranges: &[(u32, u32)]) -> f64 {
    let last = cumulative.len() - 1;
    let at = |i: u32| cumulative[(i as usize).min(last)];
    ranges.iter().map(|&(start, end)| at(end) - at(start)).sum()
}
