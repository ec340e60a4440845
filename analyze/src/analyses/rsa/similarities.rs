//! Similarities of the prompts of every subset at every layer and site.

use super::Hypothesis;
use super::condition_subset::ConditionSubset;
use crate::error::AnalyzeError;
use crate::states::{LayerSite, StateSource, States};
use crate::stats::similarity::{compute_rectangle, compute_similarities, normalize};
use crate::stats::{Normalization, NumericsError, Similarity, pairs::condensed_index};
use hypercolumn_schemas::Site;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The ways of comparing vectors that some entry asks for.
pub(super) struct Geometry {
    /// Each way once.
    pub ways: Vec<(Normalization, Similarity)>,
}

impl Geometry {
    /// All ways of these entries.
    pub(super) fn of<'a>(entries: impl Iterator<Item = &'a Hypothesis>) -> Self {
        let mut ways = Vec::new();
        for entry in entries {
            for &normalization in &entry.normalization {
                for &similarity in &entry.similarity {
                    if !ways.contains(&(normalization, similarity)) {
                        ways.push((normalization, similarity));
                    }
                }
            }
        }
        Self { ways }
    }
}

/// The RDM of a subset as a vector of similarities, `[n_pairs]`, or why there is none.
pub(super) type Rdm = Result<Vec<f64>, NumericsError>;

/// Similarities of all subsets: by subset and way, one RDM a layer and site in the order of `layer_sites`.
pub(super) struct Measured {
    /// Layers and sites.
    pub layer_sites: Vec<LayerSite>,
    ways: Vec<(Normalization, Similarity)>,
    rdms: BTreeMap<(usize, usize), Vec<Rdm>>,
}

impl Measured {
    /// The similarities of subset `f` at layer 0, `[n_pairs]`.
    pub(super) fn layer_zero(
        &self,
        f: usize,
        normalization: Normalization,
        similarity: Similarity,
    ) -> Option<&[f64]> {
        let at = self.layer_sites.iter().position(|layer_site| layer_site.layer == 0)?;
        self.of(f, normalization, similarity).get(at)?.as_deref().ok()
    }

    /// The RDMs of subset `f`, one a layer and site.
    pub(super) fn of(&self, f: usize, normalization: Normalization, similarity: Similarity) -> &[Rdm] {
        let way = self.ways.iter().position(|way| *way == (normalization, similarity));
        way.and_then(|way| self.rdms.get(&(f, way))).map_or(&[], Vec::as_slice)
    }
}

/// Reads each layer once and compares the prompts of every subset in every way.
pub(super) fn measure_all(
    source: &StateSource<'_>,
    subsets: &[ConditionSubset],
    geometry: &Geometry,
    sites: Option<&[Site]>,
) -> Result<Measured, AnalyzeError> {
    let mut layer_sites = Vec::new();
    let mut rdms: BTreeMap<(usize, usize), Vec<Rdm>> = BTreeMap::new();
    for layer in source.layers(sites) {
        for states in source.read(layer, sites)? {
            let work: Vec<(usize, usize)> =
                (0..subsets.len()).flat_map(|f| (0..geometry.ways.len()).map(move |w| (f, w))).collect();
            let found: Vec<((usize, usize), Rdm)> = work
                .into_par_iter()
                .map(|(f, w)| ((f, w), measure(&states, &subsets[f], geometry.ways[w])))
                .collect();
            layer_sites.push(states.layer_site.clone());
            for (key, rdm) in found {
                rdms.entry(key).or_default().push(rdm);
            }
        }
    }
    Ok(Measured { layer_sites, ways: geometry.ways.clone(), rdms })
}

fn measure(states: &States, subset: &ConditionSubset, way: (Normalization, Similarity)) -> Rdm {
    if subset.is_rectangle {
        measure_rectangle(states, subset, way)
    } else {
        measure_square(states, subset, way)
    }
}

fn measure_square(
    states: &States,
    subset: &ConditionSubset,
    (normalization, similarity): (Normalization, Similarity),
) -> Rdm {
    let n = subset.prompts.len();
    let condensed = compute_similarities(&states.gather(&subset.prompts), n, normalization, similarity)?;
    Ok(subset.pairs.iter().map(|(i, j)| condensed[condensed_index(n, i, j)]).collect())
}

/// Rows and columns are normalised each among themselves: what all rows differ in from all columns
/// (their length, their layer_site) is no similarity of a row with its column.
fn measure_rectangle(
    states: &States,
    subset: &ConditionSubset,
    (normalization, similarity): (Normalization, Similarity),
) -> Rdm {
    let n = subset.prompts.len();
    let (rows, columns) = subset.prompts.split_at(subset.n_rows);
    let mut vectors = Vec::with_capacity(n * states.n_dimensions);
    for side in [rows, columns] {
        let normal = normalize(&states.gather(side), side.len(), normalization)?;
        vectors.extend(normal.values().iter().map(|&v| v as f32));
    }
    let layer_sites: (Vec<usize>, Vec<usize>) = ((0..subset.n_rows).collect(), (subset.n_rows..n).collect());
    let sides = (layer_sites.0.as_slice(), layer_sites.1.as_slice());
    let rectangle = compute_rectangle(&vectors, n, sides, Normalization::None, similarity)?;
    let n_columns = n - subset.n_rows;
    Ok(subset.pairs.iter().map(|(i, j)| rectangle[i * n_columns + (j - subset.n_rows)]).collect())
}
