//! One chunk of prompts through the model: a packed tree for prompts and answers, then responses token by token.

use crate::backend::TokenTree;
use crate::chat::{Frame, Framed};
use crate::error::ExtractError;
use crate::membership::{deciding_characters, positions_within, ranges};
use crate::plan::{PromptPlan, SegmentPlan, Slot, plan_slots};
use crate::progress::Progress;
use crate::prompts::Prompt;
use crate::settings::Settings;
use crate::shard::Reader;
use crate::taps::{ChunkTaps, Part, Want};
use crate::tokenizer::{Encoding, Tokenizer};

/// A prompt as the model reads it.
#[derive(Debug)]
pub struct Reading {
    /// The prompt.
    pub prompt: Prompt,
    /// Its tokens, those of a chat template around it included; offsets are in the whole text.
    pub encoding: Encoding,
    /// Where each token lies in the prompt's own text; `None` for tokens of the template.
    pub spans: Vec<Option<(u32, u32)>>,
    /// Answers whose probability is asked for: the expected one first, if any, then the choices.
    pub answers: Vec<Answer>,
    /// What is kept of its segments.
    pub plan: PromptPlan,
}

/// An answer whose probability is asked for.
#[derive(Debug)]
pub struct Answer {
    /// The candidate's name in params; `None` for the expected answer itself.
    pub choice: Option<String>,
    /// The answer.
    pub text: String,
    /// Its tokens after the prompt's.
    pub ids: Vec<u32>,
}

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

impl Reading {
    /// Tokenizes a prompt and its answers.
    pub fn new(
        prompt: Prompt,
        tokenizer: &Tokenizer,
        frame: Option<&Frame>,
        settings: &Settings,
    ) -> Result<Self, ExtractError> {
        let failed = |problem| ExtractError::Tokenize { prompt_id: prompt.prompt_id.clone(), problem };
        let framed = frame.map_or_else(|| Ok(Framed::bare(&prompt.text)), |f| f.around(&prompt.text));
        let framed = framed.map_err(failed)?;
        let encoding = tokenizer.encode_within(&framed.text, framed.surround).map_err(failed)?;
        if encoding.ids.is_empty() {
            return Err(ExtractError::NoTokens { prompt_id: prompt.prompt_id });
        }
        let mut answers = Vec::new();
        let expected = prompt.expected.iter().map(|text| (None, text));
        let choices = prompt.choices.iter().map(|(name, text)| (Some(name.clone()), text));
        for (choice, text) in expected.chain(choices) {
            let spaced = format!("{}{text}", separator(&framed.text, text));
            let before = (framed.text.as_str(), encoding.ids.as_slice());
            let ids = tokenizer.encode_continuation(before, &spaced, framed.surround).map_err(failed)?;
            if !ids.is_empty() {
                answers.push(Answer { choice, text: text.clone(), ids });
            }
        }
        let place = Place { start: framed.start, length: prompt.text.chars().count() as u32 };
        let deciding = deciding_characters(&framed.text, &encoding);
        let deciding: Vec<_> = deciding.into_iter().map(|d| place.of(d?)).collect();
        let spans = encoding.offsets.iter().map(|span| place.overlap(*span)).collect();
        let plan = plan_segments(&prompt, &deciding, settings);
        Ok(Self { prompt, encoding, spans, answers, plan })
    }

    /// Rows that the prompt and its answers take at most in a tree, beyond `shared` prompt tokens.
    pub fn n_rows(&self, shared: usize) -> usize {
        let answers: usize = self.answers.iter().map(|a| a.ids.len() - 1).sum();
        self.encoding.ids.len() - shared + answers
    }
}

/// Where a prompt's own text lies in what the model reads.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    length: u32,
}

impl Place {
    /// The character of the prompt's text that a character of the whole is.
    fn of(self, character: u32) -> Option<u32> {
        character.checked_sub(self.start).filter(|c| *c < self.length)
    }

    /// What a span of the whole covers of the prompt's text. Without a template that is the span itself.
    fn overlap(self, (start, end): (u32, u32)) -> Option<(u32, u32)> {
        let own_end = self.start + self.length;
        let (from, to) = (start.max(self.start), end.min(own_end));
        let is_inside = self.start <= start && end <= own_end;
        (from < to || (is_inside && self.start == 0)).then(|| (from - self.start, to - self.start))
    }
}

