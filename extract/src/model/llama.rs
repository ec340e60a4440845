//! The Llama family (Touvron et al. 2023): RMSNorm before each half of a block, grouped-query attention with
//! rotary positions, SwiGLU. SmolLM2 is a Llama with tied embeddings.
//!
//! GGUF stores the rows of query and key projections so that rotary pairs lie side by side; they are put
//! back here into the order in which dimension i turns with dimension i + width/2.

use super::architecture::{Activation, Architecture, Layer, Norm, Positions, Residual, RotaryAngles};
use super::attention::{Heads, KeysValues, attend};
use super::gguf::GgufFile;
use super::kernels::{Rotary, swiglu, with_values};
use crate::backend::{Backend, Session, Shape, Site, Taps, TokenTree};
use crate::error::ExtractError;
use candle_core::{Device, Tensor};
use candle_nn::ops::rms_norm;
use rayon::prelude::*;
use std::ops::Range;

/// Rows whose logits are computed together: bounds the vocabulary-wide memory.
const LOGIT_ROWS: usize = 128;

/// What a Llama checkpoint's configuration says.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub n_layers: usize,
    pub d_model: usize,
    pub d_feed_forward: usize,
    pub n_vocabulary: usize,
    pub context: usize,
    pub heads: Heads,
    pub norm_epsilon: f32,
    pub rope_base: f32,
}

impl Config {
    /// Reads and checks the configuration; options that this family's code does not carry out are refused.
    pub fn read(file: &GgufFile) -> Result<Self, ExtractError> {
        if file.architecture() != "llama" {
            let found = file.architecture();
            return Err(file.refuse(format!("its architecture is `{found}`; this version runs `llama`")));
        }
        for key in ["rope.scaling.type", "rope.scaling.factor", "expert_count", "attention.sliding_window"] {
            if file.value(key).is_some() {
                return Err(
                    file.refuse(format!("it uses `llama.{key}`, which this version does not carry out"))
                );
            }
        }
        if file.has_tensor("rope_freqs.weight") {
            return Err(file.refuse("it scales rotary frequencies, which this version does not carry out"));
        }
        let d_model = file.count("embedding_length")?;
        let n_heads = file.count("attention.head_count")?;
        let n_key_heads = match file.value("attention.head_count_kv") {
            Some(_) => file.count("attention.head_count_kv")?,
            None => n_heads,
        };
        let width = match file.value("attention.key_length") {
            Some(_) => file.count("attention.key_length")?,
            None => d_model / n_heads,
        };
        if n_heads % n_key_heads != 0 || width % 2 != 0 || (width == 0) {
            return Err(
                file.refuse(format!("{n_heads} heads, {n_key_heads} key heads of width {width} do not fit"))
            );
        }
        if file.value("rope.dimension_count").is_some() && file.count("rope.dimension_count")? != width {
            return Err(file.refuse("it rotates a part of each head, which this version does not carry out"));
        }
        Ok(Self {
            n_layers: file.count("block_count")?,
            d_model,
            d_feed_forward: file.count("feed_forward_length")?,
            n_vocabulary: file.dims("token_embd.weight")?[0],
            context: file.count("context_length")?,
            heads: Heads { n_heads, n_key_heads, width },
            norm_epsilon: file.float("attention.layer_norm_rms_epsilon")?,
            rope_base: if file.value("rope.freq_base").is_some() {
                file.float("rope.freq_base")?
            } else {
                10_000.0
            },
        })
    }

    /// What the model is.
    pub fn architecture(&self) -> Architecture {
        let width = self.heads.width;
        let frequency = |i: usize| self.rope_base.powf(-2.0 * i as f32 / width as f32);
        let angles = RotaryAngles { frequencies: (0..width / 2).map(frequency).collect(), magnitude: 1.0 };
        Architecture {
            family: "llama",
            shape: self.shape(),
            n_key_heads: self.heads.n_key_heads,
            head_width: width,
            d_feed_forward: self.d_feed_forward,
            norm: Norm::Rms { epsilon: self.norm_epsilon },
            residual: Residual::Sequential,
            activation: Activation::Silu,
            is_gated: true,
            positions: Positions::Rotary(angles),
            attention_scale: 1.0 / (width as f32).sqrt(),
            attention_softcap: None,
            logit_softcap: None,
            embedding_scale: None,
            layers: vec![Layer { window: None, rotates: true }; self.n_layers],
        }
    }

