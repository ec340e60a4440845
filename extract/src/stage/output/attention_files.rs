//! The files of `attention`, one a layer. Their rows differ in nothing but the mass: what names a row is encoded once
//! for all layers, which is most of the work, since a chunk has up to millions of rows at every layer.

use crate::stage::chunk::Chunk;
use crate::stage::segment_plan::SegmentPlan;
use crate::stage::tokenized_prompt::TokenizedPrompt;
use arrow::array::{ArrayRef, Float32Array, Int16Array, StringBuilder};
use hypercolumn_schemas::{LakeError, Partition, SharedColumns, SharingWriter, Transaction, tables};
use rayon::prelude::*;
use std::sync::Arc;

/// A row group ends with the prompt that brings it to this many rows.
const GROUP_ROWS: usize = 1 << 17;

/// Writes `attention`, block by block: the rows that a chunk has at every layer, for its prompts or for its responses.
pub struct AttentionFiles {
    n_heads: usize,
    /// Row groups that end within the block at hand.
    ended: Vec<SharedColumns>,
    /// Rows after the last of them.
    names: Names,
    /// For each row of the block, where its mass is among those that a layer gives; none means 0.
    places: Vec<Option<u32>>,
    layers: Vec<Layer>,
}

/// One file, and masses of rows whose row group has not ended.
struct Layer {
    file: SharingWriter,
    masses: Vec<f32>,
}

impl AttentionFiles {
    /// Opens the files of layers 1 to `n_layers`.
    ///
    /// # Errors
    /// When the lake cannot be written; the same for the methods below.
    pub fn open(
        transaction: &mut Transaction,
        partition: &Partition,
        (n_layers, n_heads): (usize, usize),
    ) -> Result<Self, LakeError> {
        let mut open = |layer| {
            let file = transaction.sharing_writer(&tables::ATTENTION, partition.clone().at_layer(layer))?;
            Ok(Layer { file, masses: Vec::new() })
        };
        let layers = (1..=n_layers as i32).map(&mut open).collect::<Result<_, LakeError>>()?;
        Ok(Self { n_heads, ended: Vec::new(), names: Names::default(), places: Vec::new(), layers })
    }

    /// Begins the rows of a chunk's prompts; every layer's masses follow, as in [`crate::stage::collect::Part::Attention`].
    pub fn begin_prompts(&mut self, chunk: &Chunk) -> Result<(), LakeError> {
        let given = |s: &&SegmentPlan| !s.is_response;
        let mut mass = 0..;
        self.begin();
        for tokenized_prompt in &chunk.tokenized_prompts {
            for head in 0..self.n_heads {
                for query in tokenized_prompt.plan.queries().filter(given) {
                    for key in tokenized_prompt.plan.keys().filter(given) {
                        self.push(tokenized_prompt, head, (query, key), 0, mass.next());
                    }
                }
            }
            self.end_prompt()?;
        }
        Ok(())
    }

    /// Begins the rows of a chunk's responses, of `n_response` tokens; every layer's masses follow, as in
    /// [`crate::stage::collect::ResponseParts`]. To a response, which comes after everything else, only its own tokens attend;
    /// from elsewhere the mass is 0.
    pub fn begin_responses(&mut self, chunk: &Chunk, n_response: &[usize]) -> Result<(), LakeError> {
        let mut mass = 0..;
        self.begin();
        for (tokenized_prompt, n_tokens) in chunk.tokenized_prompts.iter().zip(n_response) {
            for head in 0..self.n_heads {
                for query in tokenized_prompt.plan.queries() {
                    for key in tokenized_prompt.plan.keys() {
                        if query.is_response {
                            self.push(tokenized_prompt, head, (query, key), *n_tokens, mass.next());
                        } else if key.is_response {
                            self.push(tokenized_prompt, head, (query, key), *n_tokens, None);
                        }
                    }
                }
            }
            self.end_prompt()?;
        }
        Ok(())
    }

    /// Takes a layer's masses for the block at hand; layers count from 1 and come in any order, each once a block.
    pub fn write(&mut self, layer: usize, masses: &[f32]) -> Result<(), LakeError> {
        let Layer { file, masses: waiting } = &mut self.layers[layer - 1];
        waiting.extend(self.places.iter().map(|place| place.map_or(0.0, |at| masses[at as usize])));
        for group in &self.ended {
            let after = waiting.split_off(group.n_rows());
            file.write(group, &column(std::mem::replace(waiting, after)))?;
        }
        Ok(())
    }

    /// Closes the files into `transaction`.
    pub fn stage(self, transaction: &mut Transaction) -> Result<(), LakeError> {
        let rest = self.names.encode()?;
        let end = |Layer { mut file, masses }: Layer| {
            if rest.n_rows() > 0 {
                file.write(&rest, &column(masses))?;
            }
            Ok(file)
        };
        let files = self.layers.into_par_iter().map(end).collect::<Result<_, LakeError>>()?;
        transaction.stage_sharing(files)
    }

    fn begin(&mut self) {
        self.ended.clear();
        self.places.clear();
    }

    /// Adds a row, unless one of the segments has no tokens.
    fn push(
        &mut self,
        tokenized_prompt: &TokenizedPrompt,
        head: usize,
        (query, key): (&SegmentPlan, &SegmentPlan),
        n_response: usize,
        mass: Option<u32>,
    ) {
        let has_tokens = |segment| tokenized_prompt.plan.n_tokens_of(segment, n_response) > 0;
        if has_tokens(query) && has_tokens(key) {
            self.names.push(&tokenized_prompt.prompt.prompt_id, head, query, key);
            self.places.push(mass);
        }
    }

    fn end_prompt(&mut self) -> Result<(), LakeError> {
        if self.names.heads.len() >= GROUP_ROWS {
            self.ended.push(std::mem::take(&mut self.names).encode()?);
        }
        Ok(())
    }
}

/// What names rows of `attention`, in the columns' order.
#[derive(Default)]
struct Names {
    ids: StringBuilder,
    heads: Vec<i16>,
    queries: Vec<i16>,
    keys: Vec<i16>,
    query_roles: StringBuilder,
    key_roles: StringBuilder,
}

impl Names {
    fn push(&mut self, prompt_id: &str, head: usize, query: &SegmentPlan, key: &SegmentPlan) {
        self.ids.append_value(prompt_id);
        self.heads.push(head as i16);
        self.queries.push(query.number);
        self.keys.push(key.number);
        self.query_roles.append_value(&query.role);
        self.key_roles.append_value(&key.role);
    }

    fn encode(mut self) -> Result<SharedColumns, LakeError> {
        let columns: [(&str, ArrayRef); 6] = [
            ("prompt_id", Arc::new(self.ids.finish())),
            ("head", Arc::new(Int16Array::from(self.heads))),
            ("query_segment", Arc::new(Int16Array::from(self.queries))),
            ("key_segment", Arc::new(Int16Array::from(self.keys))),
            ("query_role", Arc::new(self.query_roles.finish())),
            ("key_role", Arc::new(self.key_roles.finish())),
        ];
        SharedColumns::encode(&tables::ATTENTION, &columns)
    }
}

fn column(masses: Vec<f32>) -> ArrayRef {
    Arc::new(Float32Array::from(masses))
}
