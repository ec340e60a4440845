//! Similarities of the prompts of every frame at every layer and site.

use super::Hypothesis;
use super::frame::Frame;
use crate::error::AnalyzeError;
use crate::states::{Place, StateSource, States};
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

/// Similarities aligned with a frame's pairs, or why there are none.
pub(super) type Measure = Result<Vec<f64>, NumericsError>;

/// Similarities of all frames: by frame and way, one measure a place in the order of `places`.
pub(super) struct Measured {
    /// Layers and sites.
    pub places: Vec<Place>,
    ways: Vec<(Normalization, Similarity)>,
    measures: BTreeMap<(usize, usize), Vec<Measure>>,
}

impl Measured {
    /// The measures of frame `f`, one a place.
    pub(super) fn of(&self, f: usize, normalization: Normalization, similarity: Similarity) -> &[Measure] {
        let way = self.ways.iter().position(|way| *way == (normalization, similarity));
        way.and_then(|way| self.measures.get(&(f, way))).map_or(&[], Vec::as_slice)
    }
}

/// Reads each layer once and compares the prompts of every frame in every way.
pub(super) fn measure_all(
    source: &StateSource<'_>,
    frames: &[Frame],
    geometry: &Geometry,
    sites: Option<&[Site]>,
) -> Result<Measured, AnalyzeError> {
    let mut places = Vec::new();
    let mut measures: BTreeMap<(usize, usize), Vec<Measure>> = BTreeMap::new();
    for layer in source.layers(sites) {
        for states in source.read(layer, sites)? {
            let work: Vec<(usize, usize)> =
                (0..frames.len()).flat_map(|f| (0..geometry.ways.len()).map(move |w| (f, w))).collect();
            let found: Vec<((usize, usize), Measure)> = work
                .into_par_iter()
                .map(|(f, w)| ((f, w), measure(&states, &frames[f], geometry.ways[w])))
                .collect();
            places.push(states.place.clone());
            for (key, measure) in found {
                measures.entry(key).or_default().push(measure);
            }
        }
    }
    Ok(Measured { places, ways: geometry.ways.clone(), measures })
}

fn measure(states: &States, frame: &Frame, way: (Normalization, Similarity)) -> Measure {
    if frame.is_rectangle {
        measure_rectangle(states, frame, way)
    } else {
        measure_square(states, frame, way)
    }
}

fn measure_square(
    states: &States,
    frame: &Frame,
    (normalization, similarity): (Normalization, Similarity),
) -> Measure {
    let n = frame.prompts.len();
    let condensed = compute_similarities(&states.gather(&frame.prompts), n, normalization, similarity)?;
    Ok(frame.pairs.iter().map(|(i, j)| condensed[condensed_index(n, i, j)]).collect())
}

/// Rows and columns are normalised each among themselves: what all rows differ in from all columns
/// (their length, their place) is no similarity of a row with its column.
fn measure_rectangle(
    states: &States,
    frame: &Frame,
    (normalization, similarity): (Normalization, Similarity),
) -> Measure {
    let n = frame.prompts.len();
    let (rows, columns) = frame.prompts.split_at(frame.n_rows);
    let mut vectors = Vec::with_capacity(n * states.n_dimensions);
    for side in [rows, columns] {
        let normal = normalize(&states.gather(side), side.len(), normalization)?;
        vectors.extend(normal.values().iter().map(|&v| v as f32));
    }
    let places: (Vec<usize>, Vec<usize>) = ((0..frame.n_rows).collect(), (frame.n_rows..n).collect());
    let sides = (places.0.as_slice(), places.1.as_slice());
    let rectangle = compute_rectangle(&vectors, n, sides, Normalization::None, similarity)?;
    let n_columns = n - frame.n_rows;
    Ok(frame.pairs.iter().map(|(i, j)| rectangle[i * n_columns + (j - frame.n_rows)]).collect())
}
