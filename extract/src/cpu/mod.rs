//! The forward pass: an [`Architecture`] carried out on f32 rows, layer by layer, over a prefix tree.
//!
//! Weights are packed when a model is loaded. Rows of all prompts go through a layer together in blocks that
//! stay in a thread's cache; what differs between families is read from the architecture, never from a
//! family's name. What is captured is pooled at once; the states themselves are not kept.

mod attention;
mod block;
mod block_table;
mod capture;
mod edits;
mod elementwise;
mod feed_forward;
mod heads;
mod kv_cache;
mod matrix;
mod pages;
mod placement;
mod product;
mod rate;
pub(crate) mod vector;
mod workers;

use crate::error::ExtractError;
use crate::forward::prefix_tree::ROW_ORDER;
use crate::forward::profile::{Profile, Work};
use crate::forward::{
    Backend, Batch, Capture, KvCache, LayerSink, MemoryForecast, Model, Placed, Placement, ResumeCheckpoint,
    Session, Workload, check_edits,
};
use crate::model::architecture::{Architecture, Checkpoint, NormWeights, Positions, Residual, Shape};
use block::{BatchContext, Hooks, InnerStates, Workspace};
use block_table::{BatchLayout, BlockTable};
use capture::{Capturing, LogitReads};
use edits::Edits;
use elementwise::{RotaryTable, add, normalize, softcap};
use hypercolumn_schemas::{BackendId, Site};
use kv_cache::LayerKvCache;
use matrix::Matrix;
use placement::Blocks;
use placement::WeightBytes;
use product::n_lanes;
use product::{PackedRows, panel_width};
use std::sync::Mutex;
use workers::{block_rows, share_out};

/// Rows whose logits are computed together at most: bounds the vocabulary-wide memory.
const LOGIT_ROWS: usize = 192;

/// Raised when this backend would give other numbers than before.
const VERSION: u32 = 1;

/// The backend on the CPU: the reference that others are judged by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Backend for Cpu {
    fn id(&self) -> BackendId {
        BackendId {
            name: "cpu".to_owned(),
            device: "cpu".to_owned(),
            dtype: "f32".to_owned(),
            version: VERSION,
        }
    }

    fn place(
        &self,
        architecture: &Architecture,
        workload: &Workload,
        available_bytes: u64,
    ) -> Result<Placed, MemoryForecast> {
        placement::choose(architecture, workload, available_bytes)
    }

    fn block_bytes(&self, architecture: &Architecture) -> u64 {
        WeightBytes::of(architecture).block
    }

    fn product_flop_per_second(&self, architecture: &Architecture) -> f64 {
        rate::product_flop_per_second(architecture)
    }

    fn resume_layout(&self) -> String {
        // Keys and values lie in memory as this processor's vectors want them.
        format!("cpu-{}-{ROW_ORDER}", n_lanes())
    }

    fn load<'a>(
        &self,
        checkpoint: &'a dyn Checkpoint,
        placement: Placement,
    ) -> Result<Box<dyn Model + 'a>, ExtractError> {
        Ok(Box::new(Engine::load(checkpoint, placement)?))
    }
}

/// A model, ready to read.
struct Engine<'a> {
    checkpoint: &'a dyn Checkpoint,
    blocks: Blocks,
    position_embeddings: Option<Vec<f32>>,
    final_norm: NormWeights,
    /// `None` where it is read when it is needed.
    unembedding: Option<Matrix>,
    profile: Mutex<Profile>,
    /// The last session's caches, emptied, whose buffers the next session reuses.
    caches: Mutex<Vec<LayerKvCache>>,
}

impl<'a> Engine<'a> {
    /// Reads and packs the weights that stay in memory.
    ///
    /// # Errors
    /// When the checkpoint cannot be read.
    pub fn load(checkpoint: &'a dyn Checkpoint, placement: Placement) -> Result<Self, ExtractError> {
        let unembedding = match placement {
            Placement::Resident => Some(Matrix::pack(&checkpoint.unembedding()?)),
            Placement::Streamed { .. } => None,
        };
        Ok(Self {
            checkpoint,
            blocks: Blocks::load(checkpoint, placement)?,
            position_embeddings: checkpoint.position_embeddings()?,
            final_norm: checkpoint.final_norm()?,
            unembedding,
            profile: Mutex::default(),
            caches: Mutex::default(),
        })
    }

    fn architecture(&self) -> &Architecture {
        self.checkpoint.architecture()
    }
}

impl Model for Engine<'_> {
    fn shape(&self) -> Shape {
        self.architecture().shape
    }

    fn take_profile(&self) -> Profile {
        std::mem::take(&mut *self.profile.lock().expect("no addition panicked"))
    }

    fn session(&self, kv_cache: KvCache) -> Box<dyn Session + '_> {
        let mut caches = std::mem::take(&mut *self.caches.lock().expect("no exchange panicked"));
        caches.resize_with(self.architecture().layers.len(), || {
            LayerKvCache::new(heads::heads(self.architecture()))
        });
        Box::new(EngineSession {
            engine: self,
            kv_cache,
            caches,
            places: BlockTable::default(),
            rotary: None,
            work: Workspace::new(),
        })
    }
}

