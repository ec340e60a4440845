//! Seeded random streams, one for each purpose, so that switching one analysis off leaves the draws of
//! the others as they were.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Assigning groups to outer folds.
    OuterFolds,
    /// Assigning the groups of one outer training fold to inner folds.
    InnerFolds(usize),
    /// Drawing control labels.
    Control,
    /// Permuting held-out labels.
    Permutation,
    /// Resampling groups.
    Bootstrap,
    /// Ordering groups for the online code.
    OnlineCode,
}

/// The generator for `purpose` under `seed`.
pub(super) fn stream(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(match purpose {
        Purpose::OuterFolds => 1,
        Purpose::Control => 2,
        Purpose::Permutation => 3,
        Purpose::Bootstrap => 4,
        Purpose::OnlineCode => 5,
        Purpose::InnerFolds(fold) => 1_000 + fold as u64,
    });
    rng
}
