//! One chunk of prompts through the model: a packed tree for prompts and answers, then responses token by token.

use crate::error::ExtractError;
use crate::forward::{
    Batch, Capture, KvCache, LogitRequest, LogitResult, Model, NextToken, PathCapture, PooledSlot, Positions,
    PrefixTree,
};
use crate::stage::chunk::{Chunk, Generations, Response};
use crate::stage::collect::{Delivery, Part, PromptSink, ResponseSink};
use crate::stage::segment_plan::{PromptPlan, SegmentPlan};
use crate::stage::settings::Settings;
use crate::stage::tokenized_prompt::{Target, TokenizedPrompt};
use crate::tokenize::tokenizer::Tokenizer;
use hypercolumn_schemas::{Pooling, Site};
use std::collections::HashMap;

/// A loaded model with what it is run for.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    /// The loaded model.
    pub model: &'a dyn Model,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What is kept.
    pub settings: &'a Settings,
}

/// Runs a chunk, from where its resume checkpoint says that an earlier edge was, if there is one; pooled states and
/// attention go where `delivery` says as they become final.
pub fn run_chunk(
    runner: Runner<'_>,
    chunk: &Chunk,
    delivery: Delivery<'_>,
) -> Result<Generations, ExtractError> {
    let Runner { model, settings, tokenizer } = runner;
    let tokenized_prompts = &chunk.tokenized_prompts;
    let (mut tree, ends) = pack_prompts_and_answers(tokenized_prompts);
    let (prompt_ends, answer_ends) = ends.split_at(tokenized_prompts.len());
    let shape = model.shape();
    let capture = Capture {
        sites: Site::DEFAULT.to_vec(),
        paths: tokenized_prompts
            .iter()
            .zip(prompt_ends)
            .map(|(r, end)| capture_prompt(&r.plan, *end))
            .collect(),
        logits: request_logits(&tree, tokenized_prompts, prompt_ends, answer_ends, settings),
        edits: Vec::new(),
    };
    let (resume, hand_over) = (delivery.resume, delivery.hand_over);
    let mut prompts = PromptSink::new(chunk, shape, delivery);
    prompts.hand_over_finished()?;
    let kv_cache = if settings.max_new_tokens > 0 { KvCache::Keep } else { KvCache::Drop };
    let mut session = model.session(kv_cache);
    session.forward(&Batch { tree: &tree, edges: 0..tree.edges.len() }, &capture, &mut prompts, resume)?;
    let mut next_tokens = next_tokens(&capture, &prompts.logits);
    let mut responses = ResponseSink::new(chunk, shape);
    let mut decoding =
        Decoding { tokenizer, settings, responses: vec![Response::default(); tokenized_prompts.len()] };
    let mut ends = prompt_ends.to_vec();
    let mut live: Vec<usize> = (0..tokenized_prompts.len()).collect();
    for _ in 0..settings.max_new_tokens {
        let first = tree.edges.len();
        let added = decoding.extend(&mut live, &mut ends, &mut tree, &next_tokens, tokenized_prompts)?;
        if added.is_empty() {
            break;
        }
        let capture = Capture {
            sites: Site::DEFAULT.to_vec(),
            paths: added
                .iter()
                .map(|p| capture_response_token(&tokenized_prompts[*p].plan, &tree, ends[*p]))
                .collect(),
            logits: live.iter().map(|p| request_next(tree.edges[ends[*p]].row)).collect(),
            edits: Vec::new(),
        };
        responses.begin_pass(added);
        session.forward(
            &Batch { tree: &tree, edges: first..tree.edges.len() },
            &capture,
            &mut responses,
            None,
        )?;
        next_tokens = live.iter().zip(&responses.logits).map(|(p, result)| (*p, result.likeliest)).collect();
    }
    let n_response: Vec<usize> = decoding.responses.iter().map(|r| r.ids.len()).collect();
    hand_over(Part::Responses(responses.finish(n_response)));
    let answer_logprobs = sum_by_answer(tokenized_prompts, &prompts.logits);
    Ok(Generations { responses: decoding.responses, answer_logprobs })
}

/// The tree of prompts and of their answers, and the edges that end them: prompts first.
fn pack_prompts_and_answers(tokenized_prompts: &[&TokenizedPrompt]) -> (PrefixTree, Vec<usize>) {
    let mut sequences: Vec<Vec<u32>> = tokenized_prompts.iter().map(|r| r.ids.clone()).collect();
    for tokenized_prompt in tokenized_prompts {
        for answer in &tokenized_prompt.answers {
            let read = &answer.ids[..answer.ids.len() - 1];
            sequences.push([&tokenized_prompt.ids, read].concat());
        }
    }
    let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    PrefixTree::pack(&borrowed)
}

/// What is kept of a prompt's own segments.
fn capture_prompt(plan: &PromptPlan, end: usize) -> PathCapture {
    let given = || plan.segments.iter().filter(|s| !s.is_response);
    let slot = |(positions, pooling)| PooledSlot { positions, pooling };
    PathCapture {
        end,
        slots: given().flat_map(|s| s.poolings.iter().map(|p| slot((positions(s), *p)))).collect(),
        queries: given().filter(|s| s.is_query).map(positions).collect(),
        keys: given().filter(|s| s.is_key).map(positions).collect(),
    }
}

