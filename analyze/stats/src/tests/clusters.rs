//! Inference over clusters: the classical tests where every cluster is one observation, stated error rates where it is not.

use rand::RngExt;

use super::super::clusters::{correlation_over_clusters, effect_size_over_clusters, mean_over_clusters};
use super::super::correlation::CorrelationKind;
use super::super::dyadic::{PairClusters, familywise_p_values};
use super::super::influence::influence;
use super::super::paired::one_sample_t;
use super::super::{Comparison, ModelRdm, PairList, RandomStream, Undefined};
use super::{COMPARISONS, assert_close, noise, random, same_group};
use crate::comparison::{compare, compare_vectors};

/// Values with a part that a cluster shares.
fn clustered(sizes: &[usize], random: &mut rand_chacha::ChaCha8Rng) -> (Vec<f64>, Vec<u32>) {
    let shared = noise(sizes.len(), random);
    let clusters: Vec<u32> = (0..).zip(sizes).flat_map(|(c, &n)| vec![c; n]).collect();
    let own = noise(clusters.len(), random);
    (clusters.iter().zip(own).map(|(&c, own)| shared[c as usize] + own).collect(), clusters)
}

#[test]
fn clusters_of_one_give_students_t() {
    let values: Vec<f64> = noise(17, &mut random(1)).into_iter().map(|v| v + 0.4).collect();
    let clusters: Vec<u32> = (0..17).collect();
    let (found, expected) =
        (mean_over_clusters(&values, &clusters).unwrap(), one_sample_t(&values, 0.0).unwrap());
    assert_close(found.value, expected.mean_difference, "mean");
    assert_close(found.degrees_of_freedom, 16.0, "degrees of freedom");
    assert_close(found.p_value, expected.p_value, "p-value");
    assert_close(effect_size_over_clusters(&values, &clusters).unwrap().value, expected.effect_size, "d_z");
    // scipy.stats.t.ppf(0.975, 16)
    let half = 2.119_905_299_221_011_2 * found.standard_error;
    let interval = found.interval(0.95);
    assert!(
        (interval.high - found.value - half).abs() < 1e-7 && (found.value - interval.low - half).abs() < 1e-7
    );
}

#[test]
fn too_little_says_why() {
    let reason =
        |values: &[f64], clusters: &[u32]| mean_over_clusters(values, clusters).unwrap_err().undefined();
    assert_eq!(reason(&[], &[]), Some(Undefined::TooFewObservations));
    assert_eq!(reason(&[1.0, 2.0], &[0, 0]), Some(Undefined::TooFewClusters));
    assert_eq!(reason(&[2.0, 2.0], &[0, 1]), Some(Undefined::ConstantValues));
}

#[test]
fn means_of_clusters_of_any_size_are_tested_at_the_stated_level() {
    for sizes in [vec![4; 20], vec![1, 1, 2, 3, 5, 8, 13, 2, 4, 6, 1, 3, 9, 2, 2, 7, 4, 1, 5, 3]] {
        let mut random = random(2);
        let (mut rejected, mut covered) = (0, 0);
        for _ in 0..2000 {
            let (values, clusters) = clustered(&sizes, &mut random);
            let estimate = mean_over_clusters(&values, &clusters).unwrap();
            rejected += usize::from(estimate.p_value <= 0.05);
            let interval = estimate.interval(0.95);
            covered += usize::from(interval.low <= 0.0 && 0.0 <= interval.high);
        }
        assert!((70..=130).contains(&rejected), "{rejected} of 2000");
        assert_eq!(covered + rejected, 2000);
    }
}

#[test]
fn correlations_of_clustered_rows_are_tested_at_the_stated_level() {
    for kind in [CorrelationKind::Pearson, CorrelationKind::Spearman] {
        let mut random = random(3);
        let rejected = (0..2000)
            .filter(|_| {
                let (x, clusters) = clustered(&[6; 24], &mut random);
                let (y, _) = clustered(&[6; 24], &mut random);
                correlation_over_clusters(&x, &y, &clusters, kind).unwrap().p_value <= 0.05
            })
            .count();
        assert!((70..=130).contains(&rejected), "{kind}: {rejected} of 2000");
    }
}

/// The influence of a row is what the comparison moves by, per share of weight that the row gains: numerically, by
/// repeating the data often and one row once more.
#[test]
fn influences_are_what_a_row_moves_a_comparison_by() {
    let mut random = random(4);
    let x: Vec<f64> = noise(30, &mut random).iter().map(|v| (v * 4.0).round()).collect();
    let y: Vec<f64> = x.iter().zip(noise(30, &mut random)).map(|(x, e)| (0.3 * x + e).round()).collect();
    for comparison in COMPARISONS {
        let repeated = |row: Option<usize>| {
            let values = |v: &[f64]| -> Vec<f64> {
                let many = v.iter().flat_map(|v| vec![*v; 60]);
                many.chain(row.map(|row| v[row])).collect()
            };
            compare_vectors(&values(&x), &values(&y), comparison).unwrap()
        };
        let whole = repeated(None);
        for (row, expected) in influence(&x, &y, comparison).into_iter().enumerate() {
            let found = (repeated(Some(row)) - whole) * (30.0 * 60.0 + 1.0);
            assert!((found - expected).abs() < 0.05, "{comparison} row {row}: {found} for {expected}");
        }
    }
}

