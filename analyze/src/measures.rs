//! Each prompt's own measures: the rows that changes in behaviour are set against.

use crate::prompts::TaskPrompts;
use crate::rows::Cell;
use std::sync::Arc;

/// A row of `measures`.
pub(crate) fn cells(
    prompts: &TaskPrompts,
    prompt: usize,
    measure: &Arc<str>,
    layer: i32,
    value: Option<f64>,
) -> Vec<Cell> {
    vec![
        (&prompts.ids[prompt]).into(),
        (&prompts.items[prompt]).into(),
        (&prompts.conditions[prompts.condition_of[prompt]]).into(),
        measure.into(),
        layer.into(),
        value.into(),
    ]
}
