//! The forward pass: an [`Architecture`] carried out on f32 rows, layer by layer, over a token tree.
//!
//! Weights are packed when a model is loaded. Rows of all prompts go through a layer together in blocks that
//! stay in a thread's cache; what differs between families is read from the architecture, never from a
//! family's name. What passes by is shown to the taps and not kept.

mod attention;
mod block;
mod elementwise;
mod feed_forward;
mod keys_values;
mod matrix;
mod pages;
mod pass;
mod placement;
mod product;
mod rate;
pub(crate) mod vector;
mod workers;

use crate::error::ExtractError;
use crate::forward::profile::{Profile, Work};
use crate::forward::{Backend, Ledger, Session, Shape, Started, Taps, TokenTree};
use crate::model::architecture::{Architecture, Checkpoint, NormWeights, Positions};
use block::{Surroundings, Workspace};
use elementwise::{RotaryTable, add, normalize, softcap};
use hypercolumn_schemas::{BackendId, Site};
use keys_values::LayerMemory;
use matrix::Matrix;
pub use pass::TAIL_TILE;
use pass::{Pass, Places};
use placement::Blocks;
pub use placement::{Placement, WeightBytes, row_bytes};
pub use product::n_lanes;
use product::{PackedRows, panel_width};
pub use rate::product_flop_per_second;
use std::ops::Range;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use workers::{block_rows, share_out};

/// Rows whose logits are computed together at most: bounds the vocabulary-wide memory.
const LOGIT_ROWS: usize = 192;

/// Raised when this backend would give other numbers than before.
const VERSION: u32 = 1;

/// What a shard computed by this backend records of it.
pub fn id() -> BackendId {
    BackendId { name: "cpu".to_owned(), device: "cpu".to_owned(), dtype: "f32".to_owned(), version: VERSION }
}

/// A model, ready to read.
pub struct Engine<'a> {
    checkpoint: &'a dyn Checkpoint,
    blocks: Blocks,
    position_embeddings: Option<Vec<f32>>,
    final_norm: NormWeights,
    /// `None` where it is read when it is needed.
    unembedding: Option<Matrix>,
    profile: Mutex<Profile>,
    /// The rooms that the last session kept its layers' keys and values in, for the next.
    memory: Mutex<Vec<LayerMemory>>,
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
            memory: Mutex::default(),
        })
    }

    fn architecture(&self) -> &Architecture {
        self.checkpoint.architecture()
    }
}

/// A checkpoint, ready to read prompts.
///
/// # Errors
/// As [`ModelFile::load`].
pub fn load(
    checkpoint: &dyn Checkpoint,
    placement: Placement,
) -> Result<Box<dyn Backend + '_>, ExtractError> {
    Ok(Box::new(Engine::load(checkpoint, placement)?))
}

impl Backend for Engine<'_> {
    fn shape(&self) -> Shape {
        self.architecture().shape
    }

    fn take_profile(&self) -> Profile {
        std::mem::take(&mut *self.profile.lock().expect("no addition panicked"))
    }

    fn session(&self, goes_on: bool) -> Box<dyn Session + '_> {
        let mut memory = std::mem::take(&mut *self.memory.lock().expect("no exchange panicked"));
        memory.resize_with(self.architecture().layers.len(), || {
            LayerMemory::new(block::heads(self.architecture()))
        });
        Box::new(EngineSession {
            engine: self,
            goes_on,
            memory,
            places: Places::default(),
            rotary: None,
            work: Workspace::new(),
        })
    }
}

struct EngineSession<'a> {
    engine: &'a Engine<'a>,
    goes_on: bool,
    /// By layer.
    memory: Vec<LayerMemory>,
    places: Places,
    rotary: Option<RotaryTable>,
    work: Workspace,
}

