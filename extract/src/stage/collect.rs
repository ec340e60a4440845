//! From what a backend pools to the parts that are written: prompts' results as they come, responses' when they are whole.
//!
//! What is final once a layer is computed is handed over at once, and kept in the resume checkpoint if there is one; what a
//! response still adds to is kept until its last token.

use crate::error::ExtractError;
use crate::forward::{LayerSink, LogitResult, ResumeCheckpoint, extend_pool};
use crate::model::architecture::{LayerSite, Shape};
use crate::stage::chunk::Chunk;
use crate::stage::segment_plan::{PromptPlan, SegmentPlan};
use hypercolumn_schemas::{Pooling, Progress, Site};
use rayon::prelude::*;

/// What is final of a chunk at some point of the pass.
#[derive(Debug, PartialEq)]
pub enum Part {
    /// Pooled states at a site: `[n_slots, d_model]` in the order of [`Chunk::slots`].
    Hidden { place: LayerSite, vectors: Vec<f32> },
    /// Attention masses at a layer: for each prompt `[n_heads, n_queries, n_keys]`, the response apart.
    Attention { layer: usize, masses: Vec<f32> },
    /// What there is to say of the responses, after the last token.
    Responses(ResponseParts),
}

/// Kept of responses.
#[derive(Debug, PartialEq)]
pub struct ResponseParts {
    /// By site in the order of [`Shape::default_sites`]: `[n_slots, d_model]` in the order of [`Chunk::response_slots`].
    pub hidden: Vec<Vec<f32>>,
    /// By layer from 1: for each prompt `[n_heads, n_keys]`, masses from the response, the response's own last.
    pub attention: Vec<Vec<f32>>,
    /// For each prompt, the number of response tokens.
    pub n_tokens: Vec<usize>,
}

/// Names of pooled results in a resume checkpoint.
const HIDDEN: &str = "hidden";
const ATTENTION: &str = "attention";

/// Where parts go.
pub struct Delivery<'a> {
    /// Advances by the prompts' tokens, a share at every site.
    pub progress: &'a dyn Progress,
    /// Takes each part.
    pub hand_over: &'a (dyn Fn(Part) + Sync),
    /// Keeps the parts of finished layers.
    pub resume: Option<&'a ResumeCheckpoint>,
}

/// Takes the results of the pass over a chunk's prompts.
pub struct PromptSink<'a> {
    chunk: &'a Chunk<'a>,
    delivery: Delivery<'a>,
    shape: Shape,
    n_tokens: u64,
    /// What was read off logits.
    pub logits: Vec<LogitResult>,
}

impl<'a> PromptSink<'a> {
    pub fn new(chunk: &'a Chunk<'a>, shape: Shape, delivery: Delivery<'a>) -> Self {
        let n_tokens = chunk.plans().map(|p| p.n_tokens as u64).sum();
        Self { chunk, delivery, shape, n_tokens, logits: Vec::new() }
    }

    /// Hands over the parts of the layers that an earlier run finished.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn hand_over_finished(&mut self) -> Result<(), ExtractError> {
        let Some(resume) = self.delivery.resume else { return Ok(()) };
        for layer in 1..=resume.finished_layers() {
            if self.chunk.asks_for_attention() {
                let masses = resume.read(ATTENTION, layer)?;
                (self.delivery.hand_over)(Part::Attention { layer, masses });
            }
            let place = LayerSite { layer, site: Site::ResidPost };
            let vectors = resume.read(HIDDEN, layer)?;
            (self.delivery.hand_over)(Part::Hidden { place, vectors });
            self.advance(layer);
        }
        Ok(())
    }

    /// Counts the site numbered `index` as done.
    fn advance(&self, index: usize) {
        let n_sites = self.shape.default_sites().count();
        self.delivery.progress.advance(share(self.n_tokens, index, n_sites));
    }
}

