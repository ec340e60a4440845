//! Properties of fold plans.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::*;
use crate::RandomStream;

const COUNTS: FoldCounts = FoldCounts { n_folds: 5, n_inner_folds: 3 };

fn stream(seed: u64) -> (RandomStream, usize) {
    (RandomStream::new(seed, &[]), 0)
}

/// Groups of a set of rows.
fn groups_of(rows: &[usize], groups: &[usize]) -> BTreeSet<usize> {
    rows.iter().map(|&row| groups[row]).collect()
}

#[test]
fn no_group_is_on_both_sides_and_every_row_is_held_out_once() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n = rng.random_range(30..120);
        let n_groups = rng.random_range(12..30);
        let groups: Vec<usize> = (0..n).map(|_| rng.random_range(0..n_groups)).collect();
        let classes: Vec<usize> = (0..n).map(|_| rng.random_range(0..4)).collect();
        let stratified = seed % 2 == 0;
        let labels: &[usize] = if stratified { &classes } else { &[] };
        let plan = FoldPlan::new(&groups, &groups, labels, labels, COUNTS, stream(seed)).unwrap();
        let mut held_out = vec![0; n];
        for fold in 0..5 {
            let (train, test) = plan.split(fold);
            assert!(!test.is_empty());
            assert!(groups_of(&train, &groups).is_disjoint(&groups_of(&test, &groups)));
            test.iter().for_each(|&row| held_out[row] += 1);
            for inner in 0..3 {
                let (out, own): (Vec<usize>, Vec<usize>) =
                    train.iter().partition(|&&row| plan.inner_fold[fold][row] == inner);
                assert!(!out.is_empty());
                assert!(groups_of(&out, &groups).is_disjoint(&groups_of(&own, &groups)));
            }
        }
        assert!(held_out.iter().all(|&count| count == 1));
    }
}

#[test]
fn balanced_designs_give_balanced_folds() {
    // 16 classes × 16 prompts, each its own group: 51 or 52 prompts and 3 or 4 of each class.
    let labels: Vec<usize> = (0..256).map(|i| i % 16).collect();
    let groups: Vec<usize> = (0..256).collect();
    let plan = FoldPlan::new(&groups, &groups, &labels, &labels, COUNTS, stream(3)).unwrap();
    for fold in 0..5 {
        let (_, test) = plan.split(fold);
        assert!((50..=53).contains(&test.len()), "{} prompts", test.len());
        for class in 0..16 {
            let n = test.iter().filter(|&&row| labels[row] == class).count();
            assert!((3..=4).contains(&n), "{n} prompts of class {class}");
        }
    }
}

#[test]
fn a_class_with_two_groups_is_spread_over_two_folds() {
    for seed in 0..50 {
        let groups: Vec<usize> = (0..40).map(|i| i / 2).collect();
        let labels: Vec<usize> = groups.iter().map(|group| group / 2).collect();
        let plan = FoldPlan::new(&groups, &groups, &labels, &labels, COUNTS, stream(seed)).unwrap();
        for fold in 0..5 {
            let (train, _) = plan.split(fold);
            let classes: BTreeSet<usize> = train.iter().map(|&row| labels[row]).collect();
            assert_eq!(classes.len(), 10);
        }
    }
}

#[test]
fn seeds_change_folds_and_row_order_does_not() {
    let groups: Vec<usize> = (0..60).map(|i| i / 3).collect();
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let plan = |groups: &[usize], labels: &[usize], seed| {
        FoldPlan::new(groups, groups, labels, labels, COUNTS, stream(seed)).unwrap()
    };
    let first = plan(&groups, &labels, 1);
    assert_eq!(first, plan(&groups, &labels, 1));
    assert_ne!(first, plan(&groups, &labels, 2));
    let reversed: Vec<usize> = groups.iter().rev().copied().collect();
    let labels: Vec<usize> = labels.iter().rev().copied().collect();
    let mut second = plan(&reversed, &labels, 1);
    second.eval_fold.reverse();
    assert_eq!(first.eval_fold, second.eval_fold);
}