impl Session for EngineSession<'_> {
    fn forward(
        &mut self,
        tree: &TokenTree,
        runs: Range<usize>,
        wanted: &[usize],
        taps: &mut dyn Taps,
        ledger: Option<&dyn Ledger>,
    ) -> Result<(), ExtractError> {
        if runs.is_empty() {
            return Ok(());
        }
        let pass = Pass::new(tree, runs, &mut self.places);
        self.cover(&pass);
        let engine = self.engine;
        let architecture = engine.architecture();
        let around = Surroundings { architecture, pass: &pass, rotary: self.rotary.as_ref() };
        let mut x = engine.embed(&pass)?;
        let mut pooling = Duration::ZERO;
        let mut pool = |taps: &mut dyn Taps, layer, site, x: &[f32]| {
            let started = Instant::now();
            taps.hidden(layer, site, x);
            pooling += started.elapsed();
        };
        pool(taps, 0, Site::Embed, &x);
        let goes_on = self.goes_on;
        let started = ledger.map_or_else(|| Ok(Started::default()), |l| l.started(goes_on))?;
        if started.n_layers > 0 {
            x = started.rows;
        }
        let (work, memory) = (&mut self.work, &mut self.memory);
        for (memory, through) in memory.iter_mut().zip(started.memory) {
            memory.restore(&pass, &through);
        }
        engine.blocks.each(engine.checkpoint, started.n_layers, |index, block| {
            let memory = &mut memory[index];
            block.forward(&around, index + 1, &mut x, memory, work, taps);
            pool(taps, index + 1, Site::ResidPost, &x);
            if let Some(ledger) = ledger {
                let own = goes_on.then(|| memory.last());
                ledger.through(index + 1, &x, own)?;
            }
            if !goes_on {
                memory.clear();
                work.take_back(memory.take_free());
            }
            Ok(())
        })?;
        engine.normalize_last(&mut x, &mut self.work);
        pool(taps, architecture.shape.n_layers, Site::FinalNorm, &x);
        let logits = engine.logits(&x, pass.first_row(), wanted, &mut self.work, taps);
        let mut profile = self.work.take_profile();
        profile.add(Work::Pooling, pooling);
        *engine.profile.lock().expect("no addition panicked") += profile;
        logits
    }
}

impl Drop for EngineSession<'_> {
    fn drop(&mut self) {
        self.memory.iter_mut().for_each(LayerMemory::clear);
        if let Ok(mut memory) = self.engine.memory.lock() {
            *memory = std::mem::take(&mut self.memory);
        }
    }
}

impl EngineSession<'_> {
    /// Makes the rotary table reach every position of the pass.
    fn cover(&mut self, pass: &Pass) {
        let Positions::Rotary(angles) = &self.engine.architecture().positions else { return };
        let needed = pass.positions.iter().max().map_or(0, |p| p + 1);
        if self.rotary.as_ref().is_none_or(|r| r.n_positions() < needed) {
            let context = self.engine.architecture().shape.context;
            self.rotary = Some(RotaryTable::new(angles, (2 * needed).min(context).max(needed)));
        }
    }
}

impl Engine<'_> {
    /// The residual stream before the first block: `n_rows × d_model`.
    fn embed(&self, pass: &Pass) -> Result<Vec<f32>, ExtractError> {
        let mut x = self.checkpoint.embeddings(pass.tokens())?;
        let d = self.architecture().shape.d_model;
        if let Some(scale) = self.architecture().embedding_scale {
            x.iter_mut().for_each(|v| *v *= scale);
        }
        if let Some(positions) = &self.position_embeddings {
            for (x, position) in x.chunks_mut(d).zip(&pass.positions) {
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

    /// Logits of the wanted rows of `x`, which is past the final norm and begins at the tree's row `first_row`.
    fn logits(
        &self,
        x: &[f32],
        first_row: usize,
        wanted: &[usize],
        work: &mut Workspace,
        taps: &dyn Taps,
    ) -> Result<(), ExtractError> {
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
                taps.logits(*row, logits);
                scratch.clock.lap(Work::Logits);
            });
        }
        Ok(())
    }
}
