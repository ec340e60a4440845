//! Against scipy, statsmodels, scikit-learn and rsatoolbox: see
//! `tests/fixtures/numerics/make_numerics_reference.py`.

use serde_json::Value;

use super::super::comparison::{Comparison, compare};
use super::super::correlation::{CorrelationKind, correlate};
use super::super::multiple_testing::benjamini_hochberg;
use super::super::noise_ceiling::noise_ceiling;
use super::super::paired::{SignedRankMethod, one_sample_t, paired_t, wilcoxon_signed_rank};
use super::super::partial::PartialComparison;
use super::super::ranking::mid_ranks;
use super::super::similarity::{Normalization, Similarity, compute_rectangle, compute_similarities};
use super::super::summary::percentile;
use super::super::{ModelRdm, PairList};
use super::assert_close;

fn read(name: &str) -> Value {
    let root = env!("CARGO_MANIFEST_DIR");
    let path = format!("{root}/../../tests/fixtures/numerics/{name}.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn optional_numbers(value: &Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(Value::as_f64).collect()
}

fn vectors(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(count).collect()
}

#[track_caller]
fn assert_all_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    found.iter().zip(expected).for_each(|(f, e)| assert_close(*f, *e, what));
}

/// The relative tolerance also for tiny values, which matters for p-values.
#[track_caller]
fn assert_close_p(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{what}: found {found}, expected {expected}");
}

#[test]
fn similarities_are_those_of_scipy_and_scikit_learn() {
    for case in read("similarity")["cases"].as_array().unwrap() {
        let (n, x) = (count(&case["n"]), vectors(&case["vectors"]));
        for expected in case["expected"].as_array().unwrap() {
            let normalization: Normalization =
                serde_json::from_value(expected["normalization"].clone()).unwrap();
            let similarity: Similarity = serde_json::from_value(expected["similarity"].clone()).unwrap();
            let what = format!("{normalization} {similarity}");
            let found = compute_similarities(&x, n, normalization, similarity).unwrap();
            assert_all_close(&found, &numbers(&expected["condensed"]), &what);
            if expected.get("rectangle").is_some() {
                let subsets = (&*indices(&case["rows"]), &*indices(&case["columns"]));
                let found = compute_rectangle(&x, n, subsets, normalization, similarity).unwrap();
                assert_all_close(&found, &numbers(&expected["rectangle"]), &what);
            }
        }
    }
}

#[test]
fn comparisons_are_those_of_rsatoolbox_and_scipy() {
    for case in read("comparison")["cases"].as_array().unwrap() {
        let pairs = PairList::upper_triangle(count(&case["n"]));
        let hypothesis = ModelRdm::on_pairs(&pairs, &optional_numbers(&case["hypothesis"])).unwrap();
        let measure = numbers(&case["measure"]);
        for (name, expected) in case["expected"].as_object().unwrap() {
            let comparison: Comparison = serde_json::from_value(Value::String(name.clone())).unwrap();
            assert_eq!(&comparison.to_string(), name);
            let found = compare(&measure, &hypothesis, &pairs, comparison).unwrap();
            assert_close(found, expected.as_f64().unwrap(), name);
        }
        for (name, expected) in case["whitened"].as_object().unwrap() {
            let comparison: Comparison = serde_json::from_value(Value::String(name.clone())).unwrap();
            let whitened = PartialComparison::new(&hypothesis, &[], &pairs, comparison).unwrap();
            let found = whitened.estimate(&whitened.hold_constant(&measure).unwrap());
            assert_close(found, expected.as_f64().unwrap(), name);
        }
        let nuisances: Vec<Vec<Option<f64>>> =
            case["nuisances"].as_array().unwrap().iter().map(optional_numbers).collect();
        for (name, comparison) in
            [("partial_spearman", Comparison::Spearman), ("partial_pearson", Comparison::Pearson)]
        {
            let partial = PartialComparison::new(&hypothesis, &nuisances, &pairs, comparison).unwrap();
            let found = partial.estimate(&partial.hold_constant(&measure).unwrap());
            assert_close(found, case[name].as_f64().unwrap(), name);
        }
    }
}

