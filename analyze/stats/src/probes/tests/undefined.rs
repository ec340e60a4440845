//! Every reason for having no result, and its text.

use super::super::*;
use super::planted_vectors;

fn fit(labels: &[usize], groups: &[usize]) -> Result<ProbeResult, Undefined> {
    let values = planted_vectors(labels, 6, 1.0, 1);
    let sample = Sample { vectors: Vectors { values: &values, n_dimensions: 6 }, groups };
    fit_probe(sample, Target::Classes(labels), &ProbeSettings::default())
}

fn fit_on(values: &[f32], target: Target) -> Result<ProbeResult, Undefined> {
    let groups: Vec<usize> = (0..values.len() / 2).collect();
    let sample = Sample { vectors: Vectors { values, n_dimensions: 2 }, groups: &groups };
    fit_probe(sample, target, &ProbeSettings::default())
}

#[test]
fn impossible_designs_say_why() {
    let own: Vec<usize> = (0..20).collect();
    let two: Vec<usize> = (0..20).map(|i| i % 2).collect();
    assert_eq!(fit(&[0, 1, 0], &[0, 1, 2]), Err(Undefined::TooFewPrompts));
    assert_eq!(fit(&[7; 20], &own), Err(Undefined::SingleClass));
    let four: Vec<usize> = (0..20).map(|i| i % 4).collect();
    let reason = Undefined::FewerGroupsThanFolds;
    assert_eq!(fit(&two, &four), Err(reason));
    assert_eq!(reason.to_string(), "fewer_groups_than_folds");
}

#[test]
fn a_class_in_one_group_is_named_as_the_caller_coded_it() {
    let groups: Vec<usize> = (0..24).map(|i| i / 2).collect();
    let labels: Vec<usize> = groups.iter().map(|&g| if g == 0 { 9 } else { g % 2 }).collect();
    let reason = fit(&labels, &groups).unwrap_err();
    assert!(matches!(reason, Undefined::ClassAbsentFromTrainingFold));
    assert_eq!(reason.to_string(), "class_absent_from_training_fold");
}

#[test]
fn unusable_numbers_say_why() {
    let labels: Vec<usize> = (0..12).map(|i| i % 2).collect();
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let good = planted_vectors(&labels, 2, 1.0, 2);
    let mut bad = good.clone();
    bad[3] = f32::NAN;
    assert_eq!(fit_on(&bad, Target::Classes(&labels)), Err(Undefined::NonFiniteVector));
    assert_eq!(fit_on(&[1.5; 24], Target::Values(&values)), Err(Undefined::ConstantVectors));
    assert_eq!(fit_on(&good, Target::Values(&[2.0; 12])), Err(Undefined::ConstantTarget));
    let infinite: Vec<f64> = values.iter().map(|value| 1.0 / value).collect();
    assert_eq!(fit_on(&good, Target::Values(&infinite)), Err(Undefined::NonFiniteTarget));
}

#[test]
fn one_undefined_target_leaves_the_others_alone() {
    let labels: Vec<usize> = (0..20).map(|i| i % 2).collect();
    let values = planted_vectors(&labels, 6, 1.0, 3);
    let groups: Vec<usize> = (0..20).collect();
    let sample = Sample { vectors: Vectors { values: &values, n_dimensions: 6 }, groups: &groups };
    let targets = [Target::Classes(&[1; 20]), Target::Classes(&labels)];
    let results = fit_probes(sample, &targets, &ProbeSettings::default());
    assert_eq!(results[0], Err(Undefined::SingleClass));
    assert!(results[1].is_ok());
}
