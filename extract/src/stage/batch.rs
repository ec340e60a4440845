//! One chunk of prompts through the model: a packed tree for prompts and answers, then responses token by token.

use crate::error::ExtractError;
use crate::forward::{
    Batch, Capture, KvCache, LogitRequest, LogitResult, Model, NextToken, PathCapture, PooledSlot, Positions,
    PrefixTree,
};
use crate::stage::chunk::{Chunk, Generations, Response};
use crate::stage::collect::{Delivery, Part, PromptSink, ResponseSink};
use crate::stage::sampling::Stream;
use crate::stage::segment_plan::{PromptPlan, SegmentPlan};
use crate::stage::settings::Settings;
use crate::stage::tokenized_prompt::{Target, TokenizedPrompt};
use crate::tokenize::tokenizer::Tokenizer;
use hypercolumn_schemas::{Pooling, Site};

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
    let Runner { model, settings, .. } = runner;
    let tokenized_prompts = &chunk.tokenized_prompts;
    let (mut tree, ends) = pack_prompts_and_answers(tokenized_prompts);
    let (prompt_ends, answer_ends) = ends.split_at(tokenized_prompts.len());
    let shape = model.shape();
    let mut decoding = Decoding::new(runner, tokenized_prompts, prompt_ends);
    let mut logits = Vec::new();
    if settings.max_new_tokens > 0 {
        let all: Vec<usize> = (0..decoding.continuations.len()).collect();
        logits.extend(decoding.request_next(&all, &tree));
    }
    logits.extend(request_answers(&tree, tokenized_prompts, answer_ends));
    let capture = Capture {
        sites: Site::DEFAULT.to_vec(),
        paths: tokenized_prompts
            .iter()
            .zip(prompt_ends)
            .map(|(r, end)| capture_prompt(&r.plan, *end))
            .collect(),
        logits,
        edits: Vec::new(),
    };
    let (resume, hand_over) = (delivery.resume, delivery.hand_over);
    let mut prompts = PromptSink::new(chunk, shape, delivery);
    prompts.hand_over_finished()?;
    let kv_cache = if settings.max_new_tokens > 0 { KvCache::Keep } else { KvCache::Drop };
    let mut session = model.session(kv_cache);
    session.forward(&Batch { tree: &tree, edges: 0..tree.edges.len() }, &capture, &mut prompts, resume)?;
    let mut next_tokens: Vec<u32> = prompts.logits.iter().map_while(|result| result.next).collect();
    let mut responses = ResponseSink::new(chunk, shape);
    let mut live: Vec<usize> = (0..decoding.continuations.len()).collect();
    for _ in 0..settings.max_new_tokens {
        let first = tree.edges.len();
        let Added { continuing, kept } = decoding.extend(&live, &mut tree, &next_tokens)?;
        if tree.edges.len() == first {
            break;
        }
        live = continuing;
        let end = |continuation: usize| decoding.continuations[continuation].end;
        let path =
            |&prompt: &usize| capture_response_token(&tokenized_prompts[prompt].plan, &tree, end(prompt));
        let paths = kept.iter().map(path).collect();
        let capture = Capture {
            sites: Site::DEFAULT.to_vec(),
            paths,
            logits: decoding.request_next(&live, &tree),
            edits: Vec::new(),
        };
        responses.begin_pass(kept);
        session.forward(
            &Batch { tree: &tree, edges: first..tree.edges.len() },
            &capture,
            &mut responses,
            None,
        )?;
        next_tokens = responses.logits.iter().filter_map(|result| result.next).collect();
    }
    let (written, samples) = decoding.finish();
    hand_over(Part::Responses(responses.finish(written.iter().map(|r| r.ids.len()).collect())));
    let answer_logprobs = sum_by_answer(tokenized_prompts, &prompts.logits);
    Ok(Generations { responses: written, samples, answer_logprobs })
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

/// Asks for the probability of each answer's tokens.
fn request_answers(
    tree: &PrefixTree,
    tokenized_prompts: &[&TokenizedPrompt],
    answer_ends: &[usize],
) -> Vec<LogitRequest> {
    let mut requests = Vec::new();
    let all = tokenized_prompts.iter().flat_map(|r| r.answers.iter().map(|a| (r.ids.len(), a)));
    for ((n_prompt, answer), end) in all.zip(answer_ends) {
        let rows: Vec<usize> = tree.path(*end).into_iter().flatten().collect();
        for (&row, &token) in rows[n_prompt - 1..].iter().zip(&answer.ids) {
            requests.push(LogitRequest { row, targets: vec![token], next: NextToken::Unasked });
        }
    }
    requests
}