impl LayerSink for PromptSink<'_> {
    fn states(&mut self, layer: usize, site: Site, vectors: Vec<f32>) -> Result<(), ExtractError> {
        if let Some(resume) = self.delivery.resume.filter(|_| site == Site::ResidPost) {
            resume.write(HIDDEN, layer, &vectors)?;
        }
        self.advance(site_index(self.shape, layer, site));
        (self.delivery.hand_over)(Part::Hidden { place: LayerSite { layer, site }, vectors });
        Ok(())
    }

    fn attention(&mut self, layer: usize, sums: Vec<f64>) -> Result<(), ExtractError> {
        let masses = mean_masses(self.chunk, self.shape.n_heads, &sums);
        if let Some(resume) = self.delivery.resume {
            resume.write(ATTENTION, layer, &masses)?;
        }
        (self.delivery.hand_over)(Part::Attention { layer, masses });
        Ok(())
    }

    fn logits(&mut self, results: Vec<LogitResult>) {
        self.logits = results;
    }
}

/// Masses of a chunk's prompts from sums over query tokens, both for each prompt `[n_heads, n_queries, n_keys]`.
fn mean_masses(chunk: &Chunk, n_heads: usize, sums: &[f64]) -> Vec<f32> {
    let mut masses = vec![0.0; sums.len()];
    let (mut rest, mut rest_of_sums) = (&mut masses[..], sums);
    let mut prompts = Vec::new();
    for plan in chunk.plans() {
        let pairs = plan.n_given_pairs();
        let n = n_heads * pairs.n_queries * pairs.n_keys;
        let (own, after) = std::mem::take(&mut rest).split_at_mut(n);
        let (own_sums, sums_after) = rest_of_sums.split_at(n);
        (rest, rest_of_sums) = (after, sums_after);
        prompts.push((plan, pairs.n_keys, own, own_sums));
    }
    prompts.into_par_iter().for_each(|(plan, n_keys, own, sums)| {
        let given = |s: &&SegmentPlan| !s.is_response;
        let lengths: Vec<f64> =
            plan.queries().filter(given).map(|s| plan.n_tokens_of(s, 0).max(1) as f64).collect();
        let rows = own.chunks_mut(n_keys.max(1)).zip(sums.chunks(n_keys.max(1)));
        for ((masses, sums), n) in rows.zip(lengths.iter().cycle()) {
            masses.iter_mut().zip(sums).for_each(|(mass, sum)| *mass = (sum / n) as f32);
        }
    });
    masses
}

/// Adds up the results of the passes over a chunk's responses, a token of each prompt at a time.
pub struct ResponseSink<'a> {
    chunk: &'a Chunk<'a>,
    shape: Shape,
    /// By site: a running pool for each of the response slots.
    pools: Vec<Vec<f32>>,
    /// By layer, prompt, head and key segment: attention sums over the response's tokens.
    sums: Vec<Vec<f64>>,
    /// For each prompt, where its sums begin in a layer of `sums`.
    starts: Vec<usize>,
    /// For each prompt, the response tokens whose states were pooled, this pass's included.
    n_pooled: Vec<usize>,
    /// Prompts of this pass's paths.
    prompts: Vec<usize>,
    /// What was read off logits.
    pub logits: Vec<LogitResult>,
}

impl<'a> ResponseSink<'a> {
    pub fn new(chunk: &'a Chunk<'a>, shape: Shape) -> Self {
        let mut n_sums = 0;
        let starts = chunk
            .plans()
            .map(|plan| {
                let start = n_sums;
                n_sums += n_response_sums(plan, shape.n_heads);
                start
            })
            .collect();
        let n_values = chunk.response_slots.len() * shape.d_model;
        Self {
            chunk,
            shape,
            pools: vec![vec![0.0; n_values]; shape.default_sites().count()],
            sums: vec![vec![0.0; n_sums]; shape.n_layers],
            starts,
            n_pooled: vec![0; chunk.tokenized_prompts.len()],
            prompts: Vec::new(),
            logits: Vec::new(),
        }
    }

