//! Against scikit-learn and scipy, on the numbers that `make_probes_reference.py` wrote.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::classification::{count, cross_validate_classes};
use super::super::design::FoldDesign;
use super::super::logistic::{Logistic, TIGHT};
use super::super::metrics::{ClassScores, Scored, ValueScores};
use super::super::online_code::code_in_order;
use super::super::regression::cross_validate_values;
use super::super::ridge::predict_ridge_path;
use super::super::target::CodedClasses;
use super::super::*;

#[derive(Deserialize)]
struct Fixture<C> {
    cases: Vec<C>,
}

fn read_cases<C: DeserializeOwned>(name: &str) -> Vec<C> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/probes");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_str::<Fixture<C>>(&text).unwrap().cases
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let scale = expected.abs().max(1.0);
        assert!((found - expected).abs() <= tolerance * scale, "entry {i}: {found} for {expected}");
    }
}

fn exponentials(logs: &[f64]) -> Vec<f64> {
    logs.iter().map(|log| log.exp()).collect()
}

#[derive(Deserialize)]
struct FixedPenalties {
    n_dimensions: usize,
    x: Vec<f32>,
    labels: Vec<usize>,
    target: Vec<f64>,
    train: Vec<usize>,
    test: Vec<usize>,
    fits: Vec<Fit>,
}

#[derive(Deserialize)]
struct Fit {
    penalty: f64,
    squared_weights: f64,
    intercepts: Vec<f64>,
    log_probabilities: Vec<f64>,
    ridge_predictions: Vec<f64>,
}

impl FixedPenalties {
    fn design(&self) -> FoldDesign {
        let vectors = Vectors { values: &self.x, n_dimensions: self.n_dimensions };
        let inner = vec![0; self.labels.len()];
        let (train, test) = (self.train.clone(), self.test.clone());
        FoldDesign::new((vectors, train), (vectors, test), &inner).unwrap()
    }
}

fn row_major(matrix: &faer::Mat<f64>) -> Vec<f64> {
    let rows = 0..matrix.nrows();
    rows.flat_map(|i| (0..matrix.ncols()).map(move |j| matrix[(i, j)])).collect()
}

#[test]
fn logistic_fits_match_scikit_learn() {
    for case in read_cases::<FixedPenalties>("fixed_penalties") {
        let design = case.design();
        let labels: Vec<usize> = case.train.iter().map(|&row| case.labels[row]).collect();
        let k = 1 + labels.iter().max().unwrap();
        for fit in &case.fits {
            let mut model = Logistic::new(&design.basis, &labels, k);
            assert!(model.fit(fit.penalty, TIGHT));
            let found = row_major(&model.predict());
            assert_close(&exponentials(&found), &exponentials(&fit.log_probabilities), 1e-6);
            assert_close(&found, &fit.log_probabilities, 1e-5);
            let weights = model.weights();
            let rank = weights.nrows() - 1;
            let squared: f64 = (0..k).map(|c| (0..rank).map(|j| weights[(j, c)].powi(2)).sum::<f64>()).sum();
            let intercepts: Vec<f64> = (0..k).map(|c| weights[(rank, c)]).collect();
            if k == 2 {
                // scikit-learn's one vector is the difference of our two.
                assert_close(&[2.0 * squared], &[fit.squared_weights], 1e-5);
                assert_close(&[intercepts[1] - intercepts[0]], &fit.intercepts, 1e-5);
            } else {
                assert_close(&[squared], &[fit.squared_weights], 1e-5);
                let centered = |values: &[f64]| -> Vec<f64> {
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    values.iter().map(|value| value - mean).collect()
                };
                assert_close(&centered(&intercepts), &centered(&fit.intercepts), 1e-5);
            }
        }
    }
}

#[test]
fn a_warm_started_path_ends_where_a_cold_start_does() {
    for case in read_cases::<FixedPenalties>("fixed_penalties") {
        let design = case.design();
        let labels: Vec<usize> = case.train.iter().map(|&row| case.labels[row]).collect();
        let k = count(&labels, labels.len()).iter().filter(|&&count| count > 0).count();
        let mut warm = Logistic::new(&design.basis, &labels, k);
        for fit in case.fits.iter().rev() {
            assert!(warm.fit(fit.penalty, TIGHT));
            let found = row_major(&warm.predict());
            assert_close(&exponentials(&found), &exponentials(&fit.log_probabilities), 1e-6);
        }
    }
}

#[test]
fn ridge_fits_match_scikit_learn() {
    for case in read_cases::<FixedPenalties>("fixed_penalties") {
        let design = case.design();
        let target: Vec<f64> = case.train.iter().map(|&row| case.target[row]).collect();
        let penalties: Vec<f64> = case.fits.iter().map(|fit| fit.penalty).collect();
        let found = predict_ridge_path(&design.basis, &target, &penalties);
        for (column, fit) in case.fits.iter().enumerate() {
            assert_close(found.col_as_slice(column), &fit.ridge_predictions, 1e-9);
        }
    }
}

