//! Against itself: seeds, row order, rank deficiency, shared designs.

use super::super::*;
use super::planted_vectors;

const D: usize = 40;

fn settings() -> ProbeSettings {
    ProbeSettings { n_permutations: 30, ..ProbeSettings::default() }
}

fn reorder<T: Copy>(values: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&row| values[row]).collect()
}

#[test]
fn a_seed_gives_one_result() {
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let values = planted_vectors(&labels, D, 0.3, 1);
    let groups: Vec<usize> = (0..60).map(|i| i / 2).collect();
    let sample = Sample { vectors: Vectors { values: &values, n_dimensions: D }, groups: &groups };
    let fit = || fit_probe(sample, Target::Classes(&labels), &settings()).unwrap();
    assert_eq!(fit(), fit());
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let values = planted_vectors(&labels, D, 0.3, 2);
    let groups: Vec<usize> = (0..60).map(|i| i / 2).collect();
    let target: Vec<f64> = (0..60).map(|i| f64::from(values[i * D]) + 0.1 * i as f64).collect();
    // 17 is coprime to 60, so this is a permutation.
    let order: Vec<usize> = (0..60).map(|i| (i * 17 + 5) % 60).collect();
    let moved: Vec<f32> = order.iter().flat_map(|&row| values[row * D..(row + 1) * D].to_vec()).collect();
    let (moved_labels, moved_groups) = (reorder(&labels, &order), reorder(&groups, &order));
    let moved_target = reorder(&target, &order);
    let fit = |values: &[f32], groups: &[usize], labels: &[usize], target: &[f64]| {
        let sample = Sample { vectors: Vectors { values, n_dimensions: D }, groups };
        let targets = [Target::Classes(labels), Target::Values(target)];
        let results = fit_probes(sample, &targets, &settings());
        results.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let before = fit(&values, &groups, &labels, &target);
    let after = fit(&moved, &moved_groups, &moved_labels, &moved_target);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(reorder(&before.prompt_folds, &order), after.prompt_folds);
        assert_eq!(before.penalties, after.penalties);
        for (a, b) in reorder(&before.prompt_scores, &order).iter().zip(&after.prompt_scores) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
        for (a, b) in before.metrics.iter().zip(&after.metrics) {
            assert!((a.score.unwrap() - b.score.unwrap()).abs() < 1e-5);
            let (a, b) = (a.interval.unwrap(), b.interval.unwrap());
            assert!((a.low - b.low).abs() < 1e-5 && (a.high - b.high).abs() < 1e-5);
        }
    }
}

#[test]
fn copied_and_constant_dimensions_change_nothing() {
    // Each dimension twice and a constant one: the same model at the same relative penalty, except that
    // the unit grows with the number of dimensions exactly as squared lengths do.
    let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
    let values = planted_vectors(&labels, 50, 0.2, 3);
    let groups: Vec<usize> = (0..40).collect();
    let doubled: Vec<f32> = values.chunks_exact(50).flat_map(|row| [row, row, &[2.5]].concat()).collect();
    let fit = |values: &[f32], d| {
        let sample = Sample { vectors: Vectors { values, n_dimensions: d }, groups: &groups };
        fit_probe(sample, Target::Classes(&labels), &settings()).unwrap().prompt_scores
    };
    for (a, b) in fit(&values, 50).iter().zip(fit(&doubled, 101)) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
}

#[test]
fn targets_fitted_together_or_alone_agree() {
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let values = planted_vectors(&labels, D, 0.3, 4);
    let groups: Vec<usize> = (0..60).map(|i| i / 2).collect();
    let target: Vec<f64> = (0..60).map(|i| f64::from(values[i * D])).collect();
    let other: Vec<f64> = (0..60).map(|i| f64::from(values[i * D + 1])).collect();
    let sample = Sample { vectors: Vectors { values: &values, n_dimensions: D }, groups: &groups };
    let targets = [Target::Values(&target), Target::Classes(&labels), Target::Values(&other)];
    let together = fit_probes(sample, &targets, &settings());
    for (target, result) in targets.iter().zip(together) {
        assert_eq!(fit_probe(sample, *target, &settings()), result);
    }
}

#[test]
fn codes_do_not_depend_on_row_order() {
    assert_eq!(encode(&["b", "a", "c", "a"]), [1, 0, 2, 0]);
    assert_eq!(encode(&["a", "a", "b", "c"]), [0, 0, 1, 2]);
}

