//! Partial comparisons: permutations from the definition, influences, error rates with a nuisance that goes with both sides.

use rand::RngExt;

use super::super::comparison::compare_vectors;
use super::super::dyadic::PairClusters;
use super::super::influence::influence;
use super::super::partial::PartialComparison;
use super::super::permutation::labels::LabelPermuter;
use super::super::permutation::{Exchangeability, UnitLabels, permutation_test};
use super::super::{Comparison, ModelRdm, PairList};
use super::permutation::settings;
use super::{assert_close, noise, random, same_group};

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// What least squares on a constant and `others` leaves of `values`, by Gaussian elimination.
fn least_squares_residual(values: &[f64], others: &[Vec<f64>]) -> Vec<f64> {
    let design: Vec<Vec<f64>> = std::iter::once(vec![1.0; values.len()]).chain(others.to_vec()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let k = design.len();
    let mut system: Vec<Vec<f64>> = design
        .iter()
        .map(|row| design.iter().map(|c| dot(row, c)).chain([dot(row, values)]).collect())
        .collect();
    for pivot in 0..k {
        for row in (0..k).filter(|r| *r != pivot) {
            let factor = system[row][pivot] / system[pivot][pivot];
            let above = system[pivot].clone();
            system[row].iter_mut().zip(above).for_each(|(v, a)| *v -= factor * a);
        }
    }
    let fit = |r: usize| (0..k).map(|c| system[c][k] / system[c][c] * design[c][r]).sum::<f64>();
    (0..values.len()).map(|r| values[r] - fit(r)).collect()
}

/// Double semi-partialling as it is defined: the residual hypothesis with its labels permuted, regressed again.
#[test]
fn permutations_are_those_of_double_semi_partialling() {
    let n = 12;
    let pairs = PairList::upper_triangle(n);
    let nuisance = noise(pairs.len(), &mut random(1));
    let hypothesis: Vec<f64> =
        noise(pairs.len(), &mut random(2)).iter().zip(&nuisance).map(|(e, z)| e + z).collect();
    let measure: Vec<f64> =
        noise(pairs.len(), &mut random(3)).iter().zip(&nuisance).map(|(e, z)| e + 0.5 * z).collect();
    let model = ModelRdm::on_pairs(&pairs, &some(&hypothesis)).unwrap();
    let partial = PartialComparison::new(&model, &[some(&nuisance)], &pairs, Comparison::Pearson).unwrap();
    let held = partial.hold_constant(&measure).unwrap();
    let found = partial.permutation_test(&[&held], Exchangeability::default(), settings(99, 5)).unwrap();
    let others = [nuisance];
    let (x, y) = (least_squares_residual(&measure, &others), least_squares_residual(&hypothesis, &others));
    let residual = ModelRdm::on_pairs(&pairs, &some(&y)).unwrap();
    let permuter = LabelPermuter::new(n, Exchangeability::default()).unwrap();
    let observed = compare_vectors(&x, &y, Comparison::Pearson).unwrap();
    let as_large = (0..99).filter(|&permutation| {
        let labels = permuter.permute(settings(99, 5).stream, permutation);
        let of = |(i, j): (usize, usize)| residual.value(labels[i] as usize, labels[j] as usize).unwrap();
        let permuted = least_squares_residual(&pairs.iter().map(of).collect::<Vec<_>>(), &others);
        compare_vectors(&x, &permuted, Comparison::Pearson).unwrap() >= observed - 1e-10
    });
    let test = found.tests[0].unwrap();
    assert_close(test.estimate, observed, "partial correlation");
    assert_eq!(test.p_value, (1 + as_large.count()) as f64 / 100.0);
}

/// Units of different size: the statistic of every permutation is CKA with the permuted hypothesis.
#[test]
fn permutations_of_cka_are_cka_of_permuted_hypotheses() {
    let units: Vec<u32> = [3, 1, 2, 2, 1, 4, 2].iter().zip(0..).flat_map(|(&n, u)| vec![u; n]).collect();
    let n = units.len();
    let pairs = PairList::upper_triangle(n).without_same_item(&units).unwrap();
    let levels = noise(7, &mut random(4));
    let distance = |i: usize, j: usize| -(levels[units[i] as usize] - levels[units[j] as usize]).abs();
    let of = |labels: &[u32]| -> Vec<f64> {
        pairs.iter().map(|(i, j)| distance(labels[i] as usize, labels[j] as usize)).collect()
    };
    let identity: Vec<u32> = (0..n as u32).collect();
    let measure: Vec<f64> =
        noise(pairs.len(), &mut random(5)).iter().zip(of(&identity)).map(|(e, y)| e + 0.3 * y).collect();
    let cka = |y: &[f64]| {
        let model = ModelRdm::on_pairs(&pairs, &some(y)).unwrap();
        let partial = PartialComparison::new(&model, &[], &pairs, Comparison::Cka).unwrap();
        let held = partial.hold_constant(&measure).unwrap();
        (partial.estimate(&held), partial, held)
    };
    let allowed = Exchangeability { units: Some(&units), blocks: None, labels: UnitLabels::Shared };
    let (observed, partial, held) = cka(&of(&identity));
    let found = partial.permutation_test(&[&held], allowed, settings(49, 6)).unwrap();
    let permuter = LabelPermuter::new(n, allowed).unwrap();
    let as_large = (0..49).filter(|&permutation| {
        cka(&of(&permuter.permute(settings(49, 6).stream, permutation))).0 >= observed - 1e-10
    });
    assert_eq!(found.tests[0].unwrap().p_value, (1 + as_large.count()) as f64 / 50.0);
    assert_close(found.tests[0].unwrap().estimate, observed, "CKA");
}

/// Units of different size: the statistic of every permutation is the whitened comparison with the permuted hypothesis.
#[test]
fn permutations_of_whitened_comparisons_are_those_of_permuted_hypotheses() {
    let units: Vec<u32> = [3, 1, 2, 2, 1, 4, 2].iter().zip(0..).flat_map(|(&n, u)| vec![u; n]).collect();
    let n = units.len();
    let levels = noise(n, &mut random(14));
    let by_prompt = Exchangeability::default();
    let by_unit = Exchangeability { units: Some(&units), blocks: None, labels: UnitLabels::Shared };
    let whole = PairList::upper_triangle(n);
    let across = whole.without_same_item(&units).unwrap();
    for (pairs, allowed) in [(&whole, by_prompt), (&across, by_unit)] {
        let level = |i: usize| levels[if allowed.units.is_some() { units[i] as usize } else { i }];
        let of = |labels: &[u32]| -> Vec<f64> {
            let value =
                |(i, j): (usize, usize)| 1.5 - (level(labels[i] as usize) - level(labels[j] as usize)).abs();
            pairs.iter().map(value).collect()
        };
        let identity: Vec<u32> = (0..n as u32).collect();
        let measure: Vec<f64> =
            noise(pairs.len(), &mut random(15)).iter().zip(of(&identity)).map(|(e, y)| e + 0.3 * y).collect();
        for comparison in [Comparison::WhitenedCosine, Comparison::WhitenedPearson] {
            let compare = |y: &[f64]| {
                let model = ModelRdm::on_pairs(pairs, &some(y)).unwrap();
                let whitened = PartialComparison::new(&model, &[], pairs, comparison).unwrap();
                let held = whitened.hold_constant(&measure).unwrap();
                (whitened.estimate(&held), whitened, held)
            };
            let (observed, whitened, held) = compare(&of(&identity));
            let found = whitened.permutation_test(&[&held], allowed, settings(49, 6)).unwrap();
            let permuter = LabelPermuter::new(n, allowed).unwrap();
            let as_large = (0..49).filter(|&permutation| {
                compare(&of(&permuter.permute(settings(49, 6).stream, permutation))).0 >= observed - 1e-10
            });
            let test = found.tests[0].unwrap();
            assert_eq!(test.p_value, (1 + as_large.count()) as f64 / 50.0, "{comparison}");
            assert_close(test.estimate, observed, "whitened comparison");
        }
    }
}

/// Without nuisances the partial comparison, its influences and its test are the plain ones.
#[test]
fn with_nothing_held_constant_it_is_the_plain_comparison() {
    let (hypothesis, pairs) = (same_group(&[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0]), PairList::upper_triangle(11));
    let measure: Vec<f64> = noise(pairs.len(), &mut random(6)).iter().map(|v| (v * 3.0).round()).collect();
    let y: Vec<f64> = pairs.iter().filter_map(|(i, j)| hypothesis.value(i, j)).collect();
    for comparison in [Comparison::Spearman, Comparison::Pearson] {
        let partial = PartialComparison::new(&hypothesis, &[], &pairs, comparison).unwrap();
        let held = partial.hold_constant(&measure).unwrap();
        let found = partial.permutation_test(&[&held], Exchangeability::default(), settings(99, 7)).unwrap();
        let views = [measure.as_slice()];
        let plain = permutation_test(
            &views,
            &hypothesis,
            &pairs,
            comparison,
            Exchangeability::default(),
            settings(99, 7),
        );
        let (found, plain) = (found.tests[0].unwrap(), plain.unwrap().tests[0].unwrap());
        assert_close(found.estimate, plain.estimate, "estimate");
        assert_eq!(found.p_value, plain.p_value);
        let influences = partial.influences(&held);
        influence(&measure, &y, comparison)
            .iter()
            .zip(influences)
            .for_each(|(expected, found)| assert_close(found, *expected, "influence"));
    }
}

/// As for plain comparisons: numerically, by repeating the data often and one row once more.
#[test]
fn influences_are_what_a_row_moves_a_partial_comparison_by() {
    let mut random = random(8);
    let n = 28;
    let z: Vec<f64> = noise(n, &mut random).iter().map(|v| (v * 3.0).round()).collect();
    let x: Vec<f64> = z.iter().zip(noise(n, &mut random)).map(|(z, e)| (0.5 * z + 2.0 * e).round()).collect();
    let y: Vec<f64> = z.iter().zip(noise(n, &mut random)).map(|(z, e)| (z - 3.0 * e).round()).collect();
    let w = noise(n, &mut random);
    // Rows are pairs of a list that repeats them, so that any number of rows makes a comparison.
    let compare = |row: Option<usize>, comparison| {
        let rows: Vec<usize> = (0..n).flat_map(|r| vec![r; 60]).chain(row).collect();
        let prompts = 60;
        let all = PairList::upper_triangle(prompts);
        let pairs = all.select(&(0..rows.len()).collect::<Vec<_>>());
        let of = |v: &[f64]| -> Vec<f64> { rows.iter().map(|&r| v[r]).collect() };
        let model = ModelRdm::on_pairs(&pairs, &some(&of(&y))).unwrap();
        let nuisances = [some(&of(&z)), some(&of(&w))];
        let partial = PartialComparison::new(&model, &nuisances, &pairs, comparison).unwrap();
        let held = partial.hold_constant(&of(&x)).unwrap();
        (partial.estimate(&held), partial.influences(&held))
    };
    for comparison in [Comparison::Spearman, Comparison::Pearson] {
        let (whole, influences) = compare(None, comparison);
        for row in 0..n {
            let found = (compare(Some(row), comparison).0 - whole) * (n as f64 * 60.0 + 1.0);
            let expected = influences[60 * row];
            assert!((found - expected).abs() < 0.05, "{comparison} row {row}: {found} for {expected}");
        }
    }
}

/// Similarities of `n` prompts in two dimensions of which one is a feature; labels go with the feature and, given it, with
/// nothing. The nuisance is that the feature is equal.
struct Confounded {
    similarities: Vec<f64>,
    hypothesis: ModelRdm,
    nuisance: Vec<Option<f64>>,
}

fn confounded(n: usize, seed: u64) -> Confounded {
    let mut random = random(seed);
    let feature: Vec<u32> = (0..n).map(|_| random.random_range(0..3)).collect();
    let label = |f: &u32| if random.random_bool(0.6) { *f } else { random.random_range(0..3) };
    let labels: Vec<u32> = feature.iter().map(label).collect();
    let d = 8;
    let own = noise(n * d, &mut super::random(seed + 10_000));
    let value = |p: usize, k: usize| own[p * d + k] + if feature[p] as usize == k { 2.0 } else { 0.0 };
    let pairs = PairList::upper_triangle(n);
    let similarity =
        |(i, j): (usize, usize)| -(0..d).map(|k| (value(i, k) - value(j, k)).powi(2)).sum::<f64>();
    let same = |(i, j): (usize, usize)| Some(f64::from(u8::from(feature[i] == feature[j])));
    Confounded {
        similarities: pairs.iter().map(similarity).collect(),
        hypothesis: same_group(&labels),
        nuisance: pairs.iter().map(same).collect(),
    }
}

#[test]
fn a_nuisance_that_goes_with_both_sides_leaves_tests_and_intervals_right() {
    let n = 40;
    let pairs = PairList::upper_triangle(n);
    let clusters: Vec<u32> = (0..n as u32).collect();
    for comparison in [Comparison::Spearman, Comparison::Pearson, Comparison::Cka] {
        let (mut raw, mut permuted, mut rejected, mut covered) = (0, 0, 0, 0);
        for seed in 0..400 {
            let Confounded { similarities, hypothesis, nuisance } = confounded(n, seed);
            let p_value = |nuisances: &[Vec<Option<f64>>]| {
                let partial = PartialComparison::new(&hypothesis, nuisances, &pairs, comparison).unwrap();
                let held = partial.hold_constant(&similarities).unwrap();
                let settings = settings(99, seed);
                let found = partial.permutation_test(&[&held], Exchangeability::default(), settings).unwrap();
                (found.tests[0].unwrap().p_value, partial, held)
            };
            raw += usize::from(p_value(&[]).0 <= 0.05);
            let (p, partial, held) = p_value(&[nuisance]);
            let sums = PairClusters::new(&pairs, &clusters, n).unwrap();
            let sums = sums.add_up_at(partial.positions(), &partial.influences(&held));
            let estimate = sums.estimate(partial.estimate(&held)).unwrap();
            let over_clusters =
                if estimate.value > 0.0 { estimate.p_value / 2.0 } else { 1.0 - estimate.p_value / 2.0 };
            permuted += usize::from(p <= 0.05);
            rejected += usize::from(p.max(over_clusters) <= 0.05);
            let interval = estimate.correlation_interval(0.95);
            covered += usize::from(interval.low <= 0.0 && 0.0 <= interval.high);
        }
        assert!(raw > 300, "{comparison}: without the nuisance {raw} of 400");
        assert!((6..=33).contains(&rejected) && rejected <= permuted, "{comparison}: {rejected} of 400");
        assert!(covered >= 356, "{comparison}: {covered} of 400");
    }
}
