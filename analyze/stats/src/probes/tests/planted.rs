//! Against planted truth: signal is found, noise is not, groups are respected.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::*;
use super::planted_vectors;
use crate::RandomStream;

fn uniform(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn own_groups(n: usize) -> Vec<usize> {
    (0..n).collect()
}

fn sample<'a>(values: &'a [f32], n_dimensions: usize, groups: &'a [usize]) -> Sample<'a> {
    Sample { vectors: Vectors { values, n_dimensions }, groups }
}

#[test]
fn a_class_signal_is_found_above_chance() {
    let labels: Vec<usize> = (0..96).map(|i| i % 4).collect();
    let values = planted_vectors(&labels, 120, 0.5, 1);
    let groups = own_groups(96);
    let sample = sample(&values, 120, &groups);
    let settings = ProbeSettings::default();
    let result = fit_probe(sample, Target::Classes(&labels), &settings).unwrap();
    let main = &result.metrics[0];
    assert_eq!(main.metric, Metric::BalancedAccuracy);
    assert!(main.score.unwrap() > 0.9, "{main:?}");
    assert!((main.chance.unwrap() - 0.25).abs() < 0.02, "{main:?}");
    assert!(main.above_chance.unwrap() > 0.6, "{main:?}");
    assert!(main.baseline.unwrap() < 0.3, "{main:?}");
    assert!(main.p_value.unwrap() < 0.006, "{main:?}");
    let interval = main.interval.unwrap();
    assert!(interval.low <= main.score.unwrap() && interval.high - interval.low < 0.2);
    let log_loss = result.metric(Metric::LogLoss).unwrap();
    assert!(log_loss.above_chance.unwrap() > 0.0 && log_loss.p_value.unwrap() < 0.006);
    let mean: f64 = result.prompt_scores.iter().sum::<f64>() / 96.0;
    assert!((mean + log_loss.score.unwrap()).abs() < 1e-12);
    assert!(result.converged);
}

#[test]
fn a_linear_target_is_found_with_the_noise_it_has() {
    let (n, d) = (200, 20);
    let values = uniform(n * d, 2);
    let noise = uniform(n, 3);
    // Signal and noise of equal variance, so that R² is near one half.
    let target: Vec<f64> = (0..n).map(|i| f64::from(values[i * d] + noise[i])).collect();
    let groups = own_groups(n);
    let sample = sample(&values, d, &groups);
    let result = fit_probe(sample, Target::Values(&target), &ProbeSettings::default()).unwrap();
    let r2 = result.metric(Metric::R2).unwrap();
    assert!((0.3..0.6).contains(&r2.score.unwrap()), "{r2:?}");
    assert!(r2.chance.unwrap() < 0.0 && r2.baseline.unwrap() < 0.0, "{r2:?}");
    assert!(r2.p_value.unwrap() < 0.006, "{r2:?}");
    let r = result.metric(Metric::PearsonR).unwrap();
    assert!(r.score.unwrap() > 0.5 && r.baseline.is_none(), "{r:?}");
}

#[test]
fn what_identifies_a_group_does_not_help_with_another() {
    // The label is a property of the group, the vectors identify the group and nothing else: a split
    // that cut through groups would score near 1.
    let groups: Vec<usize> = (0..120).map(|i| i / 6).collect();
    let own = own_groups(120);
    let labels: Vec<usize> = groups.iter().map(|group| group % 2).collect();
    let settings = ProbeSettings { n_permutations: 0, ..ProbeSettings::default() };
    let (mut grouped, mut leaking) = (0.0, 0.0);
    for seed in 0..20 {
        let values = planted_vectors(&groups, 80, 2.0, 400 + seed);
        let score = |groups| {
            let sample = sample(&values, 80, groups);
            let result = fit_probe(sample, Target::Classes(&labels), &settings).unwrap();
            result.metrics[0].score.unwrap() / 20.0
        };
        grouped += score(&groups);
        leaking += score(&own);
    }
    assert!((0.35..0.6).contains(&grouped), "{grouped}");
    assert!(leaking > 0.95, "{leaking}");
}

/// Shares of p-values below .05, one a metric, over noise problems.
fn false_positives(n_draws: u64, fit: impl Fn(u64) -> ProbeResult) -> Vec<f64> {
    let mut counts = Vec::new();
    for seed in 0..n_draws {
        let result = fit(seed);
        counts.resize(result.metrics.len(), 0.0);
        for (count, metric) in counts.iter_mut().zip(&result.metrics) {
            if metric.p_value.is_some_and(|p| p <= 0.05) {
                *count += 1.0 / n_draws as f64;
            }
        }
    }
    counts
}

fn quick(seed: u64) -> ProbeSettings {
    ProbeSettings {
        n_permutations: 99,
        n_repeats: 1,
        logistic_penalties: vec![1e-3, 1e-1, 10.0],
        ridge_penalties: vec![1e-2, 1.0, 100.0],
        stream: RandomStream::new(seed, &[]),
        ..ProbeSettings::default()
    }
}

/// Fails unless every rate is about .05: a test that never rejects is at fault too.
#[track_caller]
fn assert_calibrated(rates: &[f64]) {
    assert!(rates.iter().all(|rate| (0.032..=0.068).contains(rate)), "{rates:?}");
}

#[test]
fn noise_is_called_a_class_signal_as_often_as_stated() {
    let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
    let groups = own_groups(40);
    let rates = false_positives(1_000, |seed| {
        let values = uniform(40 * 30, 10_000 + seed);
        fit_probe(sample(&values, 30, &groups), Target::Classes(&labels), &quick(seed)).unwrap()
    });
    assert_calibrated(&rates);
}

#[test]
fn a_probe_that_overfits_noise_is_called_a_signal_as_often_as_stated() {
    // One weak penalty for all folds: permuting against fixed predictions would be too lenient.
    let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
    let groups = own_groups(40);
    let rates = false_positives(1_000, |seed| {
        let values = uniform(40 * 30, 40_000 + seed);
        let settings = ProbeSettings { logistic_penalties: vec![1e-3], ..quick(seed) };
        fit_probe(sample(&values, 30, &groups), Target::Classes(&labels), &settings).unwrap()
    });
    assert_calibrated(&rates);
}

#[test]
fn noise_in_groups_is_called_a_class_signal_as_often_as_stated() {
    let groups: Vec<usize> = (0..72).map(|i| i / 3).collect();
    let labels: Vec<usize> = groups.iter().map(|group| group % 3).collect();
    let rates = false_positives(1_000, |seed| {
        // Prompts of a group resemble each other, so only groups are exchangeable.
        let values = planted_vectors(&groups, 20, 1.0, 20_000 + seed);
        fit_probe(sample(&values, 20, &groups), Target::Classes(&labels), &quick(seed)).unwrap()
    });
    assert_calibrated(&rates);
}

#[test]
fn noise_is_called_a_linear_signal_as_often_as_stated() {
    let groups = own_groups(40);
    let rates = false_positives(1_000, |seed| {
        let values = uniform(40 * 31, 30_000 + seed);
        let target: Vec<f64> = values[40 * 30..].iter().map(|&y| f64::from(y)).collect();
        let sample = sample(&values[..40 * 30], 30, &groups);
        fit_probe(sample, Target::Values(&target), &quick(seed)).unwrap()
    });
    assert_calibrated(&rates);
}

#[test]
fn a_signal_transfers_to_the_condition_that_shares_it() {
    let (n, d) = (80, 60);
    let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
    let groups = own_groups(n);
    let signal = planted_vectors(&labels, d, 0.6, 5);
    let jitter = uniform(n * d, 6);
    let shared: Vec<f32> = signal.iter().zip(&jitter).map(|(a, b)| a + b).collect();
    let other = planted_vectors(&labels, d, 0.6, 7);
    let both = [(Target::Classes(&labels), Target::Classes(&labels))];
    let settings = ProbeSettings::default();
    let transfer = |eval: &[f32]| {
        let (train, eval) = (sample(&signal, d, &groups), sample(eval, d, &groups));
        fit_transfer_probes(train, eval, &both, &settings).pop().unwrap().unwrap()
    };
    assert!(transfer(&shared).metrics[0].score.unwrap() > 0.9);
    let unrelated = transfer(&other);
    assert!(unrelated.metrics[0].score.unwrap() < 0.8, "{:?}", unrelated.metrics[0]);
}

#[test]
fn a_signal_shortens_the_online_code_and_noise_does_not() {
    let labels: Vec<usize> = (0..128).map(|i| i % 4).collect();
    let groups = own_groups(128);
    let settings = ProbeSettings::default();
    let code = |values: &[f32]| compute_online_code(sample(values, 60, &groups), &labels, &settings).unwrap();
    let signal = code(&planted_vectors(&labels, 60, 0.8, 8));
    assert!(signal.compression > 1.5, "{signal:?}");
    assert!(signal.control_bits > 1.3 * signal.bits, "{signal:?}");
    assert_eq!(signal.uniform_bits, 256.0);
    let noise = code(&uniform(128 * 60, 9));
    assert!((0.8..1.05).contains(&noise.compression), "{noise:?}");
}
