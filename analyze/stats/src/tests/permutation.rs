//! Mantel tests: uniform under noise, powerful under an effect, right under masks.

use rand::RngExt;

use super::super::comparison::{Comparison, compare};
use super::super::permutation::labels::LabelPermuter;
use super::super::permutation::*;
use super::super::{ModelRdm, PairList, RandomStream, Undefined};
use super::{COMPARISONS, noise, on_threads, random, same_group};

pub(super) fn settings(n_permutations: usize, seed: u64) -> PermutationSettings {
    let stream = RandomStream::new(seed, &[]);
    PermutationSettings { n_permutations, stream, alternative: Alternative::Greater }
}

/// The test from its definition: shuffle, look up, compare.
fn naive_p_value(
    measure: &[f64],
    hypothesis: &ModelRdm,
    pairs: &PairList,
    comparison: Comparison,
    (labels, alternative): (&[Vec<usize>], Alternative),
) -> f64 {
    let extremity = |s: f64| if alternative == Alternative::TwoSided { s.abs() } else { s };
    let observed = extremity(compare(measure, hypothesis, pairs, comparison).unwrap());
    let is_as_extreme = |labels: &&Vec<usize>| {
        let value = |(i, j): (usize, usize)| hypothesis.value(labels[i], labels[j]);
        let values: Vec<Option<f64>> = pairs.iter().map(value).collect();
        let shuffled = ModelRdm::on_pairs(pairs, &values).unwrap();
        compare(measure, &shuffled, pairs, comparison).map_or(true, |s| extremity(s) >= observed - 1e-10)
    };
    (1 + labels.iter().filter(is_as_extreme).count()) as f64 / (1 + labels.len()) as f64
}

#[test]
fn batched_p_values_are_those_of_the_definition_with_and_without_masks() {
    let n = 12;
    let groups: Vec<u32> = (0..n as u32).map(|i| i % 3).collect();
    let items: Vec<u32> = (0..n as u32).map(|i| i / 2).collect();
    let all = PairList::upper_triangle(n);
    let across = all.without_same_item(&items).unwrap();
    let holes = |(i, j): (usize, usize)| {
        (i, j, (i * j % 5 != 1).then_some(f64::from(u8::from(groups[i] == groups[j])) + (i + j) as f64 / 9.0))
    };
    let holed = ModelRdm::from_pairs(n, all.iter().map(holes)).unwrap();
    let mut random = random(1);
    for (hypothesis, pairs) in [(same_group(&groups), &all), (same_group(&groups), &across), (holed, &across)]
    {
        let measures: Vec<Vec<f64>> = (0..3).map(|_| noise(pairs.len(), &mut random)).collect();
        let views: Vec<&[f64]> = measures.iter().map(Vec::as_slice).collect();
        let n_permutations = 70;
        let permuter = LabelPermuter::new(n, Exchangeability::default()).unwrap();
        let stream = RandomStream::new(9, &[]);
        let shuffle = |draw| permuter.permute(stream, draw).into_iter().map(|label| label as usize).collect();
        let labels: Vec<Vec<usize>> = (0..n_permutations).map(shuffle).collect();
        for comparison in COMPARISONS {
            for alternative in [Alternative::Greater, Alternative::TwoSided] {
                let settings = PermutationSettings { alternative, ..settings(n_permutations, 9) };
                let result = permutation_test(
                    &views,
                    &hypothesis,
                    pairs,
                    comparison,
                    Exchangeability::default(),
                    settings,
                );
                for (measure, test) in views.iter().zip(result.unwrap().tests) {
                    let test = test.unwrap();
                    let expected =
                        naive_p_value(measure, &hypothesis, pairs, comparison, (&labels, alternative));
                    assert_eq!(test.p_value, expected, "{comparison} {alternative:?}");
                    assert!(
                        (test.estimate - compare(measure, &hypothesis, pairs, comparison).unwrap()).abs()
                            < 1e-12
                    );
                    assert!(test.p_value_fwer >= test.p_value);
                }
            }
        }
    }
}

