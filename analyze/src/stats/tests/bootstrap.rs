//! Bootstrap over items: equal to repetition, the same on any number of threads, honest coverage.

use rand::RngExt;

use super::super::bootstrap::*;
use super::super::comparison::{Comparison, compare, compare_vectors};
use super::super::correlation::{CorrelationKind, bootstrap_correlation};
use super::super::resampling::bootstrap_mean;
use super::super::summary::CONFIDENCE;
use super::super::{ModelRdm, PairList, Undefined};
use super::{noise, on_threads, random, same_group};

fn settings(n_draws: usize, seed: u64) -> BootstrapSettings {
    BootstrapSettings { n_draws, seed, stream: 0 }
}

#[test]
fn draws_are_those_of_repeated_prompts_without_pairs_within_items() {
    let (n, n_items) = (14, 9);
    let mut random = random(1);
    let items: Vec<u32> = (0..n).map(|_| random.random_range(0..n_items)).collect();
    let pairs = PairList::upper_triangle(n);
    let value = |(i, j): (usize, usize)| (i, j, ((i + 2 * j) % 7 != 3).then_some(((i * j) % 3) as f64));
    let hypothesis = ModelRdm::from_pairs(n, pairs.iter().map(value)).unwrap();
    let smooth = noise(pairs.len(), &mut random);
    let tied: Vec<f64> = smooth.iter().map(|v| (2.0 * v).round()).collect();
    let measures: [&[f64]; 2] = [&smooth, &tied];
    let design = ItemDesign { items: &items, n_items: n_items as usize };
    let comparisons = [
        Comparison::RhoA,
        Comparison::Spearman,
        Comparison::Pearson,
        Comparison::Cosine,
        Comparison::KendallTauB,
    ];
    for comparison in comparisons {
        let found =
            bootstrap_comparisons(&measures, &hypothesis, &pairs, design, comparison, settings(21, 2))
                .unwrap();
        for draw in 0..21 {
            let multiplicities = draw_multiplicities(n_items as usize, settings(21, 2), draw);
            let copies = |prompt: usize| multiplicities[items[prompt] as usize];
            let prompts: Vec<usize> =
                (0..n).flat_map(|prompt| (0..copies(prompt)).map(move |_| prompt)).collect();
            for (m, measure) in measures.iter().enumerate() {
                let (mut x, mut y) = (Vec::new(), Vec::new());
                for (a, &i) in prompts.iter().enumerate() {
                    for &j in &prompts[a + 1..] {
                        let Some(expected) = hypothesis.value(i, j).filter(|_| items[i] != items[j]) else {
                            continue;
                        };
                        x.push(measure[super::super::pairs::condensed_index(n, i, j)]);
                        y.push(expected);
                    }
                }
                let expected = compare_vectors(&x, &y, comparison).unwrap();
                assert!((found.draws(m)[draw].unwrap() - expected).abs() < 1e-12, "{comparison}");
            }
        }
    }
}

#[test]
fn leaving_a_prompt_out_is_comparing_without_it() {
    let groups: Vec<u32> = (0..9).map(|i| i % 3).collect();
    let items: Vec<u32> = (0..9).collect();
    let (pairs, hypothesis) = (PairList::upper_triangle(9), same_group(&groups));
    let measure = noise(pairs.len(), &mut random(2));
    let found = leave_one_prompt_out(&[&measure], &hypothesis, &pairs, &items, Comparison::RhoA).unwrap();
    for out in 0..9 {
        let kept = pairs.positions_where(|i, j| i != out && j != out);
        let values: Vec<f64> = kept.iter().map(|&p| measure[p]).collect();
        let expected = compare(&values, &hypothesis, &pairs.select(&kept), Comparison::RhoA).unwrap();
        assert!((found.draws(0)[out].unwrap() - expected).abs() < 1e-12);
    }
}

#[test]
fn results_do_not_depend_on_threads_and_conditions_share_draws() {
    let groups: Vec<u32> = (0..30).map(|i| i % 5).collect();
    let items: Vec<u32> = (0..30).collect();
    let (pairs, hypothesis) = (PairList::upper_triangle(30), same_group(&groups));
    let mut random = random(3);
    let measures: Vec<Vec<f64>> = (0..4).map(|_| noise(pairs.len(), &mut random)).collect();
    let views: Vec<&[f64]> = measures.iter().map(Vec::as_slice).collect();
    let design = ItemDesign { items: &items, n_items: 30 };
    let run = |views: &[&[f64]]| {
        bootstrap_comparisons(views, &hypothesis, &pairs, design, Comparison::RhoA, settings(61, 4)).unwrap()
    };
    let one = on_threads(1, || run(&views));
    assert_eq!(one, on_threads(2, || run(&views)));
    let alone = run(&views[2..3]);
    assert_eq!(alone.draws(0), one.draws(2));
    let differences = paired_differences(alone.draws(0), one.draws(2)).unwrap();
    assert!(differences.iter().all(|d| *d == Some(0.0)));
    let interval = one.interval(0, CONFIDENCE).unwrap();
    assert!(interval.low < interval.high && interval.n_defined == 61);
}

#[test]
fn undefined_draws_are_none_and_too_many_of_them_leave_no_interval() {
    // The hypothesis is 1 for one pair only: draws without both of its items are constant.
    let items: Vec<u32> = (0..6).collect();
    let pairs = PairList::upper_triangle(6);
    let value = |(i, j): (usize, usize)| (i, j, Some(f64::from(u8::from((i, j) == (0, 1)))));
    let hypothesis = ModelRdm::from_pairs(6, pairs.iter().map(value)).unwrap();
    let measure = noise(15, &mut random(4));
    let design = ItemDesign { items: &items, n_items: 6 };
    for comparison in [Comparison::RhoA, Comparison::Pearson, Comparison::KendallTauA] {
        let found =
            bootstrap_comparisons(&[&measure], &hypothesis, &pairs, design, comparison, settings(400, 1))
                .unwrap();
        let n_defined = found.draws(0).iter().flatten().count();
        assert!((100..300).contains(&n_defined), "{n_defined}");
        assert!(found.draws(0).iter().flatten().all(|d| d.is_finite()));
        assert_eq!(found.interval(0, CONFIDENCE).err(), Some(Undefined::TooFewDefinedResamples));
    }
}

#[test]
fn intervals_of_means_and_correlations_cover_the_truth() {
    let n = 60;
    let items: Vec<u32> = (0..n as u32).collect();
    let design = ItemDesign { items: &items, n_items: n };
    let (mut covered_mean, mut covered_correlation) = (0, 0);
    for seed in 0..600 {
        let mut random = random(seed);
        let (x, y) = (noise(n, &mut random), noise(n, &mut random));
        let estimate = bootstrap_mean(&x, design, settings(400, seed), CONFIDENCE).unwrap();
        let interval = estimate.interval.unwrap();
        covered_mean += usize::from(interval.low <= 0.0 && 0.0 <= interval.high);
        let interval =
            bootstrap_correlation(&x, &y, CorrelationKind::Spearman, design, settings(400, seed), CONFIDENCE)
                .unwrap();
        covered_correlation += usize::from(interval.low <= 0.0 && 0.0 <= interval.high);
    }
    // 95 % +- 3 standard errors of 600 trials, less the percentile method's known shortfall at n = 60.
    assert!((550..=586).contains(&covered_mean), "{covered_mean}");
    assert!((550..=586).contains(&covered_correlation), "{covered_correlation}");
}