/// What is kept of a response's token, the path's last: its state once, whatever the poolings, which are over tokens of
/// several passes.
fn capture_response_token(plan: &PromptPlan, tree: &PrefixTree, end: usize) -> PathCapture {
    let position = tree.edges[end].position as u32;
    let span = |start, end| std::iter::once(start..end).collect::<Positions>();
    let token = || span(position, position + 1);
    let own = |keeps: bool| if keeps { vec![token()] } else { Vec::new() };
    let slot = |positions| PooledSlot { positions, pooling: Pooling::Last };
    let response = || span(plan.n_tokens as u32, u32::MAX);
    let key = |s: &SegmentPlan| if s.is_response { response() } else { positions(s) };
    PathCapture {
        end,
        slots: own(plan.keeps_response_states()).into_iter().map(slot).collect(),
        queries: own(plan.has_response_query()),
        keys: plan.keys().map(key).collect(),
    }
}

fn positions(segment: &SegmentPlan) -> Positions {
    segment.ranges.iter().map(|&(start, end)| start..end).collect()
}

/// Log-probabilities of every reading's answers from those of their tokens.
fn sum_by_answer(tokenized_prompts: &[&TokenizedPrompt], results: &[LogitResult]) -> Vec<Vec<f32>> {
    let mut targets = results.iter().flat_map(|result| &result.logprobs);
    let mut sum = |answer: &Target| targets.by_ref().take(answer.ids.len()).sum::<f64>() as f32;
    tokenized_prompts.iter().map(|r| r.answers.iter().map(&mut sum).collect()).collect()
}

/// Asks for each prompt's next token, if there are to be responses, and for the probability of each answer's tokens.
fn request_logits(
    tree: &PrefixTree,
    tokenized_prompts: &[&TokenizedPrompt],
    prompt_ends: &[usize],
    answer_ends: &[usize],
    settings: &Settings,
) -> Vec<LogitRequest> {
    let decoded = prompt_ends.iter().filter(|_| settings.max_new_tokens > 0);
    let mut requests: Vec<LogitRequest> =
        decoded.map(|end| request_next(tree.edges[*end].rows().end - 1)).collect();
    let all = tokenized_prompts.iter().flat_map(|r| r.answers.iter().map(|a| (r.ids.len(), a)));
    for ((n_prompt, answer), end) in all.zip(answer_ends) {
        let rows: Vec<usize> = tree.path(*end).into_iter().flatten().collect();
        for (&row, &token) in rows[n_prompt - 1..].iter().zip(&answer.ids) {
            requests.push(LogitRequest { row, targets: vec![token], next: NextToken::Unasked });
        }
    }
    requests
}

fn request_next(row: usize) -> LogitRequest {
    LogitRequest { row, targets: Vec::new(), next: NextToken::Likeliest }
}

/// The next token of each prompt that one was asked for.
fn next_tokens(capture: &Capture, results: &[LogitResult]) -> HashMap<usize, u32> {
    let asked =
        capture.logits.iter().zip(results).take_while(|(request, _)| request.next == NextToken::Likeliest);
    asked.map(|(_, result)| result.likeliest).enumerate().collect()
}

struct Decoding<'a> {
    tokenizer: &'a Tokenizer,
    settings: &'a Settings,
    responses: Vec<Response>,
}

impl Decoding<'_> {
    /// Takes the next token of every live prompt, and keeps alive those that go on after it. Appends to the tree the
    /// tokens that something is to be read from: the next token, or states or attention that are kept. Gives their
    /// prompts.
    fn extend(
        &mut self,
        live: &mut Vec<usize>,
        ends: &mut [usize],
        tree: &mut PrefixTree,
        next_tokens: &HashMap<usize, u32>,
        tokenized_prompts: &[&TokenizedPrompt],
    ) -> Result<Vec<usize>, ExtractError> {
        let mut added = Vec::new();
        let mut continuing = Vec::new();
        for &prompt in live.iter() {
            let token = next_tokens[&prompt];
            if self.tokenizer.ends_text(token) {
                continue;
            }
            let response = &mut self.responses[prompt];
            response.ids.push(token);
            response.text =
                self.tokenizer.decode(&response.ids).map_err(|problem| ExtractError::Tokenize {
                    prompt_id: tokenized_prompts[prompt].prompt.prompt_id.clone(),
                    problem,
                })?;
            let stopped = self.settings.stop.iter().any(|stop| response.text.contains(stop));
            let continues = !stopped && response.ids.len() < self.settings.max_new_tokens;
            if continues {
                continuing.push(prompt);
            }
            if continues || tokenized_prompts[prompt].plan.keeps_response() {
                ends[prompt] = tree.push(Some(ends[prompt]), &[token]);
                added.push(prompt);
            }
        }
        *live = continuing;
        Ok(added)
    }
}
