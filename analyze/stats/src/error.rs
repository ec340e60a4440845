//! How a call of a statistic can be malformed. An [`Undefined`] statistic is a finding about the data and no fault.

pub use hypercolumn_schemas::Undefined;

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
