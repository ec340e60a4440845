//! How long it takes at the size of a study. Run by hand:
//! `cargo test --release -p hypercolumn-analyze numerics::tests::timing -- --ignored --nocapture`.

use std::time::Instant;

use super::super::bootstrap::{BootstrapSettings, ItemDesign, bootstrap_comparisons};
use super::super::comparison::Comparison;
use super::super::permutation::{Alternative, Exchangeability, PermutationSettings, permutation_test};
use super::super::similarity::{Normalization, Similarity, compute_similarities};
use super::super::{Hypothesis, PairList};
use super::{noise, random, same_group};

/// Prints seconds.
#[allow(clippy::print_stderr)]
fn time<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    eprintln!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    result
}

/// 128 measures of 256 prompts, the size of four conditions of a small model.
fn run_study(hypothesis: &Hypothesis, name: &str) {
    let (n, n_measures) = (256, 128);
    let pairs = PairList::upper_triangle(n);
    let mut random = random(1);
    let measures: Vec<Vec<f64>> = (0..n_measures).map(|_| noise(pairs.len(), &mut random)).collect();
    let views: Vec<&[f64]> = measures.iter().map(Vec::as_slice).collect();
    let items: Vec<u32> = (0..n as u32).collect();
    let design = ItemDesign { items: &items, n_items: n };
    for comparison in [Comparison::RhoA, Comparison::Spearman, Comparison::Pearson] {
        time(&format!("bootstrap 128 x 500 draws, {name}, {comparison}"), || {
            let settings = BootstrapSettings { n_draws: 500, seed: 1, stream: 0 };
            bootstrap_comparisons(&views, hypothesis, &pairs, design, comparison, settings).unwrap()
        });
        time(&format!("permutation 128 x 1000 draws, {name}, {comparison}"), || {
            let settings =
                PermutationSettings { n_draws: 1000, seed: 1, stream: 0, alternative: Alternative::Greater };
            permutation_test(&views, hypothesis, &pairs, comparison, Exchangeability::default(), settings)
                .unwrap()
        });
    }
}

#[test]
#[ignore = "prints timings"]
fn study_size() {
    let n = 256;
    let groups: Vec<u32> = (0..n as u32).map(|i| i / 16).collect();
    run_study(&same_group(&groups), "two values");
    let pairs = PairList::upper_triangle(n);
    let values: Vec<Option<f64>> = noise(pairs.len(), &mut random(2)).into_iter().map(Some).collect();
    run_study(&Hypothesis::on_pairs(&pairs, &values).unwrap(), "all distinct");

    let vectors: Vec<f32> = noise(1000 * 576, &mut random(3)).iter().map(|v| *v as f32).collect();
    for similarity in [Similarity::Cosine, Similarity::Euclidean, Similarity::Mahalanobis] {
        time(&format!("similarities 1000 x 576, {similarity}"), || {
            compute_similarities(&vectors, 1000, Normalization::Standardize, similarity).unwrap()
        });
    }
    let groups: Vec<u32> = (0..1000).map(|i| i % 16).collect();
    let (pairs, hypothesis) = (PairList::upper_triangle(1000), same_group(&groups));
    let measure = noise(pairs.len(), &mut random(4));
    let items: Vec<u32> = (0..1000).collect();
    time("bootstrap 1 x 500 draws of 1000 prompts, rho_a", || {
        let settings = BootstrapSettings { n_draws: 500, seed: 1, stream: 0 };
        let design = ItemDesign { items: &items, n_items: 1000 };
        bootstrap_comparisons(&[&measure], &hypothesis, &pairs, design, Comparison::RhoA, settings).unwrap()
    });
    time("permutation 1 x 1000 draws of 1000 prompts, rho_a", || {
        let settings =
            PermutationSettings { n_draws: 1000, seed: 1, stream: 0, alternative: Alternative::Greater };
        let free = Exchangeability::default();
        permutation_test(&[&measure], &hypothesis, &pairs, Comparison::RhoA, free, settings).unwrap()
    });
}
