//! Each prompt's own measures: the rows that changes in behaviour are set against.

use crate::prompts::TaskPrompts;
use hypercolumn_schemas::tables::MeasureRow;

/// How the names of alignments begin. Those of two prompts share a pair, so that they are not independent observations.
pub(crate) const ALIGNMENT: &str = "alignment: ";

/// How the names of contrasts of attention begin.
pub(crate) const ATTENTION: &str = "attention: ";

/// A measure of one analysis at one layer.
pub(crate) struct Measure<'a> {
    pub(crate) name: &'a str,
    pub(crate) layer: i16,
}

impl Measure<'_> {
    /// Its row for one prompt, which is given by its number in the task.
    pub(crate) fn row(&self, prompts: &TaskPrompts, prompt: usize, value: Option<f64>) -> MeasureRow {
        MeasureRow {
            prompt_id: prompts.ids[prompt].to_string(),
            item_id: prompts.items[prompt].to_string(),
            condition: prompts.conditions[prompts.condition_of[prompt]].to_string(),
            measure: self.name.to_owned(),
            layer: self.layer,
            value,
        }
    }
}
