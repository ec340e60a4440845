//! Chunk results to table rows.

use crate::error::ExtractError;
use crate::model::architecture::LayerSite;
use crate::stage::chunk::{Chunk, Generations, Response};
use crate::stage::segment_plan::PooledSegment;
use crate::stage::tokenized_prompt::TokenizedPrompt;
use crate::tokenize::tokenizer::Tokenizer;
use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int16Array, Int32Array, RecordBatch,
    StringArray, UInt32Array,
};
use hypercolumn_schemas::tables::{ChoiceRow, HiddenStateColumns, ResponseRow, TokenColumns};
use hypercolumn_schemas::{LakeError, Row, vector_element};
use std::sync::Arc;

/// `tokens` of a chunk: each prompt's tokens, then its response's.
pub fn token_rows(
    chunk: &Chunk,
    written: &Generations,
    tokenizer: &Tokenizer,
) -> Result<RecordBatch, LakeError> {
    let (mut ids, mut positions, mut tokens) = (vec![], vec![], vec![]);
    let (mut starts, mut ends, mut is_response) = (vec![], vec![], vec![]);
    for (tokenized_prompt, response) in chunk.tokenized_prompts.iter().zip(&written.responses) {
        let n_prompt = tokenized_prompt.ids.len();
        let n = n_prompt + response.ids.len();
        ids.extend(std::iter::repeat_n(tokenized_prompt.prompt.prompt_id.as_str(), n));
        positions.extend(0..n as i32);
        tokens.extend(tokenized_prompt.ids.iter().chain(&response.ids).copied());
        let no_span = std::iter::repeat_n(None, response.ids.len());
        starts.extend(tokenized_prompt.spans.iter().map(|s| s.map(|s| s.0 as i32)).chain(no_span.clone()));
        ends.extend(tokenized_prompt.spans.iter().map(|s| s.map(|s| s.1 as i32)).chain(no_span));
        is_response.extend((0..n).map(|i| i >= n_prompt));
    }
    let pieces = text(tokenizer.pieces(&tokens));
    TokenColumns {
        prompt_id: text(ids),
        position: Arc::new(Int32Array::from(positions)),
        token_id: Arc::new(UInt32Array::from(tokens)),
        piece: pieces,
        start: Arc::new(Int32Array::from(starts)),
        end: Arc::new(Int32Array::from(ends)),
        is_response: Arc::new(BooleanArray::from(is_response)),
    }
    .into_batch()
}

/// `responses` of a chunk.
pub fn response_rows(chunk: &Chunk, written: &Generations) -> Result<RecordBatch, LakeError> {
    let Generations { responses, samples, answer_logprobs } = written;
    let mut rows = Vec::new();
    for (i, tokenized_prompt) in chunk.tokenized_prompts.iter().enumerate() {
        let expected = tokenized_prompt.expected();
        for (sample, response) in (0..).zip(std::iter::once(&responses[i]).chain(&samples[i])) {
            rows.push(ResponseRow {
                prompt_id: tokenized_prompt.prompt.prompt_id.clone(),
                sample,
                response: response.text.clone(),
                n_tokens: response.ids.len() as i32,
                expected_logprob: expected.map(|_| answer_logprobs[i][0]),
                scored: expected.map(|answer| answer.scored.clone()),
            });
        }
    }
    ResponseRow::to_batch(&rows)
}

/// Prompts whose response begins with the expected answer, white space aside, in other tokens than those that were scored.
pub fn spelt_otherwise(chunk: &Chunk, written: &Generations) -> Vec<String> {
    let differs = |(prompt, response): &(&&TokenizedPrompt, &Response)| {
        let Some(expected) = prompt.expected() else { return false };
        let rest = response.text.trim_start().strip_prefix(expected.text.trim());
        let ends_there = rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        ends_there && !response.ids.starts_with(&expected.ids)
    };
    let prompts = chunk.tokenized_prompts.iter().zip(&written.responses).filter(differs);
    prompts.map(|(prompt, _)| prompt.prompt.prompt_id.clone()).collect()
}

/// `choices` of a chunk.
pub fn choice_rows(chunk: &Chunk, written: &Generations) -> Result<RecordBatch, LakeError> {
    let mut rows = Vec::new();
    for (tokenized_prompt, logprobs) in chunk.tokenized_prompts.iter().zip(&written.answer_logprobs) {
        for (answer, &logprob) in tokenized_prompt.answers.iter().zip(logprobs) {
            let Some(name) = &answer.choice else { continue };
            rows.push(ChoiceRow {
                prompt_id: tokenized_prompt.prompt.prompt_id.clone(),
                choice: name.clone(),
                text: answer.text.clone(),
                scored: answer.scored.clone(),
                n_tokens: answer.ids.len() as i32,
                logprob,
                is_expected: tokenized_prompt.prompt.expected.as_ref() == Some(&answer.text),
            });
        }
    }
    ChoiceRow::to_batch(&rows)
}

/// `hidden_states` of a chunk at one site: a row for each of `slots` whose segment has tokens, `vectors` in the
/// slots' order; `n_response` are the responses' lengths.
///
/// # Panics
/// If there are no slots.
///
/// # Errors
/// [`ExtractError::NonFinite`] where the model gave a value that is not finite.
pub fn hidden_rows(
    chunk: &Chunk,
    slots: &[PooledSegment],
    LayerSite { layer, site }: LayerSite,
    vectors: &[f32],
    n_response: &[usize],
) -> Result<RecordBatch, ExtractError> {
    let d_model = vectors.len() / slots.len();
    let (mut ids, mut numbers, mut roles) = (vec![], vec![], vec![]);
    let (mut poolings, mut lengths, mut values) = (vec![], vec![], Vec::with_capacity(vectors.len()));
    for (slot, vector) in slots.iter().zip(vectors.chunks(d_model)) {
        let tokenized_prompt = chunk.tokenized_prompts[slot.prompt];
        let segment = chunk.segment(slot);
        let n_tokens =
            tokenized_prompt.plan.n_tokens_of(segment, n_response.get(slot.prompt).copied().unwrap_or(0));
        if n_tokens == 0 {
            continue;
        }
        if !vector.iter().all(|v| v.is_finite()) {
            return Err(ExtractError::NonFinite {
                layer,
                prompt_id: tokenized_prompt.prompt.prompt_id.clone(),
            });
        }
        ids.push(tokenized_prompt.prompt.prompt_id.as_str());
        numbers.push(segment.number);
        roles.push(segment.role.as_str());
        poolings.push(slot.pooling.name());
        lengths.push(n_tokens as i32);
        values.extend_from_slice(vector);
    }
    let sites = std::iter::repeat_n(site.name(), ids.len());
    let width = d_model as i32;
    let vectors =
        FixedSizeListArray::new(vector_element(), width, Arc::new(Float32Array::from(values)), None);
    let columns = HiddenStateColumns {
        prompt_id: text(ids.iter()),
        site: text(sites),
        segment: Arc::new(Int16Array::from(numbers)),
        role: text(roles),
        pooling: text(poolings),
        n_tokens: Arc::new(Int32Array::from(lengths)),
        vector: Arc::new(vectors),
    };
    Ok(columns.into_batch()?)
}

fn text<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}
