//! Makes the edits of a capture plan, by layer and site.

use super::block_table::BatchLayout;
use crate::forward::{AttentionKnockOut, Capture, Edit, StateChange, StateEdit};
use hypercolumn_schemas::Site;
use std::ops::Range;

/// The edits of one batch.
pub(super) struct Edits<'a> {
    edits: &'a [Edit],
    /// The tree's row that is the batch's first.
    first_row: usize,
}

/// The edits of one layer.
#[derive(Clone, Debug, Default)]
pub(super) struct LayerEdits<'a> {
    states: Vec<&'a StateEdit>,
    knock_outs: Vec<&'a AttentionKnockOut>,
    first_row: usize,
}

impl<'a> Edits<'a> {
    pub(super) fn new(capture: &'a Capture, layout: &BatchLayout<'_>) -> Self {
        Self { edits: &capture.edits, first_row: layout.first_row() }
    }

    /// Those of a layer; 0 is the embedding.
    pub(super) fn of_layer(&self, layer: usize) -> LayerEdits<'a> {
        let mut found = LayerEdits { first_row: self.first_row, ..LayerEdits::default() };
        for edit in self.edits {
            match edit {
                Edit::States(edit) if edit.layer == layer => found.states.push(edit),
                Edit::KnockOut(edit) if edit.layer == layer => found.knock_outs.push(edit),
                _ => {}
            }
        }
        found
    }
}

impl LayerEdits<'_> {
    /// Edits states at a site, `[n_rows, width]`, whose first row is the batch's row `first`.
    pub(super) fn states(&self, site: Site, states: &mut [f32], width: usize, first: usize) {
        let first = self.first_row + first;
        let n_rows = states.len() / width;
        for edit in self.states.iter().filter(|edit| edit.site == site) {
            let rows = edit.rows.iter().filter_map(|row| row.checked_sub(first));
            for row in rows.filter(|row| *row < n_rows) {
                change(&mut states[row * width..][edit.columns.clone()], &edit.change);
            }
        }
    }

    /// Puts `value` where heads do not see keys from the rows of an edge, which are the tree's rows `edge`: into scores
    /// or weights of some heads, `[n_heads, n_edge_rows, n_keys]`.
    pub(super) fn hide(&self, edge: Range<usize>, heads: Range<usize>, weights: &mut [f32], value: f32) {
        let n_keys = weights.len() / (heads.len() * edge.len());
        for edit in &self.knock_outs {
            for row in edit.rows.iter().filter(|row| edge.contains(row)) {
                for head in edit.heads.iter().filter(|head| heads.contains(head)) {
                    let start = ((head - heads.start) * edge.len() + row - edge.start) * n_keys;
                    hide_keys(&mut weights[start..][..n_keys], &edit.keys, value);
                }
            }
        }
    }
}

fn hide_keys(row: &mut [f32], keys: &[Range<u32>], value: f32) {
    for range in keys {
        let n_keys = row.len();
        let at = |position: u32| (position as usize).min(n_keys);
        row[at(range.start)..at(range.end.max(range.start))].fill(value);
    }
}

/// Changes one state, `[n_columns]`.
fn change(state: &mut [f32], change: &StateChange) {
    match change {
        StateChange::Replace(vector) => state.copy_from_slice(vector),
        StateChange::Add(vector) => state.iter_mut().zip(vector).for_each(|(x, v)| *x += v),
        StateChange::Remove(vector) => {
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
            };
            let share = dot(state, vector) / dot(vector, vector);
            state.iter_mut().zip(vector).for_each(|(x, v)| *x -= (share * f64::from(*v)) as f32);
        }
    }
}
