//! Random numbers: every test has a stream of its own under the study's seed.
//!
//! A stream is named by what the test is about (task, hypothesis, condition, …), so that two tests share no Monte-Carlo
//! luck, a test keeps its numbers when another is added or left out, and no number depends on threads or on order.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What numbers of a stream are for. Two purposes share no numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Permuting labels.
    Permutation,
    /// Drawing clusters with replacement.
    Bootstrap,
    /// Signs of clusters in a multiplier bootstrap.
    Multiplier,
    /// Assigning groups to outer folds.
    OuterFolds,
    /// Assigning groups of one outer training fold to inner folds.
    InnerFolds,
    /// Control labels.
    Control,
    /// Ordering groups for the online code.
    OnlineCode,
    /// Assigning groups to the folds of a permutation test.
    TestFolds,
}

/// The random numbers of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomStream {
    key: [u8; 32],
}

impl RandomStream {
    /// The stream of the test with this name, which is compared part by part.
    pub fn new(seed: u64, name: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        for part in name {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Self { key: *hasher.finalize().as_bytes() }
    }

    /// The stream of a test under this one that is told apart by what it is computed from.
    pub(super) fn of_values(&self, values: impl Iterator<Item = u64>) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        values.for_each(|value| {
            hasher.update(&value.to_le_bytes());
        });
        Self { key: *hasher.finalize().as_bytes() }
    }

    /// A generator for the `index`-th permutation, resample or fold plan.
    pub(super) fn generator(&self, purpose: Purpose, index: usize) -> ChaCha8Rng {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&[purpose as u8]);
        let mut generator = ChaCha8Rng::from_seed(*hasher.finalize().as_bytes());
        generator.set_stream(index as u64);
        generator
    }
}