struct EngineSession<'a> {
    engine: &'a Engine<'a>,
    kv_cache: KvCache,
    /// By layer.
    caches: Vec<LayerKvCache>,
    places: BlockTable,
    rotary: Option<RotaryTable>,
    work: Workspace,
}

impl Session for EngineSession<'_> {
    fn forward(
        &mut self,
        batch: &Batch<'_>,
        capture: &Capture,
        sink: &mut dyn LayerSink,
        resume: Option<&ResumeCheckpoint>,
    ) -> Result<(), ExtractError> {
        if batch.edges.is_empty() {
            return Ok(());
        }
        let engine = self.engine;
        let architecture = engine.architecture();
        check_edits(&capture.edits, batch, architecture)?;
        let layout = BatchLayout::new(batch.tree, batch.edges.clone(), &mut self.places);
        self.cover(&layout);
        let edits = Edits::new(capture, &layout);
        let Shape { n_layers, d_model, n_heads, .. } = architecture.shape;
        let context = BatchContext { architecture, layout: &layout, rotary: self.rotary.as_ref() };
        let mut capturing = Capturing::new(batch, capture, n_heads, sink);
        let mut x = engine.embed(&layout)?;
        edits.of_layer(0).states(Site::Embed, &mut x, d_model, 0);
        capturing.states(0, Site::Embed, &x, d_model)?;
        let keeps_kv = self.kv_cache == KvCache::Keep;
        let n_finished = resume.map_or(0, ResumeCheckpoint::finished_layers);
        let (work, caches) = (&mut self.work, &mut self.caches);
        if let Some(resume) = resume.filter(|_| n_finished > 0) {
            x = resume.last_states()?;
            for (layer, cache) in (1..=n_finished).zip(caches.iter_mut()).filter(|_| keeps_kv) {
                cache.restore(&layout, &resume.read(KEYS, layer)?, &resume.read(VALUES, layer)?);
            }
        }
        engine.blocks.each(engine.checkpoint, n_finished, |index, block| {
            let (layer, cache) = (index + 1, &mut caches[index]);
            let edits = edits.of_layer(layer);
            edits.states(Site::ResidPre, &mut x, d_model, 0);
            capturing.states(layer, Site::ResidPre, &x, d_model)?;
            let mut inner = room_for_inner_states(&capturing, &layout, architecture);
            let hooks = Hooks { sums: &capturing.attention, edits: &edits };
            block.forward(&context, &mut x, cache, work, &hooks, &mut inner);
            edits.states(Site::ResidPost, &mut x, d_model, 0);
            capturing.attention(layer)?;
            hand_over_inner_states(&mut capturing, layer, &inner, architecture)?;
            capturing.states(layer, Site::ResidPost, &x, d_model)?;
            if let Some(resume) = resume {
                if keeps_kv {
                    let (keys, values) = cache.last();
                    resume.write(KEYS, layer, keys)?;
                    resume.write(VALUES, layer, values)?;
                }
                resume.finish_layer(layer, &x)?;
            }
            if !keeps_kv {
                cache.clear();
                work.take_back(cache.take_free());
            }
            Ok(())
        })?;
        engine.normalize_last(&mut x, &mut self.work);
        edits.of_layer(n_layers).states(Site::FinalNorm, &mut x, d_model, 0);
        capturing.states(n_layers, Site::FinalNorm, &x, d_model)?;
        engine.logits(&x, layout.first_row(), &mut self.work, &capturing.logits)?;
        let mut profile = self.work.take_profile();
        profile.add(Work::Pooling, capturing.finish());
        *engine.profile.lock().expect("no addition panicked") += profile;
        Ok(())
    }
}

/// Names of keys and values in a resume checkpoint.
const KEYS: &str = "keys";
const VALUES: &str = "values";

/// Room for the states within a block that are asked for.
fn room_for_inner_states(
    capturing: &Capturing<'_>,
    layout: &BatchLayout,
    architecture: &Architecture,
) -> InnerStates {
    let room = |site, width: usize| capturing.wants(site).then(|| vec![0.0; layout.n_rows() * width]);
    let d_model = architecture.shape.d_model;
    let is_sequential = architecture.residual == Residual::Sequential;
    InnerStates {
        z: room(Site::Z, architecture.width(Site::Z)),
        attn_out: room(Site::AttnOut, d_model),
        // Of a parallel block there is no state between its parts.
        resid_mid: room(Site::ResidMid, d_model).filter(|_| is_sequential),
        mlp_out: room(Site::MlpOut, d_model),
    }
}

