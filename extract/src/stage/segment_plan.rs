//! What is to be kept of a prompt: its segments' tokens, poolings and parts in attention.

use hypercolumn_schemas::Pooling;

/// A segment of a prompt and what is kept of it.
#[derive(Clone, Debug)]
pub struct SegmentPlan {
    pub number: i16,
    pub role: String,
    /// Positions of its tokens as ranges; empty for the response, whose tokens come after the prompt.
    pub ranges: Vec<(u32, u32)>,
    pub is_response: bool,
    pub poolings: Vec<Pooling>,
    pub is_query: bool,
    pub is_key: bool,
}

/// A prompt's length and segments, the response's last if there is one.
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

    /// Segments whose attention is kept as queries.
    pub fn queries(&self) -> impl Iterator<Item = &SegmentPlan> {
        self.segments.iter().filter(|s| s.is_query)
    }

    /// Segments whose attention is kept as keys.
    pub fn keys(&self) -> impl Iterator<Item = &SegmentPlan> {
        self.segments.iter().filter(|s| s.is_key)
    }

    /// Whether the response is a query segment.
    pub fn has_response_query(&self) -> bool {
        self.queries().any(|s| s.is_response)
    }

    /// Whether states of the response's tokens are kept.
    pub fn keeps_response_states(&self) -> bool {
        self.segments.iter().any(|s| s.is_response && !s.poolings.is_empty())
    }

    /// Whether states or attention of the response's tokens are kept.
    pub fn keeps_response(&self) -> bool {
        self.has_response_query() || self.keeps_response_states()
    }

    /// Numbers of query and key segments, the response apart.
    pub fn n_given_pairs(&self) -> GivenPairs {
        let given = |s: &&SegmentPlan| !s.is_response;
        GivenPairs {
            n_queries: self.queries().filter(given).count(),
            n_keys: self.keys().filter(given).count(),
        }
    }
}

/// Numbers of query and key segments of a prompt, the response apart.
#[derive(Clone, Copy, Debug)]
pub struct GivenPairs {
    pub n_queries: usize,
    pub n_keys: usize,
}

/// One pooled vector to keep: a segment of a prompt under one pooling.
#[derive(Clone, Copy, Debug)]
pub struct PooledSegment {
    /// Index of the prompt in its chunk.
    pub prompt: usize,
    /// Index into the prompt's segments.
    pub segment: usize,
    pub pooling: Pooling,
}

/// The vectors to keep of some prompts: of their responses, or of everything else.
pub fn plan_slots<'p>(plans: impl Iterator<Item = &'p PromptPlan>, of_responses: bool) -> Vec<PooledSegment> {
    let mut slots = Vec::new();
    for (prompt, plan) in plans.enumerate() {
        for (segment, kept) in plan.segments.iter().enumerate().filter(|(_, s)| s.is_response == of_responses)
        {
            slots.extend(kept.poolings.iter().map(|&pooling| PooledSegment { prompt, segment, pooling }));
        }
    }
    slots
}