#[test]
fn p_values_are_uniform_under_noise() {
    let n = 10;
    let groups: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
    let items: Vec<u32> = (0..n as u32).map(|i| i / 2).collect();
    let by_item: Vec<u32> = items.iter().map(|item| item % 2).collect();
    let (all, units) =
        (PairList::upper_triangle(n), Exchangeability { units: Some(&items), ..Exchangeability::default() });
    let across = all.without_same_item(&items).unwrap();
    let blocks = Exchangeability { blocks: Some(&items[..]), ..Exchangeability::default() };
    let designs = [
        (same_group(&groups), &all, Exchangeability::default()),
        (same_group(&groups), &across, Exchangeability::default()),
        (same_group(&by_item), &across, units),
        (same_group(&groups), &across, blocks),
    ];
    for (d, (hypothesis, pairs, exchangeability)) in designs.iter().enumerate() {
        let mut counts = [0; 3];
        let mut familywise = 0;
        for seed in 0..1000 {
            let mut random = random(seed + 1);
            let measures: Vec<Vec<f64>> = (0..3).map(|_| noise(pairs.len(), &mut random)).collect();
            let views: Vec<&[f64]> = measures.iter().map(Vec::as_slice).collect();
            let result = permutation_test(
                &views,
                hypothesis,
                pairs,
                Comparison::RhoA,
                *exchangeability,
                settings(99, seed),
            );
            let tests: Vec<MeasureTest> = result.unwrap().tests.into_iter().map(Result::unwrap).collect();
            for (count, level) in counts.iter_mut().zip([0.05, 0.25, 0.5]) {
                *count += usize::from(tests[0].p_value < level);
            }
            familywise += usize::from(tests.iter().any(|t| t.p_value_fwer < 0.05));
        }
        assert!(counts[0] <= 60 && familywise <= 60, "design {d}: {counts:?}, familywise {familywise}");
        // Few distinct permutations (designs 2 and 3) make p-values coarse, and then too large, not small.
        assert!(counts[1] <= 290 && counts[2] <= 550, "design {d}: {counts:?}");
        assert!(d >= 2 || (counts[1] >= 200 && counts[2] >= 440), "design {d}: {counts:?}");
    }
}

#[test]
fn a_planted_effect_is_found_in_its_measure_and_nowhere_else() {
    let groups: Vec<u32> = (0..24).map(|i| i % 4).collect();
    let (hypothesis, pairs) = (same_group(&groups), PairList::upper_triangle(24));
    let mut random = random(3);
    let mut measures: Vec<Vec<f64>> = (0..6).map(|_| noise(pairs.len(), &mut random)).collect();
    for ((i, j), value) in pairs.iter().zip(&mut measures[4]) {
        *value += hypothesis.value(i, j).unwrap();
    }
    let views: Vec<&[f64]> = measures.iter().map(Vec::as_slice).collect();
    let exchangeability = Exchangeability::default();
    let result =
        permutation_test(&views, &hypothesis, &pairs, Comparison::RhoA, exchangeability, settings(999, 5))
            .unwrap();
    for (m, test) in result.tests.into_iter().enumerate() {
        let test = test.unwrap();
        assert_eq!(test.p_value_fwer < 0.05, m == 4, "measure {m}: {test:?}");
        assert!(m != 4 || (test.p_value == 0.001 && test.estimate > 0.1));
    }
}