fn hand_over_inner_states(
    capturing: &mut Capturing<'_>,
    layer: usize,
    inner: &InnerStates,
    architecture: &Architecture,
) -> Result<(), ExtractError> {
    let d_model = architecture.shape.d_model;
    let sites = [
        (Site::Z, &inner.z, architecture.width(Site::Z)),
        (Site::AttnOut, &inner.attn_out, d_model),
        (Site::ResidMid, &inner.resid_mid, d_model),
        (Site::MlpOut, &inner.mlp_out, d_model),
    ];
    for (site, states, width) in sites {
        if let Some(states) = states {
            capturing.states(layer, site, states, width)?;
        }
    }
    Ok(())
}

impl Drop for EngineSession<'_> {
    fn drop(&mut self) {
        self.caches.iter_mut().for_each(LayerKvCache::clear);
        if let Ok(mut caches) = self.engine.caches.lock() {
            *caches = std::mem::take(&mut self.caches);
        }
    }
}

impl EngineSession<'_> {
    /// Makes the rotary table reach every position of the pass.
    fn cover(&mut self, layout: &BatchLayout) {
        let Positions::Rotary(angles) = &self.engine.architecture().positions else { return };
        let needed = layout.positions.iter().max().map_or(0, |p| p + 1);
        if self.rotary.as_ref().is_none_or(|r| r.n_positions() < needed) {
            let n_ctx = self.engine.architecture().shape.n_ctx;
            self.rotary = Some(RotaryTable::new(angles, (2 * needed).min(n_ctx).max(needed)));
        }
    }
}

impl Engine<'_> {
    /// The residual stream before the first block: `n_rows × d_model`.
    fn embed(&self, layout: &BatchLayout) -> Result<Vec<f32>, ExtractError> {
        let mut x = self.checkpoint.embeddings(layout.tokens())?;
        let d = self.architecture().shape.d_model;
        if let Some(scale) = self.architecture().embedding_scale {
            x.iter_mut().for_each(|v| *v *= scale);
        }
        if let Some(positions) = &self.position_embeddings {
            for (x, position) in x.chunks_mut(d).zip(&layout.positions) {
                add(x, &positions[position * d..][..d]);
            }
        }
        Ok(x)
    }

    fn normalize_last(&self, x: &mut [f32], work: &mut Workspace) {
        let d = self.architecture().shape.d_model;
        let n_rows = block_rows(x.len() / d, 1);
        share_out(x.chunks_mut(n_rows * d), work.threads(), |x, scratch| {
            scratch.clock.begin();
            let normal = scratch.values(x.len());
            normalize(self.architecture().norm, &self.final_norm, x, normal);
            x.copy_from_slice(normal);
            scratch.clock.lap(Work::Elementwise);
        });
    }

    /// Logits of the rows of `x` that are asked for; `x`, `[n_rows, d_model]`, is past the final norm and begins at the
    /// tree's row `first_row`.
    fn logits(
        &self,
        x: &[f32],
        first_row: usize,
        work: &mut Workspace,
        reads: &LogitReads<'_>,
    ) -> Result<(), ExtractError> {
        let wanted = reads.rows();
        if wanted.is_empty() {
            return Ok(());
        }
        let read;
        let unembedding = match &self.unembedding {
            Some(matrix) => matrix,
            None => {
                read = Matrix::pack(&self.checkpoint.unembedding()?);
                &read
            }
        };
        let d = self.architecture().shape.d_model;
        let n_vocabulary = unembedding.n_out;
        let panel = panel_width();
        let n_padded = n_vocabulary.next_multiple_of(panel);
        // Equal parts: each of them reads the whole matrix.
        let n_together = wanted.len().div_ceil(wanted.len().div_ceil(LOGIT_ROWS));
        let (by_panel, threads) = work.logits(n_together * n_padded);
        for rows in wanted.chunks(n_together) {
            let picked: Vec<f32> =
                rows.iter().flat_map(|r| &x[(r - first_row) * d..][..d]).copied().collect();
            let mut packed = PackedRows::default();
            packed.fill(&picked, d);
            let tasks = by_panel.chunks_mut(rows.len() * panel).take(n_padded / panel).enumerate();
            share_out(tasks, threads, |(index, out), scratch| {
                scratch.clock.begin();
                unembedding.apply_panel(index, &packed, out);
                scratch.clock.lap(Work::Logits);
            });
            share_out(rows.iter().enumerate(), threads, |(index, row), scratch| {
                scratch.clock.begin();
                let logits = scratch.values(n_padded);
                let parts = by_panel.chunks(rows.len() * panel).map(|p| &p[index * panel..][..panel]);
                logits.chunks_mut(panel).zip(parts).for_each(|(to, from)| to.copy_from_slice(from));
                let logits = &mut logits[..n_vocabulary];
                if let Some(c) = self.architecture().logit_softcap {
                    softcap(logits, c);
                }
                reads.take(*row, logits);
                scratch.clock.lap(Work::Logits);
            });
        }
        Ok(())
    }
}
