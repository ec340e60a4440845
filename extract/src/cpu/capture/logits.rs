//! Reads logits: the next token and log-probabilities of given ones.

use crate::cpu::vector::{log_sum_exp, position_of_largest};
use crate::forward::{Capture, LogitRequest, LogitResult, NextToken};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The requests of one batch, by row, and what was found.
#[derive(Debug)]
pub(in crate::cpu) struct LogitReads<'a> {
    requests: &'a [LogitRequest],
    by_row: BTreeMap<usize, Vec<usize>>,
    results: Mutex<Vec<LogitResult>>,
}

impl<'a> LogitReads<'a> {
    pub(in crate::cpu) fn new(capture: &'a Capture) -> Self {
        let mut by_row: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, request) in capture.logits.iter().enumerate() {
            by_row.entry(request.row).or_default().push(index);
        }
        let results = Mutex::new(vec![LogitResult::default(); capture.logits.len()]);
        Self { requests: &capture.logits, by_row, results }
    }

    /// Rows whose logits are needed, ascending.
    pub(in crate::cpu) fn rows(&self) -> Vec<usize> {
        self.by_row.keys().copied().collect()
    }

    /// Takes the logits of a row, `[n_vocabulary]`.
    pub(in crate::cpu) fn take(&self, row: usize, logits: &[f32]) {
        let (mut likeliest, mut normalizer) = (None, None);
        for &index in self.by_row.get(&row).into_iter().flatten() {
            let request = &self.requests[index];
            let next = match request.next {
                NextToken::Likeliest => {
                    Some(*likeliest.get_or_insert_with(|| position_of_largest(logits) as u32))
                }
                NextToken::Drawn(draw) => Some(draw.token(logits)),
                NextToken::Unasked => None,
            };
            let mut result = LogitResult { next, ..LogitResult::default() };
            if !request.targets.is_empty() {
                let normalizer = *normalizer.get_or_insert_with(|| log_sum_exp(logits));
                let logprob = |token: &u32| f64::from(logits[*token as usize]) - normalizer;
                result.logprobs = request.targets.iter().map(logprob).collect();
            }
            self.results.lock().expect("no reading panicked")[index] = result;
        }
    }

    pub(in crate::cpu) fn finish(self) -> Vec<LogitResult> {
        self.results.into_inner().expect("no reading panicked")
    }
}
