//! Why a number has no value, and how a call can be malformed.
//!
//! The two are kept apart: an [`Undefined`] is a finding about the data and belongs in a table next
//! to a null; the other variants of [`NumericsError`] are faults of the caller.

/// The reason for which a statistic is undefined. `Display` gives the snake_case text for tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Undefined {
    /// Fewer than four prompts take part.
    #[error("too_few_prompts")]
    TooFewPrompts,
    /// No pair of prompts is left after masking.
    #[error("no_pairs")]
    NoPairs,
    /// The hypothesis has the same value for every pair that takes part.
    #[error("constant_hypothesis")]
    ConstantHypothesis,
    /// The measure has the same value for every pair (or, under cosine, is zero everywhere).
    #[error("constant_measure")]
    ConstantMeasure,
    /// Nothing of the measure, or nothing of the hypothesis, is left once the nuisances are held
    /// constant.
    #[error("explained_by_nuisance")]
    ExplainedByNuisance,
    /// The hypothesis is undefined for some pair, where the statistic needs the whole matrix.
    #[error("incomplete_hypothesis")]
    IncompleteHypothesis,
    /// A vector has no direction, so that its cosine or correlation with another does not exist.
    #[error("zero_vector")]
    ZeroVector,
    /// All vectors are equal, so that there is no covariance to measure a distance in.
    #[error("no_variance")]
    NoVariance,
    /// Blocks and units leave no permutation but the identity.
    #[error("nothing_to_permute")]
    NothingToPermute,
    /// Too few observations for the statistic.
    #[error("too_few_observations")]
    TooFewObservations,
    /// A variable of a correlation, or the differences of a paired test, do not vary.
    #[error("constant_values")]
    ConstantValues,
    /// Every difference of a signed-rank test is zero.
    #[error("no_nonzero_differences")]
    NoNonzeroDifferences,
    /// The statistic was undefined in more than half of the bootstrap draws.
    #[error("too_few_defined_draws")]
    TooFewDefinedDraws,
    /// An eigendecomposition did not converge.
    #[error("eigendecomposition_failed")]
    EigendecompositionFailed,
}

/// What a function of this module tree can refuse.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NumericsError {
    /// The statistic does not exist for these data.
    #[error(transparent)]
    Undefined(#[from] Undefined),
    /// Two inputs that describe the same things have different lengths.
    #[error("{what} has {found} entries where {expected} were expected")]
    LengthMismatch {
        /// The input at fault.
        what: &'static str,
        /// Entries expected.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A NaN or an infinity among the inputs.
    #[error("{what} has a value that is not finite at entry {index}")]
    NonFinite {
        /// The input at fault.
        what: &'static str,
        /// Position of the first such value.
        index: usize,
    },
    /// A prompt or item number at or beyond the declared count.
    #[error("{what} {index} is out of range: there are {count}")]
    OutOfRange {
        /// The kind of thing that is numbered.
        what: &'static str,
        /// The number found.
        index: usize,
        /// The declared count.
        count: usize,
    },
    /// A pair of a prompt with itself.
    #[error("prompt {index} is paired with itself")]
    SelfPair {
        /// The prompt.
        index: usize,
    },
    /// The statistic has no form in which nuisances are held constant.
    #[error("{comparison} has no partial form: use spearman or pearson")]
    NoPartialForm {
        /// The comparison asked for.
        comparison: String,
    },
}

impl NumericsError {
    /// The reason for a null, when that is what this error is.
    pub fn undefined(&self) -> Option<Undefined> {
        match self {
            Self::Undefined(reason) => Some(*reason),
            _ => None,
        }
    }
}

/// Refuses a slice of the wrong length.
pub(super) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), NumericsError> {
    if expected == found { Ok(()) } else { Err(NumericsError::LengthMismatch { what, expected, found }) }
}

/// Refuses NaN and infinities.
pub(super) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), NumericsError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(NumericsError::NonFinite { what, index }),
    }
}

/// Refuses numbers at or beyond `count`.
pub(super) fn check_range(
    what: &'static str,
    indices: impl IntoIterator<Item = usize>,
    count: usize,
) -> Result<(), NumericsError> {
    match indices.into_iter().find(|&i| i >= count) {
        None => Ok(()),
        Some(index) => Err(NumericsError::OutOfRange { what, index, count }),
    }
}
