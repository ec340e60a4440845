//! One chunk of prompts through the model: a packed tree for prompts and answers, then responses token by token.

use crate::error::ExtractError;
use crate::forward::segment_plan::{PromptPlan, SegmentPlan, Slot, plan_slots};
use crate::forward::{Ledger, TokenTree};
use crate::stage::resume::Sweep;
use crate::stage::settings::Settings;
use crate::stage::shard::Reader;
use crate::stage::taps::{ChunkTaps, Part, Want};
use crate::stage::tokenized::{Answer, Reading};
use crate::tokenize::tokenizer::Tokenizer;
use hypercolumn_schemas::Progress;

/// What the model wrote after a prompt.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Token ids, the end-of-text token left out.
    pub ids: Vec<u32>,
    /// Their text.
    pub text: String,
}

/// Prompts that go through the model together.
#[derive(Debug)]
pub struct Chunk<'a> {
    /// The prompts.
    pub readings: Vec<&'a Reading>,
    /// The vectors to keep of the prompts' own segments.
    pub slots: Vec<Slot>,
    /// The vectors to keep of responses.
    pub response_slots: Vec<Slot>,
}

impl<'a> Chunk<'a> {
    /// A chunk of `readings`.
    pub fn new(readings: Vec<&'a Reading>) -> Self {
        let slots = |of_responses| plan_slots(readings.iter().map(|r| &r.plan), of_responses);
        Self { slots: slots(false), response_slots: slots(true), readings }
    }

    /// The prompts' plans.
    pub fn plans(&self) -> impl Iterator<Item = &PromptPlan> {
        self.readings.iter().map(|r| &r.plan)
    }

    /// The segment that a slot is for.
    pub fn segment(&self, slot: &Slot) -> &SegmentPlan {
        &self.readings[slot.prompt].plan.segments[slot.segment]
    }
}

/// What the model wrote after a chunk's prompts, and how likely it found their answers.
#[derive(Debug)]
pub struct Written {
    /// One per reading.
    pub responses: Vec<Response>,
    /// Log-probability of every reading's answers, in order.
    pub answer_logprobs: Vec<Vec<f32>>,
}

/// Runs a chunk, from where `sweep` says that an earlier run was, if there is one; pooled states and attention go to
/// `hand_over` as they become final. `progress` advances by the prompts' tokens.
pub fn run_chunk(
    reader: &Reader,
    chunk: &Chunk,
    progress: &dyn Progress,
    hand_over: &(dyn Fn(Part) + Sync),
    sweep: Option<&Sweep>,
) -> Result<Written, ExtractError> {
    let Reader { backend, settings, tokenizer, .. } = *reader;
    let readings = &chunk.readings;
    let mut sequences: Vec<Vec<u32>> = readings.iter().map(|r| r.ids.clone()).collect();
    for reading in readings {
        for answer in &reading.answers {
            let read = &answer.ids[..answer.ids.len() - 1];
            sequences.push([&reading.ids, read].concat());
        }
    }
    let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let (mut tree, ends) = TokenTree::pack(&borrowed);
    let (prompt_ends, answer_ends) = ends.split_at(readings.len());
    let n_targets = readings.iter().flat_map(|r| &r.answers).map(|a| a.ids.len()).sum();
    let asked = (prompt_ends, n_targets);
    let note = |part: Part| {
        sweep.iter().for_each(|s| s.note(&part));
        hand_over(part);
    };
    let mut taps = ChunkTaps::new(chunk, backend.shape(), &tree, asked, progress, &note);
    for parts in sweep.iter().flat_map(|s| s.parts()) {
        parts?.into_iter().for_each(hand_over);
        taps.skip_layer();
    }
    want_logits(&mut taps, &tree, readings, prompt_ends, answer_ends, settings);
    let mut session = backend.session(settings.max_new_tokens > 0);
    let ledger = sweep.map(|s| s as &dyn Ledger);
    session.forward(&tree, 0..tree.runs.len(), &taps.wanted_rows(), &mut taps, ledger)?;
    let mut decoding = Decoding { tokenizer, settings, responses: vec![Response::default(); readings.len()] };
    let mut ends = prompt_ends.to_vec();
    let mut live: Vec<usize> = (0..readings.len()).collect();
    for _ in 0..settings.max_new_tokens {
        let added = decoding.extend(&mut live, &mut ends, &mut tree, &taps, readings)?;
        let Some(first) = added.first().map(|(_, run)| *run) else { break };
        taps.begin_response_pass(&tree, &added);
        for prompt in &live {
            taps.want(tree.runs[ends[*prompt]].row, Want::Next { prompt: *prompt });
        }
        session.forward(&tree, first..tree.runs.len(), &taps.wanted_rows(), &mut taps, None)?;
    }
    let n_response: Vec<usize> = decoding.responses.iter().map(|r| r.ids.len()).collect();
    let answer_logprobs = sum_by_answer(readings, &taps.finish(n_response));
    Ok(Written { responses: decoding.responses, answer_logprobs })
}

