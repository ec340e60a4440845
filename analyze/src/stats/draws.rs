//! Random streams: one per draw, so that a draw's numbers depend on the seed, the stream and its own
//! index, and never on which thread makes it or how many others there are.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What the numbers are for. Two purposes never share numbers, whatever the seeds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Shuffling labels.
    Permutation = 1,
    /// Drawing items with replacement.
    Bootstrap = 2,
}

/// The generator for one draw.
pub(super) fn generator(seed: u64, stream: u64, purpose: Purpose, draw: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&stream.to_le_bytes());
    key[16] = purpose as u8;
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(draw as u64);
    generator
}