/// What stands between a prompt and its answer: a space after a letter, a digit or a closing mark, unless the
/// answer brings its own; nothing after a space, a comma or an opening mark.
fn separator(prompt: &str, answer: &str) -> &'static str {
    let closes = |c: char| c.is_alphanumeric() || ":.?!)]}".contains(c);
    let spaced = prompt.chars().last().is_some_and(closes) && !answer.starts_with(char::is_whitespace);
    if spaced { " " } else { "" }
}

/// The segments of a prompt, whose tokens are decided by these characters of its text. A template's tokens have
/// none: like BOS they belong to no segment, but that the last of them is `final`, which the response follows.
fn plan_segments(prompt: &Prompt, deciding: &[Option<u32>], settings: &Settings) -> PromptPlan {
    let n_tokens = deciding.len() as u32;
    let segment = |number: i16, role: &str, ranges: Vec<(u32, u32)>, is_response: bool| SegmentPlan {
        number,
        role: role.to_owned(),
        ranges,
        is_response,
        poolings: settings.poolings(role),
        is_query: settings.attention.keeps_query(role),
        is_key: settings.attention.keeps_key(role),
    };
    let within = |start, end| ranges(&positions_within(deciding, start, end));
    let mut segments = vec![segment(0, "prompt", within(0, u32::MAX), false)];
    for s in &prompt.segments {
        segments.push(segment(s.number, &s.role, within(s.start, s.end), false));
    }
    let n = prompt.segments.len() as i16;
    segments.push(segment(n + 1, "final", vec![(n_tokens - 1, n_tokens)], false));
    if settings.max_new_tokens > 0 {
        segments.push(segment(n + 2, "response", Vec::new(), true));
    }
    PromptPlan { n_tokens: n_tokens as usize, segments }
}

/// Runs a chunk; pooled states and attention go to `hand_over` as they become final. `progress` advances by the
/// prompts' tokens.
pub fn run_chunk(
    reader: &Reader,
    chunk: &Chunk,
    progress: &dyn Progress,
    hand_over: &(dyn Fn(Part) + Sync),
) -> Result<Written, ExtractError> {
    let Reader { backend, settings, tokenizer, .. } = *reader;
    let readings = &chunk.readings;
    let mut sequences: Vec<Vec<u32>> = readings.iter().map(|r| r.encoding.ids.clone()).collect();
    for reading in readings {
        for answer in &reading.answers {
            let read = &answer.ids[..answer.ids.len() - 1];
            sequences.push([&reading.encoding.ids, read].concat());
        }
    }
    let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let (mut tree, ends) = TokenTree::pack(&borrowed);
    let (prompt_ends, answer_ends) = ends.split_at(readings.len());
    let n_targets = readings.iter().flat_map(|r| &r.answers).map(|a| a.ids.len()).sum();
    let asked = (prompt_ends, n_targets);
    let mut taps = ChunkTaps::new(chunk, backend.shape(), &tree, asked, progress, hand_over);
    want_logits(&mut taps, &tree, readings, prompt_ends, answer_ends, settings);
    let mut session = backend.session(settings.max_new_tokens > 0);
    session.forward(&tree, 0..tree.runs.len(), &taps.wanted_rows(), &mut taps)?;
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
        session.forward(&tree, first..tree.runs.len(), &taps.wanted_rows(), &mut taps)?;
    }
    let answer_logprobs = sum_by_answer(readings, &taps.finish());
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
    let all = readings.iter().flat_map(|r| r.answers.iter().map(|a| (r.encoding.ids.len(), a)));
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
    /// Appends the next token of every live prompt to the tree, and keeps alive those that go on after it.
    /// Gives the prompts and runs appended.
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
            ends[prompt] = tree.push(Some(ends[prompt]), &[token]);
            added.push((prompt, ends[prompt]));
            let response = &mut self.responses[prompt];
            response.ids.push(token);
            response.text = self.tokenizer.decode(&response.ids).map_err(|problem| {
                ExtractError::Tokenize { prompt_id: readings[prompt].prompt.prompt_id.clone(), problem }
            })?;
            let stopped = self.settings.stop.iter().any(|stop| response.text.contains(stop));
            if !stopped && response.ids.len() < self.settings.max_new_tokens {
                going_on.push(prompt);
            }
        }
        *live = going_on;
        Ok(added)
    }
}

#[cfg(test)]
mod tests {
    use super::separator;

    #[test]
    fn an_answer_is_spaced_as_a_writer_would() {
        assert_eq!(separator("(0.63,", "17.9"), "");
        assert_eq!(separator("Answer:", "watering"), " ");
        assert_eq!(separator("Answer: ", "watering"), "");
        assert_eq!(separator("Answer:", " watering"), "");
    }
}
