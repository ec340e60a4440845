//! Chunk results to table rows.

use crate::backend::{Shape, Site};
use crate::chunk::ChunkResult;
use crate::error::ExtractError;
use crate::tokenizer::Tokenizer;
use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int16Array, Int32Array, RecordBatch,
    StringArray, UInt32Array,
};
use hypercolumn_schemas::{LakeError, tables, vector_element};
use std::sync::Arc;

/// `tokens` of a chunk: each prompt's tokens, then its response's.
pub fn token_rows(chunk: &ChunkResult, tokenizer: &Tokenizer) -> Result<RecordBatch, LakeError> {
    let (mut ids, mut positions, mut tokens, mut pieces) = (vec![], vec![], vec![], vec![]);
    let (mut starts, mut ends, mut is_response) = (vec![], vec![], vec![]);
    for (reading, response) in chunk.readings.iter().zip(&chunk.responses) {
        let encoding = &reading.encoding;
        let n = encoding.ids.len() + response.ids.len();
        ids.extend(std::iter::repeat_n(reading.prompt.prompt_id.as_str(), n));
        positions.extend(0..n as i32);
        tokens.extend(encoding.ids.iter().chain(&response.ids).copied());
        pieces.extend(encoding.pieces.iter().cloned());
        pieces.extend(response.ids.iter().map(|id| tokenizer.piece(*id)));
        let no_span = std::iter::repeat_n(None, response.ids.len());
        starts.extend(reading.spans.iter().map(|s| s.map(|s| s.0 as i32)).chain(no_span.clone()));
        ends.extend(reading.spans.iter().map(|s| s.map(|s| s.1 as i32)).chain(no_span));
        is_response.extend((0..n).map(|i| i >= encoding.ids.len()));
    }
    tables::TOKENS.batch(vec![
        text(ids),
        Arc::new(Int32Array::from(positions)),
        Arc::new(UInt32Array::from(tokens)),
        text(pieces),
        Arc::new(Int32Array::from(starts)),
        Arc::new(Int32Array::from(ends)),
        Arc::new(BooleanArray::from(is_response)),
    ])
}

/// `responses` of a chunk.
pub fn response_rows(chunk: &ChunkResult) -> Result<RecordBatch, LakeError> {
    let expected = |(i, logprobs): (usize, &Vec<f32>)| {
        let first = chunk.readings[i].answers.first()?;
        first.choice.is_none().then(|| logprobs[0])
    };
    tables::RESPONSES.batch(vec![
        text(chunk.readings.iter().map(|r| r.prompt.prompt_id.as_str())),
        text(chunk.responses.iter().map(|r| r.text.as_str())),
        Arc::new(chunk.responses.iter().map(|r| Some(r.ids.len() as i32)).collect::<Int32Array>()),
        Arc::new(chunk.answer_logprobs.iter().enumerate().map(expected).collect::<Float32Array>()),
    ])
}

/// `choices` of a chunk.
pub fn choice_rows(chunk: &ChunkResult) -> Result<RecordBatch, LakeError> {
    let (mut ids, mut names, mut texts) = (vec![], vec![], vec![]);
    let (mut lengths, mut logprobs, mut is_expected) = (vec![], vec![], vec![]);
    for (reading, sums) in chunk.readings.iter().zip(&chunk.answer_logprobs) {
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

/// `hidden_states` of a chunk at one layer.
///
/// # Errors
/// [`ExtractError::NonFinite`] where the model gave a value that is not finite.
pub fn hidden_rows(chunk: &ChunkResult, shape: Shape, layer: usize) -> Result<RecordBatch, ExtractError> {
    let (mut ids, mut sites, mut numbers, mut roles) = (vec![], vec![], vec![], vec![]);
    let (mut poolings, mut lengths, mut values) = (vec![], vec![], vec![]);
    for (index, (_, site)) in shape.sites().enumerate().filter(|(_, (l, _))| *l == layer) {
        let vectors = chunk.taps.hidden[index].chunks(shape.d_model);
        for (slot, vector) in chunk.taps.slots.iter().zip(vectors) {
            let reading = &chunk.readings[slot.prompt];
            let segment = &reading.plan.segments[slot.segment];
            let n_tokens = reading.plan.n_tokens_of(segment, chunk.taps.n_response(slot.prompt));
            if n_tokens == 0 {
                continue;
            }
            if !vector.iter().all(|v| v.is_finite()) {
                return Err(ExtractError::NonFinite { layer, prompt_id: reading.prompt.prompt_id.clone() });
            }
            ids.push(reading.prompt.prompt_id.as_str());
            sites.push(Site::name(site));
            numbers.push(segment.number);
            roles.push(segment.role.as_str());
            poolings.push(slot.pooling.name());
            lengths.push(n_tokens as i32);
            values.extend_from_slice(vector);
        }
    }
    let width = shape.d_model as i32;
    let vectors =
        FixedSizeListArray::new(vector_element(), width, Arc::new(Float32Array::from(values)), None);
    Ok(tables::HIDDEN_STATES.batch(vec![
        text(ids),
        text(sites),
        Arc::new(Int16Array::from(numbers)),
        text(roles),
        text(poolings),
        Arc::new(Int32Array::from(lengths)),
        Arc::new(vectors),
    ])?)
}

/// `attention` of a chunk at one layer (from 1).
pub fn attention_rows(chunk: &ChunkResult, shape: Shape, layer: usize) -> Result<RecordBatch, LakeError> {
    let (mut ids, mut heads, mut queries, mut keys) = (vec![], vec![], vec![], vec![]);
    let (mut query_roles, mut key_roles, mut masses) = (vec![], vec![], vec![]);
    for (prompt, reading) in chunk.readings.iter().enumerate() {
        let n_response = chunk.taps.n_response(prompt);
        let segments = &reading.plan.segments;
        let has_tokens: Vec<bool> =
            segments.iter().map(|s| reading.plan.n_tokens_of(s, n_response) > 0).collect();
        let of = |wanted: fn(&crate::taps::SegmentPlan) -> bool| {
            segments.iter().zip(&has_tokens).filter(move |(s, _)| wanted(s)).collect::<Vec<_>>()
        };
        let (query_segments, key_segments) = (of(|s| s.is_query), of(|s| s.is_key));
        for head in 0..shape.n_heads {
            let mut mass = chunk.taps.masses(layer, head, prompt).into_iter();
            for (query, query_has_tokens) in &query_segments {
                for ((key, key_has_tokens), mass) in key_segments.iter().zip(mass.by_ref()) {
                    if !**query_has_tokens || !**key_has_tokens {
                        continue;
                    }
                    ids.push(reading.prompt.prompt_id.as_str());
                    heads.push(head as i16);
                    queries.push(query.number);
                    keys.push(key.number);
                    query_roles.push(query.role.as_str());
                    key_roles.push(key.role.as_str());
                    masses.push(mass);
                }
            }
        }
    }
    tables::ATTENTION.batch(vec![
        text(ids),
        Arc::new(Int16Array::from(heads)),
        Arc::new(Int16Array::from(queries)),
        Arc::new(Int16Array::from(keys)),
        text(query_roles),
        text(key_roles),
        Arc::new(Float32Array::from(masses)),
    ])
}

fn text<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}