#[test]
fn refits_together_are_the_fits_one_by_one() {
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let values = planted_vectors(&labels, D, 0.3, 5);
    let vectors = Vectors { values: &values, n_dimensions: D };
    let groups: Vec<usize> = (0..60).map(|i| i / 2).collect();
    let counts = FoldCounts { n_folds: 5, n_inner_folds: 3 };
    let stream = crate::RandomStream::new(1, &[]);
    let plan = FoldPlan::new(&groups, &groups, &[], &[], counts, (stream, 0)).unwrap();
    let design = Design::new(vectors, vectors, plan).unwrap();
    let sets: Vec<Vec<f64>> = (0..70)
        .map(|k| (0..60).map(|i| f64::from(values[i * D + k % D]) + (k * i % 7) as f64).collect())
        .collect();
    let penalties = &ProbeSettings::default().ridge_penalties;
    for (set, together) in sets.iter().zip(refit_values(&design, &sets, penalties)) {
        let alone = cross_validate_values(&design, set, penalties).scores;
        for (a, b) in together.predicted.iter().zip(&alone.predicted) {
            assert!((a - b).abs() < 1e-9, "{a} and {b}");
        }
    }
}

#[test]
fn smoothers_are_the_same_with_and_without_principal_components() {
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let groups: Vec<usize> = (0..60).map(|i| i / 2).collect();
    // More dimensions than prompts, then fewer.
    for d in [90, 12] {
        let values = planted_vectors(&labels, d, 0.3, 6);
        let vectors = Vectors { values: &values, n_dimensions: d };
        let counts = FoldCounts { n_folds: 4, n_inner_folds: 2 };
        let stream = crate::RandomStream::new(2, &[]);
        let plan = FoldPlan::new(&groups, &groups, &labels, &labels, counts, (stream, 0)).unwrap();
        let test = TestDesign::new(vectors, vectors, &plan);
        let design = Design::new(vectors, vectors, plan).unwrap();
        for n_classes in [2, 3] {
            let without = test.smoothers(n_classes).unwrap();
            for (fold, without) in design.folds.iter().zip(&without) {
                let with = Smoother::of_basis(fold, n_classes);
                assert_eq!((&with.train, &with.test), (&without.train, &without.test));
                let intercept = n_classes as f64 / with.train.len() as f64;
                let difference = &with.matrix - &without.matrix;
                let largest = (0..difference.ncols()).flat_map(|j| difference.col_as_slice(j)).copied();
                let largest = largest.fold(0.0f64, |max, value| max.max((value - intercept).abs()));
                assert!(largest < 1e-9 * with.matrix.norm_max(), "{largest}");
            }
        }
    }
}

#[test]
fn a_logistic_refit_is_one_newton_step() {
    // Two classes and one dimension, where the step can be written down.
    let values: Vec<f32> = (0..12).map(|i| [0.5, -1.0, 2.0, 0.25][i % 4] + i as f32 / 7.0).collect();
    let labels: Vec<usize> = (0..12).map(|i| usize::from(i % 3 == 0)).collect();
    let groups: Vec<usize> = (0..12).collect();
    let counts = FoldCounts { n_folds: 3, n_inner_folds: 2 };
    let stream = crate::RandomStream::new(3, &[]);
    let plan = FoldPlan::new(&groups, &groups, &[], &[], counts, (stream, 0)).unwrap();
    let vectors = Vectors { values: &values, n_dimensions: 1 };
    let smoothers = TestDesign::new(vectors, vectors, &plan).smoothers(2).unwrap();
    let refit = &refit_classes(&smoothers, std::slice::from_ref(&labels), 2, 12)[0];
    for fold in 0..3 {
        let (train, test) = plan.split(fold);
        let n = train.len() as f64;
        let mean = train.iter().map(|&row| f64::from(values[row])).sum::<f64>() / n;
        let variance = train.iter().map(|&row| (f64::from(values[row]) - mean).powi(2)).sum::<f64>() / n;
        let z = |row: usize| (f64::from(values[row]) - mean) / variance.sqrt();
        let residual = |row: usize| labels[row] as f64 - 0.5;
        // The relative penalty of 1 is n for one dimension; the Hessian of a class is n / 2 without it. No intercept.
        let slope = train.iter().map(|&row| z(row) * residual(row)).sum::<f64>() / (0.5 * n + n);
        for row in test {
            let odds = 2.0 * slope * z(row);
            let log_probabilities = &refit.log_probabilities[2 * row..2 * row + 2];
            assert!((log_probabilities[1] - log_probabilities[0] - odds).abs() < 1e-12);
        }
    }
}