/// A response that is being written.
struct Continuation {
    prompt: usize,
    /// The edge that ends it.
    end: usize,
    /// What its tokens are drawn with; none for the greedy response.
    stream: Option<Stream>,
    response: Response,
}

/// The responses to a chunk's prompts: the greedy one of each in the order of the prompts, then their samples.
struct Decoding<'a> {
    tokenizer: &'a Tokenizer,
    settings: &'a Settings,
    tokenized_prompts: &'a [&'a TokenizedPrompt],
    continuations: Vec<Continuation>,
}

/// What a step adds to the tree.
struct Added {
    /// Continuations that go on after it.
    continuing: Vec<usize>,
    /// Prompts of whose greedy response something is kept at this token.
    kept: Vec<usize>,
}

impl<'a> Decoding<'a> {
    /// Before the first token. Nothing is written if no tokens are asked for.
    fn new(runner: Runner<'a>, tokenized_prompts: &'a [&'a TokenizedPrompt], prompt_ends: &[usize]) -> Self {
        let Runner { tokenizer, settings, .. } = runner;
        let mut continuations = Vec::new();
        for sample in 0..=settings.sampling.n_samples {
            for (prompt, end) in prompt_ends.iter().enumerate() {
                let id = &tokenized_prompts[prompt].prompt.prompt_id;
                let stream = (sample > 0).then(|| Stream::new(&settings.sampling, id, sample));
                continuations.push(Continuation { prompt, end: *end, stream, response: Response::default() });
            }
        }
        Self { tokenizer, settings, tokenized_prompts, continuations }
    }

    /// Asks for the next token of every live continuation, in their order.
    fn request_next(&mut self, live: &[usize], tree: &PrefixTree) -> Vec<LogitRequest> {
        let mut request = |continuation: &usize| {
            let Continuation { end, stream, .. } = &mut self.continuations[*continuation];
            let next = stream.as_mut().map_or(NextToken::Likeliest, |stream| NextToken::Drawn(stream.draw()));
            LogitRequest { row: tree.edges[*end].rows().end - 1, targets: Vec::new(), next }
        };
        live.iter().map(&mut request).collect()
    }

    /// Takes the next token of every live continuation. Appends to the tree the tokens that something is to be read from:
    /// the next token, or states or attention that are kept.
    fn extend(
        &mut self,
        live: &[usize],
        tree: &mut PrefixTree,
        next_tokens: &[u32],
    ) -> Result<Added, ExtractError> {
        let mut added = Added { continuing: Vec::new(), kept: Vec::new() };
        for (&index, &token) in live.iter().zip(next_tokens) {
            if self.tokenizer.ends_text(token) {
                continue;
            }
            let Continuation { prompt, end, stream, response } = &mut self.continuations[index];
            let tokenized = self.tokenized_prompts[*prompt];
            response.ids.push(token);
            response.text = self.tokenizer.decode(&response.ids).map_err(|problem| {
                ExtractError::Tokenize { prompt_id: tokenized.prompt.prompt_id.clone(), problem }
            })?;
            let stopped = self.settings.stop.iter().any(|stop| response.text.contains(stop));
            let continues = !stopped && response.ids.len() < self.settings.max_new_tokens;
            let is_kept = stream.is_none() && tokenized.plan.keeps_response();
            if continues {
                added.continuing.push(index);
            }
            if continues || is_kept {
                *end = tree.push(Some(*end), &[token]);
            }
            if is_kept {
                added.kept.push(*prompt);
            }
        }
        Ok(added)
    }

    /// The greedy response of each prompt, and its samples in order.
    fn finish(self) -> (Vec<Response>, Vec<Vec<Response>>) {
        let n_prompts = self.tokenized_prompts.len();
        let mut samples = vec![Vec::new(); n_prompts];
        let mut greedy = Vec::with_capacity(n_prompts);
        for Continuation { prompt, stream, response, .. } in self.continuations {
            match stream {
                None => greedy.push(response),
                Some(_) => samples[prompt].push(response),
            }
        }
        (greedy, samples)
    }
}
