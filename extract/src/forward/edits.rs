//! Edits: interventions in a forward pass, as part of its capture plan.
//!
//! An edit names a layer, rows of the batch, and either a site whose states are changed or attention heads that no longer see
//! some keys. States are captured after the edits of their site. Edits of one site are made in the order of the plan. A row
//! that several prompts share is edited for all of them: whoever wants one prompt edited gives it a branch of its own.
//!
//! What this module leaves to others: making the edits (each backend), and what an intervention is for.

use super::Batch;
use super::prefix_tree::Positions;
use crate::error::ExtractError;
use crate::model::architecture::{Architecture, Residual};
use hypercolumn_schemas::Site;
use std::collections::BTreeMap;
use std::ops::Range;

/// A change of what a forward pass computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// States are changed.
    States(StateEdit),
    /// Keys are hidden from queries.
    KnockOut(AttentionKnockOut),
}

/// A change of states at one site.
#[derive(Clone, Debug, PartialEq)]
pub struct StateEdit {
    /// Layer; 0 is the embedding.
    pub layer: usize,
    /// Site, one that the layer has.
    pub site: Site,
    /// Rows of the tree that this pass computes.
    pub rows: Vec<usize>,
    /// Columns of the states that change; of [`Site::Z`], those of head h begin at `h · head_dim`.
    pub columns: Range<usize>,
    /// The change of each row, its vector `[n_columns]`.
    pub change: StateChange,
}

/// How a state x changes.
#[derive(Clone, Debug, PartialEq)]
pub enum StateChange {
    /// It becomes the vector (activation patching; ablation by zeros or by a mean).
    Replace(Vec<f32>),
    /// The vector is added (steering).
    Add(Vec<f32>),
    /// Its projection on the vector v is removed: x − (x·v / v·v) v (directional ablation).
    Remove(Vec<f32>),
}

impl StateChange {
    /// The vector, `[n_columns]`.
    pub fn vector(&self) -> &[f32] {
        match self {
            Self::Replace(vector) | Self::Add(vector) | Self::Remove(vector) => vector,
        }
    }
}

/// Keys that some heads do not see: their scores become −∞ before the softmax, so that the other keys share their mass.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionKnockOut {
    /// Layer, from 1.
    pub layer: usize,
    /// Query rows of the tree that this pass computes.
    pub rows: Vec<usize>,
    /// Query heads, from 0.
    pub heads: Vec<usize>,
    /// Positions of the keys on each row's path.
    pub keys: Positions,
}

/// Checks every edit against the model and the batch.
///
/// # Errors
/// With the index of an edit whose layer, site, rows, columns, vector or heads do not exist, or which leaves a query no key.
pub fn check_edits(
    edits: &[Edit],
    batch: &Batch<'_>,
    architecture: &Architecture,
) -> Result<(), ExtractError> {
    for (index, edit) in edits.iter().enumerate() {
        let problem = match edit {
            Edit::States(edit) => state_problem(edit, batch, architecture),
            Edit::KnockOut(edit) => knock_out_problem(edit, batch, architecture),
        };
        problem.map_or(Ok(()), |problem| Err(ExtractError::Edit { index, problem }))?;
    }
    check_visible_keys(edits, batch, architecture)
}

fn state_problem(edit: &StateEdit, batch: &Batch<'_>, architecture: &Architecture) -> Option<String> {
    let StateEdit { layer, site, columns, change, .. } = edit;
    let n_layers = architecture.shape.n_layers;
    let has_site = match site {
        Site::Embed => *layer == 0,
        Site::FinalNorm => *layer == n_layers,
        Site::ResidMid if architecture.residual == Residual::Parallel => {
            return Some("blocks of this model have no `resid_mid`: their parts are parallel".to_owned());
        }
        _ => (1..=n_layers).contains(layer),
    };
    if !has_site {
        return Some(format!("layer {layer} of {n_layers} has no site `{}`", site.name()));
    }
    let width = architecture.width(*site);
    if columns.is_empty() || columns.end > width {
        return Some(format!("columns {columns:?} are not among the {width} of `{}`", site.name()));
    }
    let vector = change.vector();
    if vector.len() != columns.len() {
        return Some(format!("{} columns need as many values, not {}", columns.len(), vector.len()));
    }
    if vector.iter().any(|v| !v.is_finite()) {
        return Some("its vector has a value that is not finite".to_owned());
    }
    if matches!(change, StateChange::Remove(_)) && vector.iter().all(|v| *v == 0.0) {
        return Some("a direction of zeros cannot be removed".to_owned());
    }
    row_problem(&edit.rows, batch)
}

fn knock_out_problem(
    edit: &AttentionKnockOut,
    batch: &Batch<'_>,
    architecture: &Architecture,
) -> Option<String> {
    let n_layers = architecture.shape.n_layers;
    if !(1..=n_layers).contains(&edit.layer) {
        return Some(format!(
            "layer {} has no attention: the model's blocks are 1 to {n_layers}",
            edit.layer
        ));
    }
    let n_heads = architecture.shape.n_heads;
    if let Some(head) = edit.heads.iter().find(|head| **head >= n_heads) {
        return Some(format!("there is no head {head}: the model has {n_heads}"));
    }
    row_problem(&edit.rows, batch)
}

fn row_problem(rows: &[usize], batch: &Batch<'_>) -> Option<String> {
    let computed = batch.rows();
    let row = rows.iter().find(|row| !computed.contains(*row))?;
    Some(format!("row {row} is not among those of this pass, {computed:?}"))
}

/// Refuses knock-outs that together hide every key which a query sees: a softmax over nothing is undefined.
fn check_visible_keys(
    edits: &[Edit],
    batch: &Batch<'_>,
    architecture: &Architecture,
) -> Result<(), ExtractError> {
    let mut hidden: BTreeMap<[usize; 3], HiddenKeys> = BTreeMap::new();
    for (index, edit) in edits.iter().enumerate() {
        let Edit::KnockOut(edit) = edit else { continue };
        for (row, head) in edit.rows.iter().flat_map(|row| edit.heads.iter().map(move |head| (row, head))) {
            let keys = hidden.entry([edit.layer, *row, *head]).or_default();
            keys.edit = index;
            keys.positions.extend(edit.keys.iter().cloned());
        }
    }
    for ([layer, row, head], HiddenKeys { edit: index, mut positions }) in hidden {
        let end = batch.position(row) + 1;
        let window = architecture.layers[layer - 1].window.unwrap_or(usize::MAX);
        let mut next = end.saturating_sub(window);
        positions.sort_by_key(|range| range.start);
        for range in positions.iter().map(|range| range.start as usize..range.end as usize) {
            next = if range.contains(&next) { range.end } else { next };
        }
        if next >= end {
            let problem = format!("head {head} of layer {layer} would see no key in row {row}");
            return Err(ExtractError::Edit { index, problem });
        }
    }
    Ok(())
}

/// Keys that one head does not see from one row.
#[derive(Default)]
struct HiddenKeys {
    positions: Positions,
    /// The last edit that hides some.
    edit: usize,
}
