//! Each prompt's own alignment: the measure of an entry that is set against behaviour.

use super::Alignment;
use super::clustered::model_rdm;
use super::condition_subset::ConditionSubset;
use super::inference::{Inference, Scope};
use crate::analyses::measures::{ALIGNMENT, Measure};
use crate::stats::comparison::compare_vectors;
use rayon::prelude::*;

impl Inference<'_> {
    /// Each prompt's own alignment: the comparison over its pairs alone.
    pub(super) fn measure_prompts(&self, f: usize, subset: &ConditionSubset, alignment: &mut Alignment) {
        let entry = self.scope.entry;
        let first = entry
            .normalization
            .first()
            .zip(entry.similarity.first())
            .zip(entry.comparisons().first().copied());
        let Some(((&normalization, &similarity), comparison)) = first else { return };
        let partners = partners_of_rows(subset);
        let rdms = self.measured.of(f, normalization, similarity);
        let name = format!("{ALIGNMENT}{}", self.scope.measure_name());
        for (layer_site, rdm) in self.measured.layer_sites.iter().zip(rdms) {
            let Ok(rdm) = rdm else { continue };
            if !layer_site.is_measured(entry.site.as_deref()) {
                continue;
            }
            let align = |own: &Vec<(usize, f64)>| {
                let (x, y): (Vec<f64>, Vec<f64>) = own.iter().map(|&(k, value)| (rdm[k], value)).unzip();
                compare_vectors(&x, &y, comparison).ok()
            };
            let values: Vec<Option<f64>> = partners.par_iter().map(align).collect();
            let row = Measure { name: &name, layer: layer_site.layer };
            for (i, value) in values.into_iter().enumerate() {
                alignment.measures.push(row.row(self.context.prompts, subset.prompts[i], value));
            }
        }
    }
}

impl Scope<'_> {
    /// The entry's part of the measure's name; with the role where that is not the whole prompt.
    fn measure_name(&self) -> String {
        match self.entry.segment.as_str() {
            "prompt" => self.entry.hypothesis.clone(),
            role => format!("{} ({role})", self.entry.hypothesis),
        }
    }
}

/// For each row prompt, the pairs that it is in: position among the subset's pairs and the hypothesis.
fn partners_of_rows(subset: &ConditionSubset) -> Vec<Vec<(usize, f64)>> {
    let hypothesis = model_rdm(subset);
    let mut partners = vec![Vec::new(); subset.n_rows];
    for (k, (i, j)) in subset.pairs.iter().enumerate() {
        let Some(value) = hypothesis.value(i, j) else { continue };
        partners[i].push((k, value));
        if !subset.is_rectangle {
            partners[j].push((k, value));
        }
    }
    partners
}
