//! What is undefined says why; nothing is ever NaN.

use super::super::comparison::{Comparison, compare, compare_vectors};
use super::super::correlation::{CorrelationKind, correlate};
use super::super::multiple_testing::benjamini_hochberg;
use super::super::paired::{one_sample_t, paired_t, wilcoxon_signed_rank};
use super::super::partial::PartialComparison;
use super::super::similarity::{Normalization, Similarity, compute_similarities, normalize};
use super::super::summary::{mean, percentile, standard_deviation};
use super::super::{ModelRdm, NumericsError, PairList, Undefined};
use super::{COMPARISONS, noise, random, same_group};

const SIMILARITIES: [Similarity; 5] = [
    Similarity::Cosine,
    Similarity::Correlation,
    Similarity::Euclidean,
    Similarity::SquaredEuclidean,
    Similarity::Mahalanobis,
];

fn reason<T: std::fmt::Debug>(result: Result<T, NumericsError>) -> Undefined {
    result.unwrap_err().undefined().unwrap()
}

#[test]
fn reasons_print_as_the_text_of_a_table() {
    assert_eq!(Undefined::ConstantHypothesis.to_string(), "constant_hypothesis");
    assert_eq!(Undefined::TooFewPrompts.to_string(), "too_few_prompts");
    assert_eq!(NumericsError::from(Undefined::NoPairs).to_string(), "no_pairs");
}

#[test]
fn comparisons_that_do_not_exist_say_why() {
    for comparison in COMPARISONS {
        let pairs = PairList::upper_triangle(5);
        let measure: Vec<f64> = (0..10).map(|v| f64::from(v) - 3.0).collect();
        let constant = same_group(&[1; 5]);
        assert_eq!(reason(compare(&measure, &constant, &pairs, comparison)), Undefined::ConstantHypothesis);
        let hypothesis = same_group(&[0, 0, 1, 1, 1]);
        assert_eq!(reason(compare(&[0.0; 10], &hypothesis, &pairs, comparison)), Undefined::ConstantMeasure);
        let few = PairList::upper_triangle(3);
        let small = same_group(&[0, 0, 1]);
        assert_eq!(reason(compare(&[1.0, 2.0, 3.0], &small, &few, comparison)), Undefined::TooFewPrompts);
        let silent = ModelRdm::on_pairs(&pairs, &[None; 10]).unwrap();
        assert_eq!(reason(compare(&measure, &silent, &pairs, comparison)), Undefined::NoPairs);
        let nan = compare(&[f64::NAN; 10], &hypothesis, &pairs, comparison);
        assert_eq!(nan, Err(NumericsError::NonFinite { what: "measure", index: 0 }));
    }
}

#[test]
fn comparisons_stay_finite_and_within_bounds_at_extreme_scales() {
    let y: Vec<f64> = (0..12).map(|v| f64::from(v % 4)).collect();
    for scale in [1e-150, 1e-12, 1.0, 1e12, 1e150] {
        let x: Vec<f64> = y.iter().map(|v| v * scale).collect();
        for comparison in COMPARISONS {
            let found = compare_vectors(&x, &y, comparison).unwrap();
            assert!(found.is_finite() && (-1.0..=1.0).contains(&found), "{comparison} at {scale}: {found}");
        }
    }
}

#[test]
fn vectors_without_direction_have_no_cosine() {
    let vectors = [0.0, 0.0, 1.0, 2.0, 3.0, 4.0];
    let run = |similarity| compute_similarities(&vectors, 3, Normalization::None, similarity);
    assert_eq!(reason(run(Similarity::Cosine)), Undefined::ZeroVector);
    assert_eq!(reason(run(Similarity::Correlation)), Undefined::ZeroVector);
    assert!(run(Similarity::Euclidean).unwrap().iter().all(|v| *v < 0.0));
    let nan = compute_similarities(&[f32::NAN, 1.0], 2, Normalization::None, Similarity::Cosine);
    assert_eq!(nan, Err(NumericsError::NonFinite { what: "vectors", index: 0 }));
}

#[test]
fn equal_vectors_tie_exactly_whatever_the_rounding() {
    // Three kinds of vector in turn, as where prompts end in one of three tokens.
    let (n, d) = (30, 97);
    let kinds: Vec<Vec<f32>> =
        (0..3).map(|k| noise(d, &mut random(k)).iter().map(|v| *v as f32).collect()).collect();
    let vectors: Vec<f32> = (0..n).flat_map(|i| kinds[i % 3].clone()).collect();
    for similarity in SIMILARITIES {
        for normalization in [Normalization::None, Normalization::Standardize] {
            let mut found = compute_similarities(&vectors, n, normalization, similarity).unwrap();
            assert!(found.iter().all(|v| v.is_finite()), "{similarity}");
            found.sort_unstable_by(f64::total_cmp);
            found.dedup();
            assert!(found.len() <= 4, "{similarity} {normalization}: {found:?}");
        }
    }
    let same: Vec<f32> = (0..n).flat_map(|_| kinds[0].clone()).collect();
    let run = |normalization, similarity| compute_similarities(&same, n, normalization, similarity);
    assert!(run(Normalization::None, Similarity::Cosine).unwrap().iter().all(|v| *v == 1.0));
    assert_eq!(reason(run(Normalization::Standardize, Similarity::Cosine)), Undefined::ZeroVector);
    assert_eq!(reason(run(Normalization::None, Similarity::Mahalanobis)), Undefined::NoVariance);
    assert!(run(Normalization::None, Similarity::Euclidean).unwrap().iter().all(|v| *v == 0.0));
}