    pub fn shape(&self) -> Shape {
        Shape {
            n_layers: self.n_layers,
            d_model: self.d_model,
            n_heads: self.heads.n_heads,
            n_vocabulary: self.n_vocabulary,
            context: self.context,
        }
    }
}

/// Weights of one block; matrices are `out × in`.
struct Block {
    attention_norm: Tensor,
    /// Query, key and value projections, one above the other.
    query_key_value: Tensor,
    output: Tensor,
    feed_forward_norm: Tensor,
    /// Gate above up.
    gate_up: Tensor,
    down: Tensor,
}

/// A loaded Llama.
pub struct Llama {
    config: Config,
    embedding: Tensor,
    blocks: Vec<Block>,
    final_norm: Tensor,
    unembedding: Tensor,
    rotary: Rotary,
}

impl Llama {
    /// Reads every weight, dequantised to f32.
    pub fn load(file: &GgufFile, config: Config) -> Result<Self, ExtractError> {
        let Config { d_model, n_vocabulary, heads, .. } = config;
        let embedding = file.tensor("token_embd.weight", &[n_vocabulary, d_model])?;
        let unembedding = if file.has_tensor("output.weight") {
            file.tensor("output.weight", &[n_vocabulary, d_model])?
        } else {
            embedding.clone()
        };
        let blocks = (0..config.n_layers).map(|l| Block::load(file, config, l)).collect::<Result<_, _>>()?;
        let final_norm = file.tensor("output_norm.weight", &[d_model])?;
        let rotary = Rotary::new(config.rope_base, heads.width, config.context);
        Ok(Self { config, embedding, blocks, final_norm, unembedding, rotary })
    }

    fn normalize(&self, x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        rms_norm(x, weight, self.config.norm_epsilon)
    }
}

impl Block {
    fn load(file: &GgufFile, config: Config, layer: usize) -> Result<Self, ExtractError> {
        let Config { d_model, d_feed_forward, heads, .. } = config;
        let (all, shared) = (heads.n_heads * heads.width, heads.n_key_heads * heads.width);
        let tensor = |name: &str, dims: &[usize]| file.tensor(&format!("blk.{layer}.{name}.weight"), dims);
        for name in ["attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_q_norm.weight", "attn_k_norm.weight"]
        {
            if file.has_tensor(&format!("blk.{layer}.{name}")) {
                return Err(file.refuse(format!("it has `blk.{layer}.{name}`, which a Llama does not")));
            }
        }
        let query = split_rotary_pairs(&tensor("attn_q", &[all, d_model])?, heads.width)?;
        let key = split_rotary_pairs(&tensor("attn_k", &[shared, d_model])?, heads.width)?;
        let value = tensor("attn_v", &[shared, d_model])?;
        let gate = tensor("ffn_gate", &[d_feed_forward, d_model])?;
        let up = tensor("ffn_up", &[d_feed_forward, d_model])?;
        Ok(Self {
            attention_norm: tensor("attn_norm", &[d_model])?,
            query_key_value: Tensor::cat(&[query, key, value], 0)?,
            output: tensor("attn_output", &[d_model, all])?,
            feed_forward_norm: tensor("ffn_norm", &[d_model])?,
            gate_up: Tensor::cat(&[gate, up], 0)?,
            down: tensor("ffn_down", &[d_model, d_feed_forward])?,
        })
    }
}

/// Reorders each head's rows from (pair, side) to (side, pair).
fn split_rotary_pairs(weight: &Tensor, width: usize) -> candle_core::Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    let heads = weight.reshape((rows / width, width / 2, 2, columns))?;
    heads.transpose(1, 2)?.contiguous()?.reshape((rows, columns))
}

impl Backend for Llama {
    fn shape(&self) -> Shape {
        self.config.shape()
    }

    fn session(&self) -> Box<dyn Session + '_> {
        let memory = self.blocks.iter().map(|_| KeysValues::default()).collect();
        Box::new(LlamaSession { model: self, memory })
    }
}

struct LlamaSession<'a> {
    model: &'a Llama,
    memory: Vec<KeysValues>,
}