#[derive(Deserialize)]
struct Nested {
    n_dimensions: usize,
    x: Vec<f32>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    target: Vec<f64>,
    outer: Vec<usize>,
    inner: Vec<Vec<usize>>,
    penalties: Vec<f64>,
    ridge_penalties: Vec<f64>,
    chosen: Vec<f64>,
    chosen_ridge: Vec<f64>,
    log_probabilities: Vec<f64>,
    ridge_predictions: Vec<f64>,
    balanced_accuracy: f64,
    accuracy: f64,
    macro_f1: f64,
    log_loss: f64,
    auroc: Option<f64>,
    r2: f64,
    mean_absolute_error: f64,
    pearson_r: f64,
}

#[test]
fn nested_cross_validation_matches_scikit_learn() {
    for case in read_cases::<Nested>("nested") {
        let vectors = Vectors { values: &case.x, n_dimensions: case.n_dimensions };
        let plan = FoldPlan {
            train_fold: case.outer.clone(),
            eval_fold: case.outer.clone(),
            inner_fold: case.inner.clone(),
        };
        let design = Design::new(vectors, vectors, plan).unwrap();
        let k = 1 + case.labels.iter().max().unwrap();
        let fit = cross_validate_classes(&design, &case.labels, k, &case.penalties).unwrap();
        assert_eq!(fit.penalties, case.chosen);
        let expected = exponentials(&case.log_probabilities);
        assert_close(&exponentials(&fit.scores.log_probabilities), &expected, 1e-6);
        let fit = cross_validate_values(&design, &case.target, &case.ridge_penalties);
        assert_eq!(fit.penalties, case.chosen_ridge);
        assert_close(&fit.scores.predicted, &case.ridge_predictions, 1e-9);

        let settings = ProbeSettings {
            logistic_penalties: case.penalties,
            ridge_penalties: case.ridge_penalties,
            n_permutations: 0,
            ..ProbeSettings::default()
        };
        let sample = Sample { vectors, groups: &case.groups };
        let fitter = Fitter { train: sample, eval: sample, rows: EvaluatedRows::Same, settings: &settings };
        let scores = |target| {
            let result = fitter.fit_designs(&[&design], &[], (target, target)).unwrap();
            result.metrics.iter().map(|metric| metric.score.unwrap()).collect::<Vec<f64>>()
        };
        let expected = [case.balanced_accuracy, case.accuracy, case.macro_f1];
        let found = scores(Target::Classes(&case.labels));
        assert_close(&found[..3], &expected, 1e-12);
        assert_close(&found[3..4], &[case.log_loss], 1e-6);
        assert_eq!(found.len() == 5, case.auroc.is_some());
        if let Some(auroc) = case.auroc {
            assert_close(&found[4..], &[auroc], 1e-9);
        }
        let expected = [case.r2, case.mean_absolute_error, case.pearson_r];
        assert_close(&scores(Target::Values(&case.target)), &expected, 1e-9);
    }
}

#[derive(Deserialize)]
struct Weighted {
    n_classes: usize,
    labels: Vec<usize>,
    log_probabilities: Vec<f64>,
    weights: Vec<f64>,
    target: Vec<f64>,
    predicted: Vec<f64>,
    classification: Vec<f64>,
    regression: Vec<f64>,
}

#[test]
fn weighted_metrics_match_scikit_learn() {
    for case in read_cases::<Weighted>("metrics") {
        let rows = case.log_probabilities.chunks_exact(case.n_classes);
        let likeliest = |row: &[f64]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        let predicted = rows.map(|row| likeliest(row).unwrap()).collect();
        let log_probabilities = case.log_probabilities.clone();
        let scores = ClassScores { n_classes: case.n_classes, predicted, log_probabilities };
        let found: Option<Vec<f64>> = scores.evaluate(&case.labels, &case.weights).into_iter().collect();
        assert_close(&found.unwrap(), &case.classification, 1e-12);
        let scores = ValueScores { predicted: case.predicted };
        let found: Option<Vec<f64>> = scores.evaluate(&case.target, &case.weights).into_iter().collect();
        assert_close(&found.unwrap(), &case.regression, 1e-12);
    }
}

#[derive(Deserialize)]
struct Coded {
    n_dimensions: usize,
    x: Vec<f32>,
    labels: Vec<usize>,
    order: Vec<usize>,
    ends: Vec<usize>,
    penalty: f64,
    bits: f64,
}

#[test]
fn online_code_lengths_match_scikit_learn() {
    for case in read_cases::<Coded>("online_code") {
        let vectors = Vectors { values: &case.x, n_dimensions: case.n_dimensions };
        let groups: Vec<usize> = (0..case.labels.len()).collect();
        let sample = Sample { vectors, groups: &groups };
        let settings = ProbeSettings { logistic_penalties: vec![case.penalty], ..ProbeSettings::default() };
        let coded = CodedClasses::new(&case.labels, &case.labels).unwrap();
        let code = code_in_order(sample, coded, &case.order, case.ends, &settings).unwrap();
        assert_close(&[code.bits], &[case.bits], 1e-6);
    }
}
