//! Where the time of an extraction goes.

use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// A kind of work in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Matrix products with the weights of the blocks.
    Linear,
    /// Scores, weights and mixed values.
    Attention,
    /// Norms, rotations, activations, sums.
    Elementwise,
    /// Pooling states, and attention by segment.
    Pooling,
    /// Matrix products with the unembedding, and what is asked of their results.
    Logits,
}

impl Work {
    /// Every kind, in the order of a pass.
    pub const ALL: [Self; 5] =
        [Self::Linear, Self::Attention, Self::Elementwise, Self::Pooling, Self::Logits];

    /// The name in the log and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Attention => "attention",
            Self::Elementwise => "elementwise",
            Self::Pooling => "pooling",
            Self::Logits => "logits",
        }
    }
}

/// Time by kind of work, and the arithmetic in the linear layers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Profile {
    /// Seconds by kind in the order of [`Work::ALL`], summed over threads and divided by their number.
    seconds: [f64; Work::ALL.len()],
    /// Floating-point operations in the linear layers: two for each weight and row.
    pub linear_flop: f64,
}

impl Profile {
    /// Seconds of one kind of work, of threads that work side by side.
    pub fn seconds(&self, work: Work) -> f64 {
        self.seconds[work as usize]
    }

    /// Operations a second in the linear layers, all threads together; 0 where there were none.
    pub fn linear_flop_per_second(&self) -> f64 {
        let seconds = self.seconds(Work::Linear);
        if seconds > 0.0 { self.linear_flop / seconds } else { 0.0 }
    }

    /// Adds time that no other thread worked in.
    pub fn add(&mut self, work: Work, time: Duration) {
        self.seconds[work as usize] += time.as_secs_f64();
    }
}

impl AddAssign for Profile {
    fn add_assign(&mut self, other: Self) {
        self.seconds.iter_mut().zip(other.seconds).for_each(|(a, b)| *a += b);
        self.linear_flop += other.linear_flop;
    }
}

/// What this machine's arithmetic units can do at the moment, in operations a second: fused multiply-adds on values in
/// registers, on as many threads as an extraction has, the best of some short runs. Nothing that reads memory is faster.
pub fn peak_flop_per_second() -> f64 {
    let run = || {
        let started = Instant::now();
        let flop: f64 = rayon::broadcast(|_| Arch::new().dispatch(MultiplyAdds)).iter().sum();
        flop / started.elapsed().as_secs_f64()
    };
    (0..PEAK_RUNS).map(|_| run()).fold(0.0, f64::max)
}

/// Runs of which [`peak_flop_per_second`] takes the best, some hundredths of a second each.
const PEAK_RUNS: usize = 20;

/// Chains of fused multiply-adds that do not wait for each other; gives the number of operations.
struct MultiplyAdds;

impl WithSimd for MultiplyAdds {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        const N_CHAINS: usize = 12;
        const LENGTH: usize = 1_000_000;
        let factor = simd.splat_f32s(black_box(0.5));
        let mut chains = [simd.splat_f32s(black_box(1.0)); N_CHAINS];
        for _ in 0..LENGTH {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, factor, factor);
            }
        }
        chains.into_iter().for_each(|chain| {
            black_box(simd.reduce_sum_f32s(chain));
        });
        (2 * N_CHAINS * LENGTH * S::F32_LANES) as f64
    }
}

/// One thread's clock: what it did since the last mark is put down to a kind of work.
#[derive(Debug)]
pub struct Clock {
    mark: Instant,
    spent: Profile,
}

impl Default for Clock {
    fn default() -> Self {
        Self { mark: Instant::now(), spent: Profile::default() }
    }
}

impl Clock {
    /// Time from here on counts.
    pub fn begin(&mut self) {
        self.mark = Instant::now();
    }

    /// The time since the last mark was this kind of work.
    pub fn lap(&mut self, work: Work) {
        let now = Instant::now();
        self.spent.add(work, now - self.mark);
        self.mark = now;
    }

    /// As [`Clock::lap`] for products of `n_rows` rows with `n_weights` weights of a block.
    pub fn lap_linear(&mut self, n_rows: usize, n_weights: usize) {
        self.lap(Work::Linear);
        self.spent.linear_flop += 2.0 * n_rows as f64 * n_weights as f64;
    }

    /// A clock's share in the time of `n_threads` side by side; the clock starts anew.
    pub fn take(&mut self, n_threads: usize) -> Profile {
        let mut spent = std::mem::take(&mut self.spent);
        spent.seconds.iter_mut().for_each(|s| *s /= n_threads as f64);
        spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_side_by_side_share_their_time_and_sum_their_arithmetic() {
        let mut clocks = [Clock::default(), Clock::default()];
        for clock in &mut clocks {
            clock.spent.add(Work::Linear, Duration::from_secs(3));
            clock.lap_linear(10, 1_000);
        }
        let mut total = Profile::default();
        clocks.iter_mut().for_each(|c| total += c.take(2));
        assert!((total.seconds(Work::Linear) - 3.0).abs() < 0.1);
        assert_eq!(total.linear_flop, 40_000.0);
        assert!((total.linear_flop_per_second() - 40_000.0 / 3.0).abs() < 500.0);
        assert_eq!(clocks[0].take(2), Profile::default());
    }
}
