//! How long probes take, for comparison by eye: `cargo test --release time_probes -- --ignored --nocapture`.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::*;
use super::planted_vectors;

const N: usize = 256;
const D: usize = 576;
const N_CLASSES: usize = 16;

/// Runs a step and prints its milliseconds.
fn timed<T>(name: &str, step: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = step();
    eprint!("{name} {:.0} ms, ", start.elapsed().as_secs_f64() * 1e3);
    result
}

/// Adds factors shared by all dimensions, the j-th of size 1/j: the uneven spectrum of real activations.
fn add_shared_factors(values: &mut [f32]) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for factor in 1..40 {
        let loadings: Vec<f32> = (0..D).map(|_| rng.random_range(-1.0..1.0)).collect();
        for row in values.chunks_exact_mut(D) {
            let size = rng.random_range(-12.0..12.0) / factor as f32;
            row.iter_mut().zip(&loadings).for_each(|(value, loading)| *value += size * loading);
        }
    }
}

#[test]
#[ignore = "prints timings and asserts nothing about them"]
fn time_probes() {
    let labels: Vec<usize> = (0..N).map(|i| i % N_CLASSES).collect();
    let groups: Vec<usize> = (0..N).collect();
    let settings = ProbeSettings::default();
    for (strength, uneven) in [(0.0, false), (0.3, false), (1.0, false), (0.3, true), (1.0, true)] {
        let mut values = planted_vectors(&labels, D, strength, 1);
        if uneven {
            add_shared_factors(&mut values);
        }
        let target: Vec<f64> = (0..N).map(|i| f64::from(values[i * D] + values[i * D + 1])).collect();
        let vectors = Vectors { values: &values, n_dimensions: D };
        let plan = FoldPlan::new(&groups, &groups, &labels, &labels, (5, 3), 0).unwrap();
        eprint!("strength {strength}, uneven {uneven}: ");
        let design = timed("rotate", || Design::new(vectors, vectors, plan).unwrap());
        let penalties = &settings.logistic_penalties;
        let classes = (Target::Classes(&labels), Target::Classes(&labels));
        timed("logistic alone", || cross_validate_classes(&design, &labels, N_CLASSES, penalties).unwrap());
        let both = (groups.as_slice(), groups.as_slice());
        let fit =
            timed("logistic, control, inference", || fit_design(&design, both, classes, &settings).unwrap());
        timed("ridge alone", || cross_validate_values(&design, &target, &settings.ridge_penalties));
        let numbers = (Target::Values(&target), Target::Values(&target));
        timed("ridge, control, inference", || fit_design(&design, both, numbers, &settings).unwrap());
        let sample = Sample { vectors, groups: &groups };
        timed("online code", || compute_online_code(sample, &labels, &settings).unwrap());
        eprintln!("score {:.2?}, converged {}", fit.metrics[0].score, fit.converged);
        assert!(fit.converged);
    }
}
