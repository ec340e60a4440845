//! The numerics against other implementations (`reference`), against planted truth and themselves
//! (`permutation`, `partial`, `clusters`, `edge_cases`).

mod clusters;
mod edge_cases;
mod partial;
mod permutation;
mod reference;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::random::Purpose;
use super::{Comparison, ModelRdm, PairList, RandomStream};

const COMPARISONS: [Comparison; 6] = [
    Comparison::RhoA,
    Comparison::Spearman,
    Comparison::Pearson,
    Comparison::KendallTauA,
    Comparison::KendallTauB,
    Comparison::Cosine,
];

/// A generator of test data.
fn random(seed: u64) -> ChaCha8Rng {
    RandomStream::new(seed, &["test data"]).generator(Purpose::Bootstrap, 0)
}

/// Roughly normal noise: the sum of twelve uniform numbers, less six.
fn noise(n: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    let uniform = |random: &mut ChaCha8Rng| random.random_range(0..1_u32 << 31) as f64 / (1_u64 << 31) as f64;
    (0..n).map(|_| (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0).collect()
}

/// 1 for pairs of one group, else 0, for all pairs.
fn same_group(groups: &[u32]) -> ModelRdm {
    let pairs = PairList::upper_triangle(groups.len());
    let value = |(i, j): (usize, usize)| (i, j, Some(f64::from(u8::from(groups[i] == groups[j]))));
    ModelRdm::from_pairs(groups.len(), pairs.iter().map(value)).unwrap()
}

/// Runs on a pool of this many threads.
fn on_threads<T: Send>(n_threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap().install(work)
}

/// Fails unless the two agree to 1e-9, relative to the larger or to 1.
#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    let tolerance = 1e-9 * expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance, "{what}: found {found}, expected {expected}");
}