/// Similarities of prompts of `n` clusters with `m` prompts each, an item effect each, and a similarity of a group.
fn similarities(n: usize, m: usize, effect: f64, seed: u64) -> (Vec<f64>, ModelRdm, PairList, Vec<u32>) {
    let mut random = random(seed);
    let d = 20;
    let groups: Vec<u32> = (0..n).map(|_| random.random_range(0..4)).collect();
    let centers = noise(4 * d, &mut super::random(99));
    let items = noise(n * d, &mut random);
    let own = noise(n * m * d, &mut random);
    let clusters: Vec<u32> = (0..n as u32).flat_map(|c| vec![c; m]).collect();
    let vector = |p: usize| -> Vec<f64> {
        let c = clusters[p] as usize;
        let value = |k| effect * centers[groups[c] as usize * d + k] + items[c * d + k] + own[p * d + k];
        let mut vector: Vec<f64> = (0..d).map(value).collect();
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
        vector
    };
    let vectors: Vec<Vec<f64>> = (0..n * m).map(vector).collect();
    let pairs = PairList::upper_triangle(n * m).without_same_item(&clusters).unwrap();
    let dot = |(i, j): (usize, usize)| vectors[i].iter().zip(&vectors[j]).map(|(a, b)| a * b).sum();
    let by_prompt: Vec<u32> = clusters.iter().map(|&c| groups[c as usize]).collect();
    (pairs.iter().map(dot).collect(), same_group(&by_prompt), pairs, clusters)
}

/// Intervals cover the true alignment (the mean of many data sets) as often as they say, near zero and away from it.
#[test]
fn intervals_of_alignments_cover() {
    for (effect, least) in [(0.0, 0.93), (0.25, 0.92), (0.6, 0.90)] {
        let mut found = Vec::new();
        for seed in 0..600 {
            let (similarities, hypothesis, pairs, clusters) = similarities(40, 2, effect, 1000 + seed);
            let value = compare(&similarities, &hypothesis, &pairs, Comparison::Spearman).unwrap();
            let y: Vec<f64> = pairs.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
            let sums = PairClusters::new(&pairs, &clusters, 40).unwrap();
            let sums = sums.add_up(&influence(&similarities, &y, Comparison::Spearman));
            found.push((value, sums.estimate(value).unwrap().correlation_interval(0.95)));
        }
        let mean = found.iter().map(|(value, _)| value).sum::<f64>() / found.len() as f64;
        let truth = if effect == 0.0 { 0.0 } else { mean };
        let covered = found.iter().filter(|(_, i)| i.low <= truth && truth <= i.high).count();
        let share = covered as f64 / found.len() as f64;
        assert!((least..=0.985).contains(&share), "effect {effect}: {share} at {mean}");
    }
}

#[test]
fn changes_are_tested_at_the_stated_level_alone_and_together() {
    let (mut alone, mut together) = (0, 0);
    for seed in 0..500 {
        let of = |seed| {
            let (similarities, hypothesis, pairs, clusters) = similarities(40, 2, 0.0, seed);
            let value = compare(&similarities, &hypothesis, &pairs, Comparison::Pearson).unwrap();
            let y: Vec<f64> = pairs.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
            let sums = PairClusters::new(&pairs, &clusters, 40).unwrap();
            (value, sums.add_up(&influence(&similarities, &y, Comparison::Pearson)))
        };
        let layers: Vec<_> = (0..3)
            .map(|layer| {
                let (before, after) = (of(seed * 10 + layer), of(seed * 10 + layer + 5));
                let sums = after.1.minus(&before.1);
                (sums.estimate(after.0 - before.0).unwrap(), sums)
            })
            .collect();
        alone += usize::from(layers[0].0.p_value <= 0.05);
        let views: Vec<_> = layers.iter().map(|(estimate, sums)| (*estimate, sums)).collect();
        let corrected = familywise_p_values(&views, RandomStream::new(seed, &[]), 199);
        together += usize::from(corrected.iter().any(|p| *p <= 0.05));
    }
    assert!((12..=35).contains(&alone), "{alone} of 500");
    assert!((8..=38).contains(&together), "{together} of 500");
}

/// Two hypotheses that fit equally well: their difference is found at the stated level, and one that fits better is found.
#[test]
fn differences_of_two_hypotheses_are_tested_at_the_stated_level() {
    let (n, d) = (40, 20);
    let tested = |effects: [f64; 2], seed: u64| {
        let mut random = random(seed);
        let groups: Vec<Vec<u32>> =
            (0..2).map(|_| (0..n).map(|_| random.random_range(0..4)).collect()).collect();
        let centers = noise(2 * 4 * d, &mut random);
        let own = noise(n * d, &mut random);
        let value = |p: usize, k: usize| {
            let of = |h: usize| effects[h] * centers[(4 * h + groups[h][p] as usize) * d + k];
            of(0) + of(1) + own[p * d + k]
        };
        let pairs = PairList::upper_triangle(n);
        let similarities: Vec<f64> =
            pairs.iter().map(|(i, j)| (0..d).map(|k| value(i, k) * value(j, k)).sum()).collect();
        let clusters: Vec<u32> = (0..n as u32).collect();
        let clusters = PairClusters::new(&pairs, &clusters, n).unwrap();
        let aligned = |groups: &[u32]| {
            let hypothesis = same_group(groups);
            let y: Vec<f64> = pairs.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
            let value = compare_vectors(&similarities, &y, Comparison::Spearman).unwrap();
            (value, clusters.add_up(&influence(&similarities, &y, Comparison::Spearman)))
        };
        let (one, other) = (aligned(&groups[0]), aligned(&groups[1]));
        one.1.minus(&other.1).estimate(one.0 - other.0).unwrap().p_value <= 0.05
    };
    let n_found = |effects: [f64; 2]| (0..600).filter(|seed| tested(effects, 5000 + seed)).count();
    for (effects, expected) in [([0.0, 0.0], 2..=45), ([0.9, 0.2], 480..=600)] {
        let found = n_found(effects);
        assert!(expected.contains(&found), "{effects:?}: {found} of 600");
    }
}
