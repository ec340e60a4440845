//! The statistics of representational similarity analysis and of before/after comparisons, as pure
//! functions of slices: similarity matrices, their comparison with a hypothesis, permutation and
//! cluster inference, paired tests, correlations and corrections for multiple testing.
//!
//! Everything here is arithmetic in f64 on numbers that are already in memory. Reading vectors,
//! choosing prompts, evaluating hypotheses in SQL and writing results are left to the callers; so is
//! the thread pool (work is spread with rayon over whatever pool is current). Results do not depend
//! on the number of threads: every permutation and resample has random numbers of its own and every sum a fixed order.
//!
//! What cannot be computed is an [`Undefined`] with a stable text form for the tables. A NaN is never
//! returned, and neither is a zero that stands for "unknown".
//!
//! | module | question |
//! | --- | --- |
//! | [`similarity`] | how alike are the vectors of two prompts? |
//! | [`pairs`] | which pairs of prompts are compared, and what does the hypothesis say of them? |
//! | [`ranking`] | mid-ranks and sorted orders, computed once and reused |
//! | [`comparison`] | how well does a similarity matrix fit a hypothesis? |
//! | [`noise_ceiling`] | how well could any hypothesis fit? |
//! | [`partial`] | the same with nuisances, or (CKA) effects of prompts, held constant |
//! | [`permutation`] | could shuffled labels fit as well? |
//! | [`dyadic`] | how much would the fit vary with other clusters of prompts? |
//! | [`clusters`] | how much would a mean or a correlation? |
//! | [`multiple_testing`] | which of many p-values survive? |
//! | [`sign_flips`] | which of many estimates over clusters? |
//! | [`paired`] | did items change between two conditions? |
//! | [`correlation`] | do two quantities go together across items? |
//! | [`resampling`] | how much would any other statistic? |
//! | [`probes`] | what can a linear model read from the vectors of prompts it has not seen? |
//! | [`summary`] | means, percentiles and their intervals |

pub mod clusters;
pub mod comparison;
pub mod correlation;
pub mod dyadic;
mod eigen;
mod error;
mod held_constant;
mod influence;
mod kendall;
mod matrix;
pub mod multiple_testing;
pub mod noise_ceiling;
mod orthonormal;
pub mod paired;
pub mod pairs;
pub mod partial;
pub mod permutation;
pub mod probes;
mod prompt_effects;
mod random;
pub mod ranking;
pub mod resampling;
pub mod sign_flips;
pub mod similarity;
pub mod summary;
mod whitening;

pub use comparison::Comparison;
pub use error::{NumericsError, Undefined};
pub use matrix::Matrix;
pub use pairs::{ModelRdm, PairList};
pub use random::RandomStream;
pub use similarity::{Normalization, Similarity};

#[cfg(test)]
mod tests;
