//! Chunk results to table rows.

use crate::error::ExtractError;
use crate::forward::Site;
use crate::forward::segment_plan::Slot;
use crate::stage::batch::{Chunk, Written};
use crate::tokenize::tokenizer::Tokenizer;
use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int16Array, Int32Array, RecordBatch,
    StringArray, UInt32Array,
};
use hypercolumn_schemas::{LakeError, tables, vector_element};
use std::sync::Arc;

/// `tokens` of a chunk: each prompt's tokens, then its response's.
pub fn token_rows(chunk: &Chunk, written: &Written, tokenizer: &Tokenizer) -> Result<RecordBatch, LakeError> {
    let (mut ids, mut positions, mut tokens) = (vec![], vec![], vec![]);
    let (mut starts, mut ends, mut is_response) = (vec![], vec![], vec![]);
    for (reading, response) in chunk.readings.iter().zip(&written.responses) {
        let n_prompt = reading.ids.len();
        let n = n_prompt + response.ids.len();
        ids.extend(std::iter::repeat_n(reading.prompt.prompt_id.as_str(), n));
        positions.extend(0..n as i32);
        tokens.extend(reading.ids.iter().chain(&response.ids).copied());
        let no_span = std::iter::repeat_n(None, response.ids.len());
        starts.extend(reading.spans.iter().map(|s| s.map(|s| s.0 as i32)).chain(no_span.clone()));
        ends.extend(reading.spans.iter().map(|s| s.map(|s| s.1 as i32)).chain(no_span));
        is_response.extend((0..n).map(|i| i >= n_prompt));
    }
    let pieces = text(tokenizer.pieces(&tokens));
    tables::TOKENS.batch(vec![
        text(ids),
        Arc::new(Int32Array::from(positions)),
        Arc::new(UInt32Array::from(tokens)),
        pieces,
        Arc::new(Int32Array::from(starts)),
        Arc::new(Int32Array::from(ends)),
        Arc::new(BooleanArray::from(is_response)),
    ])
}

/// `responses` of a chunk.
pub fn response_rows(chunk: &Chunk, written: &Written) -> Result<RecordBatch, LakeError> {
    let expected = |(i, logprobs): (usize, &Vec<f32>)| {
        let first = chunk.readings[i].answers.first()?;
        first.choice.is_none().then(|| logprobs[0])
    };
    tables::RESPONSES.batch(vec![
        text(chunk.readings.iter().map(|r| r.prompt.prompt_id.as_str())),
        text(written.responses.iter().map(|r| r.text.as_str())),
        Arc::new(written.responses.iter().map(|r| Some(r.ids.len() as i32)).collect::<Int32Array>()),
        Arc::new(written.answer_logprobs.iter().enumerate().map(expected).collect::<Float32Array>()),
    ])
}

/// `choices` of a chunk.
pub fn choice_rows(chunk: &Chunk, written: &Written) -> Result<RecordBatch, LakeError> {
    let (mut ids, mut names, mut texts) = (vec![], vec![], vec![]);
    let (mut lengths, mut logprobs, mut is_expected) = (vec![], vec![], vec![]);
    for (reading, sums) in chunk.readings.iter().zip(&written.answer_logprobs) {
        for (answer, sum) in reading.answers.iter().zip(sums) {
            let Some(name) = &answer.choice else { continue };
            ids.push(reading.prompt.prompt_id.as_str());
            names.push(name.as_str());
            texts.push(answer.text.as_str());
            lengths.push(answer.ids.len() as i32);
            logprobs.push(*sum);
            is_expected.push(reading.prompt.expected.as_ref() == Some(&answer.text));
        }
    }
    tables::CHOICES.batch(vec![
        text(ids),
        text(names),
        text(texts),
        Arc::new(Int32Array::from(lengths)),
        Arc::new(Float32Array::from(logprobs)),
        Arc::new(BooleanArray::from(is_expected)),
    ])
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
    slots: &[Slot],
    (layer, site): (usize, Site),
    vectors: &[f32],
    n_response: &[usize],
) -> Result<RecordBatch, ExtractError> {
    let d_model = vectors.len() / slots.len();
    let (mut ids, mut numbers, mut roles) = (vec![], vec![], vec![]);
    let (mut poolings, mut lengths, mut values) = (vec![], vec![], Vec::with_capacity(vectors.len()));
    for (slot, vector) in slots.iter().zip(vectors.chunks(d_model)) {
        let reading = chunk.readings[slot.prompt];
        let segment = chunk.segment(slot);
        let n_tokens = reading.plan.n_tokens_of(segment, n_response.get(slot.prompt).copied().unwrap_or(0));
        if n_tokens == 0 {
            continue;
        }
        if !vector.iter().all(|v| v.is_finite()) {
            return Err(ExtractError::NonFinite { layer, prompt_id: reading.prompt.prompt_id.clone() });
        }
        ids.push(reading.prompt.prompt_id.as_str());
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
    Ok(tables::HIDDEN_STATES.batch(vec![
        text(ids.iter()),
        text(sites),
        Arc::new(Int16Array::from(numbers)),
        text(roles),
        text(poolings),
        Arc::new(Int32Array::from(lengths)),
        Arc::new(vectors),
    ])?)
}

fn text<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}