    /// Begins a pass whose paths are those of `prompts`, each with one more token.
    pub fn begin_pass(&mut self, prompts: Vec<usize>) {
        prompts.iter().for_each(|prompt| self.n_pooled[*prompt] += 1);
        self.prompts = prompts;
    }

    /// What is kept of responses of `n_tokens` tokens.
    pub fn finish(mut self, n_tokens: Vec<usize>) -> ResponseParts {
        for vectors in &mut self.pools {
            for (out, slot) in vectors.chunks_mut(self.shape.d_model).zip(&self.chunk.response_slots) {
                let n = n_tokens[slot.prompt];
                if slot.pooling == Pooling::Mean && n > 0 {
                    out.iter_mut().for_each(|v| *v /= n as f32);
                }
            }
        }
        let count = |(plan, n): (&PromptPlan, &usize)| {
            std::iter::repeat_n((*n).max(1) as f64, n_response_sums(plan, self.shape.n_heads))
        };
        let counts: Vec<f64> = self.chunk.plans().zip(&n_tokens).flat_map(count).collect();
        let mean = |sums: Vec<f64>| sums.iter().zip(&counts).map(|(sum, n)| (sum / n) as f32).collect();
        let attention = self.sums.into_iter().map(mean).collect();
        ResponseParts { hidden: self.pools, attention, n_tokens }
    }
}

/// Sums that are kept of a prompt's response at a layer.
fn n_response_sums(plan: &PromptPlan, n_heads: usize) -> usize {
    if plan.has_response_query() { plan.keys().count() * n_heads } else { 0 }
}

impl LayerSink for ResponseSink<'_> {
    fn states(&mut self, layer: usize, site: Site, vectors: Vec<f32>) -> Result<(), ExtractError> {
        let d = self.shape.d_model;
        let index = site_index(self.shape, layer, site);
        // The pass pools one vector, the token's own, for each prompt that keeps states of its response.
        let keeps_states =
            |prompt: &&usize| self.chunk.tokenized_prompts[**prompt].plan.keeps_response_states();
        let mut vector_of = vec![None; self.chunk.tokenized_prompts.len()];
        for (prompt, vector) in self.prompts.iter().filter(keeps_states).zip(vectors.chunks(d)) {
            vector_of[*prompt] = Some(vector);
        }
        let n_pooled = &self.n_pooled;
        let pools = self.pools[index].par_chunks_mut(d).zip(&self.chunk.response_slots);
        pools.for_each(|(out, slot)| {
            if let Some(vector) = vector_of[slot.prompt] {
                extend_pool(out, slot.pooling, vector, n_pooled[slot.prompt] == 1);
            }
        });
        Ok(())
    }

    fn attention(&mut self, layer: usize, sums: Vec<f64>) -> Result<(), ExtractError> {
        let totals = &mut self.sums[layer - 1];
        let mut rest = &sums[..];
        for &prompt in &self.prompts {
            let n = n_response_sums(&self.chunk.tokenized_prompts[prompt].plan, self.shape.n_heads);
            let (own, after) = rest.split_at(n);
            rest = after;
            let totals = totals[self.starts[prompt]..][..n].iter_mut();
            totals.zip(own).for_each(|(total, sum)| *total += sum);
        }
        Ok(())
    }

    fn logits(&mut self, results: Vec<LogitResult>) {
        self.logits = results;
    }
}

/// Index of a site among [`Shape::default_sites`].
fn site_index(shape: Shape, layer: usize, site: Site) -> usize {
    let place = LayerSite { layer, site };
    shape.default_sites().position(|other| other == place).expect("a site that was asked for")
}

/// What part `index` of `n_parts` adds to a total that the parts make up exactly.
fn share(total: u64, index: usize, n_parts: usize) -> u64 {
    let until = |parts: usize| total * parts as u64 / n_parts as u64;
    until(index + 1) - until(index)
}