#[test]
fn results_do_not_depend_on_threads_and_streams_differ() {
    let n = 40;
    let mut random = random(4);
    let groups: Vec<u32> = (0..n).map(|_| random.random_range(0..5)).collect();
    let (hypothesis, pairs) = (same_group(&groups), PairList::upper_triangle(n));
    let measures: Vec<Vec<f64>> = (0..5).map(|_| noise(pairs.len(), &mut random)).collect();
    let views: Vec<&[f64]> = measures.iter().map(Vec::as_slice).collect();
    let run = |number: u64| {
        let stream = RandomStream::new(8, &[&number.to_string()]);
        let settings = PermutationSettings { stream, ..settings(500, 8) };
        permutation_test(
            &views,
            &hypothesis,
            &pairs,
            Comparison::Spearman,
            Exchangeability::default(),
            settings,
        )
    };
    let one = on_threads(1, || run(0)).unwrap();
    assert_eq!(one, on_threads(2, || run(0)).unwrap());
    assert_ne!(one, run(1).unwrap());
}

#[test]
fn units_keep_the_item_mask_and_blocks_keep_rows_and_columns() {
    let items: Vec<u32> = (0..12).map(|i| i / 2).collect();
    let pairs = PairList::upper_triangle(12).without_same_item(&items).unwrap();
    let groups: Vec<u32> = items.iter().map(|item| item % 3).collect();
    let across: Vec<_> = pairs.iter().map(|(i, j)| (i, j, same_group(&groups).value(i, j))).collect();
    let hypothesis = ModelRdm::from_pairs(12, across).unwrap();
    let measure = noise(pairs.len(), &mut random(5));
    let run = |pairs: &PairList, hypothesis: &ModelRdm, measure: &[f64], exchangeability| {
        permutation_test(&[measure], hypothesis, pairs, Comparison::RhoA, exchangeability, settings(200, 1))
            .unwrap()
    };
    let units = Exchangeability { units: Some(&items), ..Exchangeability::default() };
    assert_eq!(run(&pairs, &hypothesis, &measure, units).n_remasked_permutations, 0);
    assert!(run(&pairs, &hypothesis, &measure, Exchangeability::default()).n_remasked_permutations > 150);

    let (rows, columns): (Vec<usize>, Vec<usize>) = ((0..8).collect(), (8..12).collect());
    let rectangle = PairList::rectangle(12, &rows, &columns).unwrap();
    let matches = |(r, c): (usize, usize)| (r, c, Some(f64::from(u8::from(r % 4 == c % 4))));
    let hypothesis = ModelRdm::from_pairs(12, rectangle.iter().map(matches)).unwrap();
    let side: Vec<u32> = (0..12).map(|i| u32::from(i >= 8)).collect();
    let blocks = Exchangeability { blocks: Some(&side), ..Exchangeability::default() };
    let measure = noise(rectangle.len(), &mut random(6));
    assert_eq!(run(&rectangle, &hypothesis, &measure, blocks).n_remasked_permutations, 0);
}

#[test]
fn what_cannot_be_tested_says_why() {
    let groups = [0, 0, 1, 1, 2, 2];
    let pairs = PairList::upper_triangle(6);
    let varied: Vec<f64> = (0..15).map(f64::from).collect();
    let constant = [1.0; 15];
    let run = |measures: &[&[f64]], hypothesis: &ModelRdm, exchangeability| {
        permutation_test(measures, hypothesis, &pairs, Comparison::RhoA, exchangeability, settings(20, 1))
    };
    let hypothesis = same_group(&groups);
    let blocks: Vec<u32> = (0..6).collect();
    let alone = Exchangeability { blocks: Some(&blocks), ..Exchangeability::default() };
    let reason =
        |result: Result<PermutationResult, super::super::NumericsError>| result.unwrap_err().undefined();
    assert_eq!(reason(run(&[&varied], &hypothesis, alone)), Some(Undefined::NothingToPermute));
    let same = same_group(&[0; 6]);
    assert_eq!(
        reason(run(&[&varied], &same, Exchangeability::default())),
        Some(Undefined::ConstantHypothesis)
    );
    let mixed = run(&[&constant, &varied], &hypothesis, Exchangeability::default()).unwrap();
    assert_eq!(mixed.tests[0], Err(Undefined::ConstantMeasure));
    assert!(mixed.tests[1].is_ok());
    assert_eq!(mixed.n_undefined_permutations, 0);
}