/// Log-probabilities of every reading's answers from those of their tokens.
fn sum_by_answer(readings: &[&Reading], target_logprobs: &[f64]) -> Vec<Vec<f32>> {
    let mut targets = target_logprobs.iter();
    let mut sum = |answer: &Answer| targets.by_ref().take(answer.ids.len()).sum::<f64>() as f32;
    readings.iter().map(|r| r.answers.iter().map(&mut sum).collect()).collect()
}

/// Asks for each prompt's next token, and for the probability of each answer's tokens.
fn want_logits(
    taps: &mut ChunkTaps,
    tree: &TokenTree,
    readings: &[&Reading],
    prompt_ends: &[usize],
    answer_ends: &[usize],
    settings: &Settings,
) {
    if settings.max_new_tokens > 0 {
        for (prompt, end) in prompt_ends.iter().enumerate() {
            taps.want(tree.runs[*end].rows().end - 1, Want::Next { prompt });
        }
    }
    let all = readings.iter().flat_map(|r| r.answers.iter().map(|a| (r.ids.len(), a)));
    let mut targets = 0..;
    for ((n_prompt, wanted), end) in all.zip(answer_ends) {
        let rows: Vec<usize> = tree.path(*end).into_iter().flatten().collect();
        for ((row, token), target) in rows[n_prompt - 1..].iter().zip(&wanted.ids).zip(targets.by_ref()) {
            taps.want(*row, Want::Target { target, token: *token });
        }
    }
}

struct Decoding<'a> {
    tokenizer: &'a Tokenizer,
    settings: &'a Settings,
    responses: Vec<Response>,
}

impl Decoding<'_> {
    /// Takes the next token of every live prompt, and keeps alive those that go on after it. Appends to the tree the
    /// tokens that something is to be read from: the next token, or states or attention that are kept. Gives their
    /// prompts and runs.
    fn extend(
        &mut self,
        live: &mut Vec<usize>,
        ends: &mut [usize],
        tree: &mut TokenTree,
        taps: &ChunkTaps,
        readings: &[&Reading],
    ) -> Result<Vec<(usize, usize)>, ExtractError> {
        let mut added = Vec::new();
        let mut going_on = Vec::new();
        for &prompt in live.iter() {
            let token = taps.next_token(prompt);
            if self.tokenizer.ends_text(token) {
                continue;
            }
            let response = &mut self.responses[prompt];
            response.ids.push(token);
            response.text = self.tokenizer.decode(&response.ids).map_err(|problem| {
                ExtractError::Tokenize { prompt_id: readings[prompt].prompt.prompt_id.clone(), problem }
            })?;
            let stopped = self.settings.stop.iter().any(|stop| response.text.contains(stop));
            let goes_on = !stopped && response.ids.len() < self.settings.max_new_tokens;
            if goes_on {
                going_on.push(prompt);
            }
            if goes_on || readings[prompt].plan.keeps_response() {
                ends[prompt] = tree.push(Some(ends[prompt]), &[token]);
                added.push((prompt, ends[prompt]));
            }
        }
        *live = going_on;
        Ok(added)
    }
}
