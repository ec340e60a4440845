//! `measures`: each prompt's own measures.

use crate::table;

table! {
    MEASURES as MeasureRow;
    name: "measures",
    version: 2,
    grain: "one measure of one prompt at one layer",
    doc: "What associations are computed from: each prompt's own alignment, held-out probe score and contrast of attention.",
    partitions: [Study, Model, Task],
    key: ["study", "model", "task", "prompt_id", "measure", "layer"],
    prompt_id: String = "The prompt.",
    item_id: String = "The prompt's item.",
    condition: String = "The prompt's condition.",
    measure: String = "What was measured, e.g. alignment: same line; probe: slope; attention: final to informative over distractor.",
    layer: i16 = "Layer.",
    value: Option<f64> = "Alignment: the comparison over the pairs of this prompt alone; probe: log-probability of the true class, or minus the absolute error, when held out; attention: the contrast of mean log masses (less its matched control, where the ratio has one), heads combined by mean; not from the response, which would be the answer measured twice.",
}
