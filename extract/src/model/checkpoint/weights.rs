//! From stored tensors to the weights that the engine asks for: stacking, reordering and transposing as a family's
//! [`Layout`] says, and the check that a file holds exactly the tensors that its configuration asks for.

use super::super::architecture::{
    Architecture, Checkpoint, LayerWeights, Linear, Norm, NormWeights, Positions,
};
use super::super::families::{
    Biases, Description, FeedForward, Layout, Orientation, QueryKeyValue, RotaryPairs,
};
use super::super::{TensorPlan, refuse};
use super::reorder;
use super::store::{Encoding, Store};
use crate::error::ExtractError;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A checkpoint in files of either format.
#[derive(Debug)]
pub struct StoredCheckpoint {
    path: PathBuf,
    store: Store,
    layout: Layout,
    prefix: &'static str,
    architecture: Architecture,
    biases: Biases,
    /// The token embeddings: of tied weights that are stored once, the matrix to logits where that is the one.
    embedding: String,
    /// The matrix to logits, where the file has one of its own.
    unembedding: Option<String>,
}

impl StoredCheckpoint {
    /// Checks every tensor against the description; no weight is read.
    pub fn new(
        path: PathBuf,
        store: Store,
        layout: Layout,
        description: Description,
    ) -> Result<Self, ExtractError> {
        let Description { architecture, biases, is_tied } = description;
        let bare = store.find(&format!("{}.weight", layout.final_norm)).is_some();
        let prefix = if bare { "" } else { layout.prefix };
        let mut unembedding = layout.unembedding.iter().map(|name| format!("{name}.weight"));
        let unembedding = unembedding.find(|name| store.find(name).is_some());
        let own = format!("{prefix}{}.weight", layout.embedding);
        let embedding = match &unembedding {
            Some(name) if is_tied && store.find(&own).is_none() => name.clone(),
            _ => own,
        };
        if unembedding.is_none() && !is_tied {
            let name = layout.unembedding[0];
            let problem =
                format!("has no tensor `{name}.weight`, and its configuration does not tie the embeddings");
            return Err(refuse(&path, problem));
        }
        let checkpoint = Self { path, store, layout, prefix, architecture, biases, embedding, unembedding };
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// The files and the tensors in them.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Every tensor that the engine reads, by name.
    pub fn plan(&self) -> Vec<TensorPlan> {
        let needed = self.needed().into_iter();
        let tensors = needed.filter_map(|(name, dims)| {
            let encoding = self.store.find(&name)?.encoding;
            let n_bytes = encoding.n_bytes(&dims)?;
            Some(TensorPlan { name, dims, encoding: encoding.name(), n_bytes })
        });
        tensors.collect()
    }

    /// Names and shapes of every tensor that the engine reads, as stored.
    fn needed(&self) -> BTreeMap<String, Vec<usize>> {
        let shape = &self.architecture.shape;
        let mut needed = BTreeMap::new();
        let table = vec![shape.n_vocabulary, shape.d_model];
        needed.insert(self.embedding.clone(), table.clone());
        if let Some(name) = &self.unembedding {
            needed.insert(name.clone(), table);
        }
        if let Some(positions) = self.layout.positions {
            needed.insert(self.weight(positions), vec![shape.n_ctx, shape.d_model]);
        }
        self.need_norm(&mut needed, format!("{}{}", self.prefix, self.layout.final_norm), shape.d_model);
        for index in 0..shape.n_layers {
            self.need_block(&mut needed, index);
        }
        needed
    }

    fn need_block(&self, needed: &mut BTreeMap<String, Vec<usize>>, index: usize) {
        let (layout, d_model) = (&self.layout, self.architecture.shape.d_model);
        let norms = [
            Some(layout.attention_norm),
            layout.post_attention_norm,
            Some(layout.feed_forward_norm),
            layout.post_feed_forward_norm,
        ];
        for name in norms.into_iter().flatten() {
            self.need_norm(needed, self.in_block(index, name), d_model);
        }
        for name in layout.head_norms.into_iter().flat_map(|(query, key)| [query, key]) {
            self.need_norm(needed, self.in_block(index, name), self.architecture.head_dim);
        }
        for part in self.parts() {
            let name = self.in_block(index, part.name);
            let dims = match layout.orientation {
                Orientation::OutputsByInputs => vec![part.n_out, part.n_in],
                Orientation::InputsByOutputs => vec![part.n_in, part.n_out],
            };
            needed.insert(format!("{name}.weight"), dims);
            if part.has_bias {
                needed.insert(format!("{name}.bias"), vec![part.n_out]);
            }
        }
    }

    fn need_norm(&self, needed: &mut BTreeMap<String, Vec<usize>>, name: String, width: usize) {
        if matches!(self.architecture.norm, Norm::Layer { .. }) {
            needed.insert(format!("{name}.bias"), vec![width]);
        }
        needed.insert(format!("{name}.weight"), vec![width]);
    }

    /// Every matrix of a block.
    fn parts(&self) -> Vec<Part> {
        let Architecture { shape, d_mlp, .. } = &self.architecture;
        let (d_model, biases) = (shape.d_model, self.biases);
        let [all, shared, _] = self.head_rows();
        let part = |name, n_out, n_in, has_bias| Part { name, n_out, n_in, has_bias };
        let into = |name, n_out| part(name, n_out, d_model, biases.query_key_value);
        let mut parts = match self.layout.query_key_value {
            QueryKeyValue::Separate([q, k, v]) => vec![into(q, all), into(k, shared), into(v, shared)],
            QueryKeyValue::Stacked(name) | QueryKeyValue::PerHead(name) => {
                vec![into(name, all + 2 * shared)]
            }
        };
        parts.push(part(self.layout.attention_output, d_model, all, biases.attention_output));
        let up = |name, n_out| part(name, n_out, d_model, biases.feed_forward);
        match self.layout.up {
            FeedForward::Gated(names) => parts.extend(names.map(|name| up(name, *d_mlp))),
            FeedForward::GatedStacked(name) => parts.push(up(name, 2 * d_mlp)),
            FeedForward::Plain(name) => parts.push(up(name, *d_mlp)),
        }
        parts.push(part(self.layout.down, d_model, *d_mlp, biases.feed_forward));
        parts
    }

    /// Rows of the query, key and value projections.
    fn head_rows(&self) -> [usize; 3] {
        let Architecture { shape, n_kv_heads, head_dim, .. } = &self.architecture;
        let shared = n_kv_heads * head_dim;
        [shape.n_heads * head_dim, shared, shared]
    }

    fn check(&self) -> Result<(), ExtractError> {
        let needed = self.needed();
        for (name, dims) in &needed {
            let Some(tensor) = self.store.find(name) else {
                return Err(refuse(&self.path, format!("has no tensor `{name}`")));
            };
            let file = self.store.path(tensor.file);
            if &tensor.dims != dims {
                let problem =
                    format!("tensor `{name}` is {:?}, the configuration asks for {dims:?}", tensor.dims);
                return Err(refuse(file, problem));
            }
            if let Encoding::Unread { name: kind, .. } = tensor.encoding {
                let problem = format!("stores tensor `{name}` as {kind}; expected F32, F16 or BF16");
                return Err(refuse(file, problem));
            }
        }
        let extra = self.store.tensors().iter().find(|(name, _)| {
            !needed.contains_key(*name) && !self.layout.not_weights.iter().any(|end| name.ends_with(end))
        });
        match extra {
            None => Ok(()),
            Some((name, tensor)) => {
                let family = self.architecture.family;
                let problem =
                    format!("has tensor `{name}`, for which a {family} of this configuration has no use");
                Err(refuse(self.store.path(tensor.file), problem))
            }
        }
    }

    fn weight(&self, name: &str) -> String {
        format!("{}{name}.weight", self.prefix)
    }

    fn in_block(&self, index: usize, name: &str) -> String {
        format!("{}{}{index}.{name}", self.prefix, self.layout.block)
    }

    fn norm(&self, name: &str) -> Result<NormWeights, ExtractError> {
        let mut scale = self.store.read(&format!("{name}.weight"))?;
        if self.layout.norm_offset != 0.0 {
            scale.iter_mut().for_each(|s| *s += self.layout.norm_offset);
        }
        let shift = match self.architecture.norm {
            Norm::Rms { .. } => None,
            Norm::Layer { .. } => Some(self.store.read(&format!("{name}.bias"))?),
        };
        Ok(NormWeights { scale, shift })
    }

    fn optional_norm(&self, index: usize, name: Option<&str>) -> Result<Option<NormWeights>, ExtractError> {
        name.map(|name| self.norm(&self.in_block(index, name))).transpose()
    }

    /// The matrix of one part, the way it multiplies.
    fn linear(&self, index: usize, part: Part) -> Result<Linear, ExtractError> {
        let Part { n_out, n_in, .. } = part;
        let name = self.in_block(index, part.name);
        let stored = self.store.read(&format!("{name}.weight"))?;
        let weight = match self.layout.orientation {
            Orientation::OutputsByInputs => stored,
            Orientation::InputsByOutputs => reorder::transposed(&stored, n_out),
        };
        let bias = if part.has_bias { Some(self.store.read(&format!("{name}.bias"))?) } else { None };
        Ok(Linear { weight, bias, n_out, n_in })
    }

    fn query_key_value(&self, index: usize, parts: &[Part]) -> Result<Linear, ExtractError> {
        let Architecture { shape, head_dim, .. } = &self.architecture;
        let width = *head_dim;
        match self.layout.query_key_value {
            QueryKeyValue::Stacked(_) => self.linear(index, parts[0]),
            QueryKeyValue::PerHead(_) => {
                let fused = self.linear(index, parts[0])?;
                Ok(reorder::rows(fused, |row| reorder::per_head_row(row, shape.n_heads, width)))
            }
            QueryKeyValue::Separate(_) => {
                let [mut query, mut key, value] = [0, 1, 2].map(|i| self.linear(index, parts[i]));
                if self.layout.rotary_pairs == RotaryPairs::Adjacent {
                    let rotate_half = |row| reorder::interleaved_row(row, width);
                    query = query.map(|l| reorder::rows(l, rotate_half));
                    key = key.map(|l| reorder::rows(l, rotate_half));
                }
                Ok(reorder::stacked([query?, key?, value?]))
            }
        }
    }
}

/// A stored matrix.
#[derive(Clone, Copy, Debug)]
struct Part {
    name: &'static str,
    n_out: usize,
    n_in: usize,
    has_bias: bool,
}

impl Checkpoint for StoredCheckpoint {
    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn embeddings(&self, ids: &[u32]) -> Result<Vec<f32>, ExtractError> {
        let Architecture { shape, .. } = &self.architecture;
        let name = &self.embedding;
        if ids.iter().copied().eq(0..shape.n_vocabulary as u32) {
            return self.store.read(name);
        }
        let mut rows = Vec::with_capacity(ids.len() * shape.d_model);
        for id in ids {
            let row = *id as usize;
            if row >= shape.n_vocabulary {
                let problem = format!("has {} token embeddings, none for token {id}", shape.n_vocabulary);
                return Err(refuse(&self.path, problem));
            }
            rows.extend(self.store.read_rows(name, row..row + 1)?);
        }
        Ok(rows)
    }