#[test]
fn constant_dimensions_standardize_to_zero() {
    let vectors: Vec<f32> = (0..7).flat_map(|i| [0.1, i as f32, 1e-30 * i as f32]).collect();
    let found = normalize(&vectors, 7, Normalization::Standardize).unwrap();
    for i in 0..7 {
        assert_eq!(found.get(i, 0), 0.0);
        assert!((found.get(i, 1) - (i as f64 - 3.0) / 2.0).abs() < 1e-12);
        assert!((found.get(i, 2) - (i as f64 - 3.0) / 2.0).abs() < 1e-6);
    }
}

#[test]
fn empty_and_malformed_inputs_are_refused_or_empty() {
    let nothing = compute_similarities(&[], 0, Normalization::Standardize, Similarity::Cosine);
    assert_eq!(nothing, Ok(Vec::new()));
    let ragged = compute_similarities(&[1.0; 7], 3, Normalization::None, Similarity::Cosine);
    assert!(matches!(ragged, Err(NumericsError::LengthMismatch { .. })));
    assert_eq!(PairList::from_pairs(3, [(1, 1)]), Err(NumericsError::SelfPair { index: 1 }));
    assert!(matches!(PairList::from_pairs(3, [(1, 3)]), Err(NumericsError::OutOfRange { .. })));
    assert!(matches!(
        ModelRdm::from_pairs(3, [(0, 1, Some(f64::NAN))]),
        Err(NumericsError::NonFinite { .. })
    ));
    assert_eq!((mean(&[]), percentile(&[], 50.0), standard_deviation(&[1.0])), (None, None, None));
    assert_eq!(benjamini_hochberg(&[None, Some(0.02), None]), vec![None, Some(0.02), None]);
}

#[test]
fn paired_tests_that_do_not_exist_say_why() {
    assert_eq!(reason(one_sample_t(&[1.0], 0.0)), Undefined::TooFewObservations);
    assert_eq!(reason(paired_t(&[2.1, 3.1, 4.1], &[2.1, 3.1, 4.1])), Undefined::ConstantValues);
    assert_eq!(reason(wilcoxon_signed_rank(&[1.0, 2.0], &[1.0, 2.0])), Undefined::NoNonzeroDifferences);
    assert_eq!(reason(wilcoxon_signed_rank(&[], &[])), Undefined::TooFewObservations);
    let flat = correlate(&[0.1; 5], &[1.0, 2.0, 3.0, 4.0, 5.0], CorrelationKind::Pearson);
    assert_eq!(reason(flat), Undefined::ConstantValues);
    let line = correlate(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0], CorrelationKind::Pearson).unwrap();
    assert!((line.estimate - 1.0).abs() < 1e-12 && line.p_value < 1e-15, "{line:?}");
}

#[test]
fn a_hypothesis_that_is_its_own_nuisance_is_explained() {
    let (pairs, hypothesis) = (PairList::upper_triangle(8), same_group(&[0, 0, 1, 1, 2, 2, 3, 3]));
    let own = vec![pairs.iter().map(|(i, j)| hypothesis.value(i, j)).collect()];
    let made = |nuisances: &[Vec<Option<f64>>], comparison| {
        PartialComparison::new(&hypothesis, nuisances, &pairs, comparison).map(|_| ())
    };
    assert_eq!(reason(made(&own, Comparison::Spearman)), Undefined::ExplainedByNuisance);
    let refused = made(&[], Comparison::RhoA);
    assert_eq!(refused, Err(NumericsError::NoPartialForm { comparison: "rho_a".to_owned() }));
    let other = vec![noise(pairs.len(), &mut random(1)).into_iter().map(Some).collect::<Vec<_>>()];
    let partial = PartialComparison::new(&hypothesis, &other, &pairs, Comparison::Spearman).unwrap();
    let itself: Vec<f64> = other[0].iter().flatten().copied().collect();
    assert_eq!(reason(partial.hold_constant(&itself)), Undefined::ExplainedByNuisance);
}

#[test]
fn cka_is_one_with_itself_and_undefined_for_what_only_prompts_add() {
    let pairs = PairList::upper_triangle(10);
    let kernel = noise(pairs.len(), &mut random(2));
    let of = |values: &[f64]| {
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        let hypothesis = ModelRdm::on_pairs(&pairs, &values).unwrap();
        PartialComparison::new(&hypothesis, &[], &pairs, Comparison::Cka)
    };
    let itself = of(&kernel).unwrap();
    assert!((itself.estimate(&itself.hold_constant(&kernel).unwrap()) - 1.0).abs() < 1e-12);
    let additive: Vec<f64> = pairs.iter().map(|(i, j)| (i * i + j * j) as f64).collect();
    assert_eq!(reason(of(&additive).map(|_| ())), Undefined::ConstantHypothesis);
    assert_eq!(reason(itself.hold_constant(&additive)), Undefined::ConstantMeasure);
    let holed = ModelRdm::from_pairs(10, (1..8).map(|j| (0, j, Some(j as f64)))).unwrap();
    let holed = PartialComparison::new(&holed, &[], &pairs, Comparison::Cka);
    assert_eq!(reason(holed.map(|_| ())), Undefined::IncompleteHypothesis);
}