#[test]
fn noise_ceilings_are_those_of_rsatoolbox() {
    for case in read("ceiling")["cases"].as_array().unwrap() {
        let replicates: Vec<Vec<f64>> = case["replicates"].as_array().unwrap().iter().map(numbers).collect();
        for (name, expected) in case["expected"].as_object().unwrap() {
            let comparison: Comparison = serde_json::from_value(Value::String(name.clone())).unwrap();
            let found = noise_ceiling(&replicates, comparison).unwrap();
            assert_all_close(&[found.low, found.high], &numbers(expected), name);
        }
    }
}

#[test]
fn paired_tests_and_correlations_are_those_of_scipy() {
    for case in read("statistics")["paired"].as_array().unwrap() {
        let (after, before) = (numbers(&case["after"]), numbers(&case["before"]));
        let number = |name: &str| case[name].as_f64().unwrap();
        let t = paired_t(&after, &before).unwrap();
        assert_close(t.t, number("t"), "t");
        assert_close(t.degrees_of_freedom, number("df"), "df");
        assert_close_p(t.p_value, number("p"), "p");
        assert_close(t.effect_size, number("d_z"), "d_z");
        let one = one_sample_t(&after, 0.3).unwrap();
        assert_close(one.t, number("one_sample_t"), "one-sample t");
        assert_close_p(one.p_value, number("one_sample_p"), "one-sample p");
        let wilcoxon = wilcoxon_signed_rank(&after, &before).unwrap();
        assert_close(wilcoxon.rank_sum_positive.min(wilcoxon.rank_sum_negative), number("wilcoxon"), "W");
        assert_close_p(wilcoxon.p_value, number("wilcoxon_p"), "Wilcoxon p");
        assert_eq!(wilcoxon.method == SignedRankMethod::Exact, case["exact"].as_bool().unwrap());
        for (name, kind) in [("pearson", CorrelationKind::Pearson), ("spearman", CorrelationKind::Spearman)] {
            let expected = numbers(&case[name]);
            let found = correlate(&after, &before, kind).unwrap();
            assert_close(found.estimate, expected[0], name);
            // With r near 1 scipy's p-value magnifies the rounding of its r; three rows are the worst case.
            let tolerance = if after.len() == 3 { 1e-7 } else { 1e-9 };
            assert!((found.p_value - expected[1]).abs() <= tolerance * expected[1], "{name} p {expected:?}");
        }
    }
}

#[test]
fn corrections_percentiles_and_ranks_are_those_of_statsmodels_numpy_and_scipy() {
    let case = read("statistics");
    let mut p_values: Vec<Option<f64>> = numbers(&case["p_values"]).into_iter().map(Some).collect();
    p_values.insert(3, None);
    let mut q_values = benjamini_hochberg(&p_values);
    assert_eq!(q_values.remove(3), None);
    let q_values: Vec<f64> = q_values.into_iter().flatten().collect();
    assert_all_close(&q_values, &numbers(&case["q_values"]), "q");
    let values = numbers(&case["values"]);
    let found: Vec<f64> =
        numbers(&case["percents"]).into_iter().map(|q| percentile(&values, q).unwrap()).collect();
    assert_all_close(&found, &numbers(&case["percentiles"]), "percentile");
    assert_all_close(&mid_ranks(&numbers(&case["ties"])), &numbers(&case["mid_ranks"]), "mid-rank");
}

#[test]
fn debiased_cka_is_that_of_the_published_formula() {
    for case in read("alignment")["cases"].as_array().unwrap() {
        let n = count(&case["n"]);
        let pairs = PairList::upper_triangle(n);
        let kernel = |name: &str, normalization| {
            compute_similarities(&vectors(&case[name]), n, normalization, Similarity::InnerProduct).unwrap()
        };
        let y: Vec<Option<f64>> = kernel("y", Normalization::None).into_iter().map(Some).collect();
        let hypothesis = ModelRdm::on_pairs(&pairs, &y).unwrap();
        let partial = PartialComparison::new(&hypothesis, &[], &pairs, Comparison::Cka).unwrap();
        // Effects of prompts include the origin, so that centring changes nothing.
        for normalization in [Normalization::None, Normalization::Center] {
            let found = partial.estimate(&partial.hold_constant(&kernel("x", normalization)).unwrap());
            assert_close(found, case["debiased_cka"].as_f64().unwrap(), "debiased CKA");
        }
    }
}
