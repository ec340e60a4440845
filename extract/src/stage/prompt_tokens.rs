//! The tokens of one prompt and the segments that they belong to, for a reader of the prompt: from the table `tokens` where a
//! model has read the prompt, otherwise by a model's tokenizer. No weights are read.

use crate::error::ExtractError;
use crate::model::source::ResolvedModel;
use crate::model::{GgufFile, refuse};
use crate::tokenize::segment_tokens::deciding_characters;
use crate::tokenize::tokenizer::{Encoding, Tokenizer};
use hypercolumn_schemas::tables::TokenRow;
use hypercolumn_schemas::{Lake, Prompt, Snapshot, read_rows, tables};

/// A token of a prompt or of its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptToken {
    /// Position from 0; the response follows the prompt.
    pub position: usize,
    /// Id in the model's vocabulary.
    pub id: u32,
    /// The vocabulary's own spelling of the token.
    pub piece: String,
    /// Characters of the prompt's text, half open; none in a response and for tokens without text of the prompt.
    pub span: Option<(u32, u32)>,
    /// Numbers of the segments that the token belongs to, as the table `hidden_states` numbers them, the whole prompt (0)
    /// left out.
    pub segments: Vec<i16>,
}

/// The tokens of `prompt` that `model` has read, with those of the response; none where the lake has no such tokens.
///
/// # Errors
/// When a listed file cannot be read or is not what its table says.
pub fn read_tokens(
    lake: &Lake,
    snapshot: &Snapshot,
    model: &str,
    task: &str,
    prompt: &Prompt,
) -> Result<Vec<PromptToken>, ExtractError> {
    let mut rows = Vec::new();
    let is_asked = |file: &&hypercolumn_schemas::FileEntry| {
        file.partition.model.as_deref() == Some(model) && file.partition.task.as_deref() == Some(task)
    };
    for file in snapshot.files(&tables::TOKENS).filter(is_asked) {
        let of_file = read_rows::<TokenRow>(lake, file)?;
        rows.extend(of_file.into_iter().filter(|row| row.prompt_id == prompt.prompt_id));
    }
    rows.sort_by_key(|row| row.position);
    let n_characters = prompt.text.chars().count() as i32;
    let span = |row: &TokenRow| match (row.start, row.end) {
        (Some(start), Some(end)) if 0 <= start && start <= end && end <= n_characters => {
            Some((start as u32, end as u32))
        }
        _ => None,
    };
    let token = |row: TokenRow| {
        let (span, is_response) = (span(&row), row.is_response);
        ReadToken { id: row.token_id, piece: row.piece, span, is_response }
    };
    Ok(with_segments(prompt, rows.into_iter().map(token).collect()))
}

/// The tokens of `prompt` alone, without a chat template, by the tokenizer of `model`.
///
/// # Errors
/// [`ExtractError::Model`] where the tokenizer cannot be used, [`ExtractError::Tokenize`] where it refuses the text.
pub fn tokenize(model: &ResolvedModel, prompt: &Prompt) -> Result<Vec<PromptToken>, ExtractError> {
    let tokenizer = open_tokenizer(model)?;
    let encoding = tokenizer
        .encode(&prompt.text)
        .map_err(|problem| ExtractError::Tokenize { prompt_id: prompt.prompt_id.clone(), problem })?;
    let pieces = tokenizer.pieces(&encoding.ids);
    let tokens = encoding.ids.iter().zip(pieces).zip(&encoding.offsets);
    let token = |((id, piece), span): ((&u32, String), &(u32, u32))| ReadToken {
        id: *id,
        piece,
        span: Some(*span),
        is_response: false,
    };
    Ok(with_segments(prompt, tokens.map(token).collect()))
}

/// A model's tokenizer without its weights, which need not be there.
fn open_tokenizer(model: &ResolvedModel) -> Result<Tokenizer, ExtractError> {
    let path = &model.path;
    let tokenizer = match path.is_dir() {
        true => Tokenizer::from_directory(path),
        false => Tokenizer::from_gguf(GgufFile::open(path)?.metadata()),
    };
    tokenizer.map_err(|problem| refuse(path, problem))
}

/// A token before its segments are known.
struct ReadToken {
    id: u32,
    piece: String,
    span: Option<(u32, u32)>,
    is_response: bool,
}

/// The tokens with the segments that they belong to.
fn with_segments(prompt: &Prompt, tokens: Vec<ReadToken>) -> Vec<PromptToken> {
    let offsets = tokens.iter().map(|token| token.span.unwrap_or_default()).collect();
    let deciding = deciding_characters(&prompt.text, &Encoding { offsets, ..Encoding::default() });
    let last = tokens.iter().rposition(|token| !token.is_response);
    let n_segments = prompt.segments.len() as i16;
    let segments = |position: usize, is_response: bool| {
        let holds = |start, end| deciding[position].is_some_and(|d| start <= d && d < end);
        let given = prompt.segments.iter().zip(1..).filter(|(s, _)| holds(s.start, s.end)).map(|(_, n)| n);
        let last = (Some(position) == last).then_some(n_segments + 1);
        given.chain(last).chain(is_response.then_some(n_segments + 2)).collect()
    };
    let token = |(position, token): (usize, ReadToken)| PromptToken {
        segments: segments(position, token.is_response),
        position,
        id: token.id,
        piece: token.piece,
        span: token.span,
    };
    tokens.into_iter().enumerate().map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercolumn_schemas::Segment;

    #[test]
    fn tokens_belong_to_the_segments_of_their_first_visible_character() {
        let segment = |role: &str, start, end| Segment { role: role.to_owned(), start, end };
        let prompt = Prompt {
            prompt_id: "p".into(),
            item_id: "p".into(),
            condition: "all".into(),
            n_examples: 0,
            text: "Zoë is in.".into(),
            expected: None,
            params: serde_json::Map::new(),
            segments: vec![segment("name", 0, 3), segment("scene", 0, 10), segment("space", 3, 4)],
        };
        let spans = [Some((0, 0)), Some((0, 3)), Some((3, 6)), Some((6, 10)), None, None];
        let token = |(i, span): (usize, &Option<(u32, u32)>)| ReadToken {
            id: i as u32,
            piece: String::new(),
            span: *span,
            is_response: i == 5,
        };
        let tokens = with_segments(&prompt, spans.iter().enumerate().map(token).collect());
        let segments: Vec<&[i16]> = tokens.iter().map(|token| token.segments.as_slice()).collect();
        assert_eq!(segments, [&[][..], &[1, 2], &[2], &[2], &[4], &[5]]);
    }
}
