//! What logits are needed for: next tokens and log-probabilities of given ones.

use crate::cpu::vector::{log_sum_exp, position_of_largest};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// What a row's logits are needed for.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    /// The next token of this prompt's response.
    Next { prompt: usize },
    /// The log-probability of `token`, the target numbered `target`.
    Target { target: usize, token: u32 },
}

/// Reads logits as they come.
pub(super) struct LogitTaps {
    wants: HashMap<usize, Vec<Want>>,
    found: Mutex<Found>,
}

/// What was read off logits.
struct Found {
    /// For each prompt, the likeliest next token of the last wanted row.
    next_token: Vec<u32>,
    /// For each target, its log-probability.
    target_logprob: Vec<f64>,
}

impl LogitTaps {
    pub fn new(n_prompts: usize, n_targets: usize) -> Self {
        let found = Found { next_token: vec![0; n_prompts], target_logprob: vec![0.0; n_targets] };
        Self { wants: HashMap::new(), found: Mutex::new(found) }
    }

    pub fn want(&mut self, row: usize, want: Want) {
        self.wants.entry(row).or_default().push(want);
    }

    pub fn clear_wants(&mut self) {
        self.wants.clear();
    }

    pub fn wanted_rows(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.wants.keys().copied().collect();
        rows.sort_unstable();
        rows
    }

    pub fn take(&self, row: usize, logits: &[f32]) {
        let Some(wants) = self.wants.get(&row) else { return };
        let (mut likeliest, mut normalizer) = (None, None);
        for want in wants {
            match *want {
                Want::Next { prompt } => {
                    let token = *likeliest.get_or_insert_with(|| position_of_largest(logits) as u32);
                    self.found().next_token[prompt] = token;
                }
                Want::Target { target, token } => {
                    let normalizer = *normalizer.get_or_insert_with(|| log_sum_exp(logits));
                    self.found().target_logprob[target] = f64::from(logits[token as usize]) - normalizer;
                }
            }
        }
    }

    pub fn next_token(&self, prompt: usize) -> u32 {
        self.found().next_token[prompt]
    }

    pub fn into_target_logprobs(self) -> Vec<f64> {
        self.found.into_inner().expect("no tap panicked").target_logprob
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().expect("no tap panicked")
    }
}
