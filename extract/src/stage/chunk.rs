//! Prompts that go through the model together, and what the model writes after them.

use crate::stage::segment_plan::{PooledSegment, PromptPlan, SegmentPlan, plan_slots};
use crate::stage::tokenized_prompt::TokenizedPrompt;

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
    pub tokenized_prompts: Vec<&'a TokenizedPrompt>,
    /// The vectors to keep of the prompts' own segments.
    pub slots: Vec<PooledSegment>,
    /// The vectors to keep of responses.
    pub response_slots: Vec<PooledSegment>,
}

impl<'a> Chunk<'a> {
    /// A chunk of `tokenized_prompts`, with the vectors to keep of them.
    pub fn new(tokenized_prompts: Vec<&'a TokenizedPrompt>) -> Self {
        let slots = |of_responses| plan_slots(tokenized_prompts.iter().map(|r| &r.plan), of_responses);
        Self { slots: slots(false), response_slots: slots(true), tokenized_prompts }
    }

    /// The prompts' plans.
    pub fn plans(&self) -> impl Iterator<Item = &PromptPlan> {
        self.tokenized_prompts.iter().map(|r| &r.plan)
    }

    /// Whether attention between some prompt's own segments is kept.
    pub fn asks_for_attention(&self) -> bool {
        self.plans().map(PromptPlan::n_given_pairs).any(|pairs| pairs.n_queries > 0)
    }

    /// The segment that a slot is for.
    pub fn segment(&self, slot: &PooledSegment) -> &SegmentPlan {
        &self.tokenized_prompts[slot.prompt].plan.segments[slot.segment]
    }
}

/// What the model wrote after a chunk's prompts, and how likely it found their answers.
#[derive(Debug)]
pub struct Generations {
    /// The greedy response to each prompt.
    pub responses: Vec<Response>,
    /// The samples of each prompt, in order.
    pub samples: Vec<Vec<Response>>,
    /// Log-probability of every reading's answers, in order.
    pub answer_logprobs: Vec<Vec<f32>>,
}
