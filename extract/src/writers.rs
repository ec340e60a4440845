//! The files of a shard, and chunks' rows into them.

use crate::backend::Shape;
use crate::chunk::ChunkResult;
use crate::error::ExtractError;
use crate::rows::{attention_rows, choice_rows, hidden_rows, response_rows, token_rows};
use crate::tokenizer::Tokenizer;
use hypercolumn_schemas::{FileWriter, LakeError, Partition, Table, Transaction, tables};
use rayon::prelude::*;
use std::sync::mpsc::Receiver;

/// One writer for each table and layer.
pub struct ShardWriters {
    shape: Shape,
    tokens: FileWriter,
    responses: FileWriter,
    choices: FileWriter,
    /// By layer from 0.
    hidden: Vec<FileWriter>,
    /// By layer from 1.
    attention: Vec<FileWriter>,
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
        let mut at_layer = |table: &'static Table, layer: i32, width: Option<i32>| {
            transaction.writer(table, partition.clone().at_layer(layer), width)
        };
        let width = Some(shape.d_model as i32);
        let hidden = (0..=n).map(|l| at_layer(&tables::HIDDEN_STATES, l, width)).collect::<Result<_, _>>()?;
        let attention = (1..=n).map(|l| at_layer(&tables::ATTENTION, l, None)).collect::<Result<_, _>>()?;
        Ok(Self { shape, tokens, responses, choices, hidden, attention })
    }

    /// Writes chunks as they come.
    pub fn write_all(
        mut self,
        chunks: Receiver<ChunkResult>,
        tokenizer: &Tokenizer,
    ) -> Result<Self, ExtractError> {
        for chunk in chunks {
            self.write(&chunk, tokenizer)?;
        }
        Ok(self)
    }

    /// Encodes a chunk, its layers on several threads.
    fn write(&mut self, chunk: &ChunkResult, tokenizer: &Tokenizer) -> Result<(), ExtractError> {
        self.tokens.write(&token_rows(chunk, tokenizer)?)?;
        self.responses.write(&response_rows(chunk)?)?;
        self.choices.write(&choice_rows(chunk)?)?;
        let shape = self.shape;
        self.hidden.par_iter_mut().enumerate().try_for_each(|(layer, writer)| {
            Ok::<_, ExtractError>(writer.write(&hidden_rows(chunk, shape, layer)?)?)
        })?;
        self.attention.par_iter_mut().enumerate().try_for_each(|(index, writer)| {
            Ok::<_, ExtractError>(writer.write(&attention_rows(chunk, shape, index + 1)?)?)
        })
    }

    /// Closes the files into `transaction`.
    pub fn stage(self, transaction: &mut Transaction) -> Result<(), LakeError> {
        let whole = [self.tokens, self.responses, self.choices];
        whole.into_iter().chain(self.hidden).chain(self.attention).try_for_each(|w| transaction.stage(w))
    }
}
