//! Tests of the probes: against scikit-learn, against planted truth, against themselves.

mod folds;
mod invariance;
mod planted;
mod reference;
mod undefined;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Vectors with a planted linear signal: class centres of length about `strength · √d`, plus noise of
/// unit variance in every dimension.
fn planted_vectors(labels: &[usize], d: usize, strength: f32, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n_classes = labels.iter().max().map_or(0, |&class| class + 1);
    // A uniform variable on ±√3 has unit variance.
    let mut unit = || rng.random_range(-1.732_050_8..1.732_050_8f32);
    let centers: Vec<f32> = (0..n_classes * d).map(|_| strength * unit()).collect();
    (0..labels.len() * d).map(|i| centers[labels[i / d] * d + i % d] + unit()).collect()
}
