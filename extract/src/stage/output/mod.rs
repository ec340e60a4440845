//! The files of a shard, and parts of chunks into them.

mod attention_files;
mod rows;

use crate::error::ExtractError;
use crate::model::architecture::Shape;
use crate::stage::chunk::{Chunk, Generations};
use crate::stage::collect::Part;
use crate::stage::output::attention_files::AttentionFiles;
use crate::stage::output::rows::{choice_rows, hidden_rows, response_rows, spelt_otherwise, token_rows};
use crate::tokenize::tokenizer::Tokenizer;
use hypercolumn_schemas::{FileWriter, LakeError, Partition, Table, Transaction, tables};
use std::sync::mpsc::Receiver;

/// What a writer is handed.
#[derive(Debug)]
pub enum Piece {
    /// States or attention.
    Part(Part),
    /// Tokens and answers, once the chunk is through.
    Generated(Generations),
}

/// A shard's files: one for each table and layer.
pub struct ShardWriters {
    shape: Shape,
    tokens: FileWriter,
    responses: FileWriter,
    choices: FileWriter,
    /// By layer from 0.
    hidden: Vec<FileWriter>,
    attention: AttentionFiles,
    /// The chunk whose prompts' attention is being written.
    chunk_in_attention: Option<usize>,
    /// Prompts whose response begins with the expected answer in other tokens than those that were scored.
    pub spelt_otherwise: Vec<String>,
}

impl ShardWriters {
    /// Opens the files of a shard of one model and task.
    ///
    /// # Errors
    /// When the lake cannot be written; the same for the methods below.
    pub fn open(
        transaction: &mut Transaction,
        partition: &Partition,
        shape: Shape,
    ) -> Result<Self, LakeError> {
        let mut whole = |table: &'static Table| transaction.writer(table, partition.clone(), None);
        let (tokens, responses, choices) =
            (whole(&tables::TOKENS)?, whole(&tables::RESPONSES)?, whole(&tables::CHOICES)?);
        let n = shape.n_layers as i32;
        let width = Some(shape.d_model as i32);
        let mut at_layer =
            |l| transaction.writer(&tables::HIDDEN_STATES, partition.clone().at_layer(l), width);
        let hidden = (0..=n).map(&mut at_layer).collect::<Result<_, _>>()?;
        let attention = AttentionFiles::open(transaction, partition, (shape.n_layers, shape.n_heads))?;
        Ok(Self {
            shape,
            tokens,
            responses,
            choices,
            hidden,
            attention,
            chunk_in_attention: None,
            spelt_otherwise: Vec::new(),
        })
    }

    /// Writes parts of `chunks` as they come, each with its chunk's index.
    pub fn write_all(
        mut self,
        chunks: &[Chunk],
        pieces: Receiver<(usize, Piece)>,
        tokenizer: &Tokenizer,
    ) -> Result<Self, ExtractError> {
        for (index, piece) in pieces {
            let chunk = &chunks[index];
            match piece {
                Piece::Part(part) => self.write_part((index, chunk), part)?,
                Piece::Generated(written) => {
                    self.tokens.write(&token_rows(chunk, &written, tokenizer)?)?;
                    self.responses.write(&response_rows(chunk, &written)?)?;
                    self.choices.write(&choice_rows(chunk, &written)?)?;
                    self.spelt_otherwise.extend(spelt_otherwise(chunk, &written));
                }
            }
        }
        Ok(self)
    }

    fn write_part(&mut self, (index, chunk): (usize, &Chunk), part: Part) -> Result<(), ExtractError> {
        match part {
            Part::Hidden { .. } if chunk.slots.is_empty() => {}
            Part::Hidden { place, vectors } => {
                let layer = place.layer;
                let rows = hidden_rows(chunk, &chunk.slots, place, &vectors, &[])?;
                self.hidden[layer].write(&rows)?;
                self.hidden[layer].end_group()?;
            }
            Part::Attention { layer, masses } => {
                if self.chunk_in_attention.replace(index) != Some(index) {
                    self.attention.begin_prompts(chunk)?;
                }
                self.attention.write(layer, &masses)?;
            }
            Part::Responses(parts) => {
                let kept = if chunk.response_slots.is_empty() { &[][..] } else { &parts.hidden };
                for (place, vectors) in self.shape.default_sites().zip(kept) {
                    let rows = hidden_rows(chunk, &chunk.response_slots, place, vectors, &parts.n_tokens)?;
                    self.hidden[place.layer].write(&rows)?;
                }
                self.attention.begin_responses(chunk, &parts.n_tokens)?;
                for (layer, masses) in (1..).zip(&parts.attention) {
                    self.attention.write(layer, masses)?;
                }
            }
        }
        Ok(())
    }

    /// Closes the files into `transaction`.
    pub fn stage(self, transaction: &mut Transaction) -> Result<(), LakeError> {
        let whole = [self.tokens, self.responses, self.choices];
        transaction.stage_all(whole.into_iter().chain(self.hidden).collect())?;
        self.attention.stage(transaction)
    }
}