impl Session for LlamaSession<'_> {
    fn forward(
        &mut self,
        tree: &TokenTree,
        runs: Range<usize>,
        wanted: &[usize],
        taps: &mut dyn Taps,
    ) -> Result<(), ExtractError> {
        let Some(first) = tree.runs.get(runs.start) else { return Ok(()) };
        let first_row = first.row;
        let n_rows: usize = tree.runs[runs.clone()].iter().map(|r| r.len).sum();
        let ids = Tensor::new(&tree.tokens[first_row..first_row + n_rows], &Device::Cpu)?;
        let mut x = self.model.embedding.index_select(&ids, 0)?;
        show(taps, 0, Site::Embed, &x)?;
        for layer in 1..=self.model.blocks.len() {
            x = self.block(&x, layer, tree, runs.clone(), taps)?;
            show(taps, layer, Site::ResidPost, &x)?;
        }
        let x = self.model.normalize(&x, &self.model.final_norm)?;
        show(taps, self.model.blocks.len(), Site::FinalNorm, &x)?;
        for rows in wanted.chunks(LOGIT_ROWS) {
            self.logits(&x, first_row, rows, taps)?;
        }
        Ok(())
    }
}

impl LlamaSession<'_> {
    /// One block: `n × d_model` to `n × d_model`.
    fn block(
        &mut self,
        x: &Tensor,
        layer: usize,
        tree: &TokenTree,
        runs: Range<usize>,
        taps: &dyn Taps,
    ) -> candle_core::Result<Tensor> {
        let model = self.model;
        let (block, heads) = (&model.blocks[layer - 1], model.config.heads);
        let h = model.normalize(x, &block.attention_norm)?.matmul(&block.query_key_value.t()?)?;
        let memory = &mut self.memory[layer - 1];
        let queries =
            with_values(&h, |rows| Ok(take_heads(rows, tree, runs.clone(), heads, &model.rotary, memory)))?;
        let mixed = attend(tree, runs, &queries, memory, heads, layer, taps);
        let mixed = Tensor::from_vec(mixed, (x.dim(0)?, heads.n_heads * heads.width), &Device::Cpu)?;
        let x = (x + mixed.matmul(&block.output.t()?)?)?;
        let h = model.normalize(&x, &block.feed_forward_norm)?.matmul(&block.gate_up.t()?)?;
        let width = model.config.d_feed_forward;
        let h = with_values(&h, |rows| Ok(swiglu(rows, width)))?;
        let h = Tensor::from_vec(h, (x.dim(0)?, width), &Device::Cpu)?;
        &x + h.matmul(&block.down.t()?)?
    }

    fn logits(
        &self,
        x: &Tensor,
        first_row: usize,
        wanted: &[usize],
        taps: &mut dyn Taps,
    ) -> candle_core::Result<()> {
        let rows: Vec<u32> = wanted.iter().map(|row| (row - first_row) as u32).collect();
        let picked = x.index_select(&Tensor::new(rows.as_slice(), &Device::Cpu)?, 0)?;
        let logits = picked.matmul(&self.model.unembedding.t()?)?;
        with_values(&logits, |values| {
            for (row, values) in wanted.iter().zip(values.chunks(self.model.config.n_vocabulary)) {
                taps.logits(*row, values);
            }
            Ok(())
        })
    }
}

fn show(taps: &mut dyn Taps, layer: usize, site: Site, x: &Tensor) -> candle_core::Result<()> {
    with_values(x, |rows| {
        taps.hidden(layer, site, rows);
        Ok(())
    })
}

/// Splits rows of `[query | key | value]`: rotates queries and keys to their positions, appends keys and
/// values to the layer's memory, gives the queries.
fn take_heads(
    rows: &[f32],
    tree: &TokenTree,
    runs: Range<usize>,
    heads: Heads,
    rotary: &Rotary,
    memory: &mut KeysValues,
) -> Vec<f32> {
    let (all, shared) = (heads.n_heads * heads.width, heads.n_key_heads * heads.width);
    let positions: Vec<usize> =
        tree.runs[runs].iter().flat_map(|run| run.position..run.position + run.len).collect();
    let n = positions.len();
    let start = memory.keys.len();
    memory.keys.resize(start + n * shared, 0.0);
    memory.values.resize(start + n * shared, 0.0);
    let mut queries = vec![0.0; n * all];
    let turn = |to: &mut [f32], from: &[f32], position: usize| {
        to.copy_from_slice(from);
        to.chunks_mut(heads.width).for_each(|head| rotary.rotate(head, position));
    };
    let keys = memory.keys[start..].par_chunks_mut(shared);
    let values = memory.values[start..].par_chunks_mut(shared);
    (queries.par_chunks_mut(all), keys, values, rows.par_chunks(all + 2 * shared), &positions)
        .into_par_iter()
        .for_each(|(query, key, value, row, &position)| {
            turn(query, &row[..all], position);
            turn(key, &row[all..all + shared], position);
            value.copy_from_slice(&row[all + shared..]);
        });
    queries
}