    fn position_embeddings(&self) -> Result<Option<Vec<f32>>, ExtractError> {
        match (&self.architecture.positions, self.layout.positions) {
            (Positions::Learned, Some(name)) => self.store.read(&self.weight(name)).map(Some),
            _ => Ok(None),
        }
    }

    fn layer(&self, index: usize) -> Result<LayerWeights, ExtractError> {
        let layout = &self.layout;
        let parts = self.parts();
        let n_attention = match layout.query_key_value {
            QueryKeyValue::Separate(_) => 3,
            _ => 1,
        };
        let (before, after) = parts.split_at(n_attention);
        let (output, feed_forward) = (after[0], &after[1..]);
        let up = match layout.up {
            FeedForward::Gated(_) => {
                reorder::stacked([self.linear(index, feed_forward[0])?, self.linear(index, feed_forward[1])?])
            }
            _ => self.linear(index, feed_forward[0])?,
        };
        Ok(LayerWeights {
            attention_norm: self.norm(&self.in_block(index, layout.attention_norm))?,
            query_key_value: self.query_key_value(index, before)?,
            query_norm: self.optional_norm(index, layout.head_norms.map(|(query, _)| query))?,
            key_norm: self.optional_norm(index, layout.head_norms.map(|(_, key)| key))?,
            attention_output: self.linear(index, output)?,
            post_attention_norm: self.optional_norm(index, layout.post_attention_norm)?,
            feed_forward_norm: self.norm(&self.in_block(index, layout.feed_forward_norm))?,
            up,
            down: self.linear(index, feed_forward[feed_forward.len() - 1])?,
            post_feed_forward_norm: self.optional_norm(index, layout.post_feed_forward_norm)?,
        })
    }

    fn final_norm(&self) -> Result<NormWeights, ExtractError> {
        self.norm(&format!("{}{}", self.prefix, self.layout.final_norm))
    }

    fn unembedding(&self) -> Result<Linear, ExtractError> {
        let shape = &self.architecture.shape;
        let name = self.unembedding.as_ref().unwrap_or(&self.embedding);
        let weight = self.store.read(name)?;
        Ok(Linear { weight, bias: None, n_out: shape.n_vocabulary, n_in: shape.d_model })
    }
}
