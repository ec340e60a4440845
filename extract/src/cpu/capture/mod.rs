//! Carries a capture plan out on the CPU: everything is pooled where it is computed.
//!
//! A path's numbers are sums over its own rows in reading order, so they do not depend on which paths share the batch.

mod attention_sums;
mod logits;
mod states;

pub(crate) use attention_sums::AttentionSums;
pub(super) use logits::LogitReads;

use crate::error::ExtractError;
use crate::forward::{Batch, Capture, LayerSink};
use hypercolumn_schemas::Site;
use states::StatePools;
use std::time::{Duration, Instant};

/// What one batch captures, on its way to the sink.
pub(super) struct Capturing<'a> {
    sites: &'a [Site],
    states: StatePools,
    pub(super) attention: AttentionSums,
    pub(super) logits: LogitReads<'a>,
    sink: &'a mut dyn LayerSink,
    /// Time that pooling took.
    pub(super) elapsed: Duration,
}

impl<'a> Capturing<'a> {
    pub(super) fn new(
        batch: &Batch<'_>,
        capture: &'a Capture,
        n_heads: usize,
        sink: &'a mut dyn LayerSink,
    ) -> Self {
        Self {
            sites: &capture.sites,
            states: StatePools::new(batch, capture),
            attention: AttentionSums::new(batch, capture, n_heads),
            logits: LogitReads::new(capture),
            sink,
            elapsed: Duration::ZERO,
        }
    }

    /// Whether states at `site` are asked for.
    pub(super) fn wants(&self, site: Site) -> bool {
        self.sites.contains(&site)
    }

    /// Pools states at a site, `[n_rows, width]`, if they are asked for.
    pub(super) fn states(
        &mut self,
        layer: usize,
        site: Site,
        states: &[f32],
        width: usize,
    ) -> Result<(), ExtractError> {
        if !self.wants(site) {
            return Ok(());
        }
        let started = Instant::now();
        let vectors = self.states.pool(states, width);
        let taken = self.sink.states(layer, site, vectors);
        self.elapsed += started.elapsed();
        taken
    }

    /// Hands over the attention sums of a layer whose attention has been computed.
    pub(super) fn attention(&mut self, layer: usize) -> Result<(), ExtractError> {
        if self.attention.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let taken = self.sink.attention(layer, self.attention.end_layer());
        self.elapsed += started.elapsed();
        taken
    }

    /// Hands over what was read off logits.
    pub(super) fn finish(self) -> Duration {
        self.sink.logits(self.logits.finish());
        self.elapsed
    }
}
