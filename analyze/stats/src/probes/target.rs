//! What a probe decodes: classes or values, coded for the solvers.

use hypercolumn_schemas::Undefined;

/// What is to be decoded from each prompt's vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target<'a> {
    /// Class codes for a logistic probe; see [`encode`].
    Classes(&'a [usize]),
    /// Values for a ridge probe.
    Values(&'a [f64]),
}

impl Target<'_> {
    /// Prompts that have a target.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Values(values) => values.len(),
        }
    }
}

/// Codes values by their rank among the distinct values, so that codes (and with them folds and seeds)
/// do not depend on the order of the rows. For group and class columns.
#[must_use]
pub fn encode<T: Ord>(values: &[T]) -> Vec<usize> {
    let mut distinct: Vec<&T> = values.iter().collect();
    distinct.sort();
    distinct.dedup();
    values.iter().map(|value| distinct.partition_point(|other| *other < value)).collect()
}

/// Class labels of training and evaluated rows as `0..classes.len()`.
pub(super) struct CodedClasses {
    /// The caller's codes, ascending.
    pub classes: Vec<usize>,
    pub train: Vec<usize>,
    pub eval: Vec<usize>,
}

impl CodedClasses {
    /// Codes labels that have at least two classes on each side.
    pub fn new(train: &[usize], eval: &[usize]) -> Result<Self, Undefined> {
        let both = [train, eval].concat();
        let mut classes = both.clone();
        classes.sort_unstable();
        classes.dedup();
        let is_single = |labels: &[usize]| labels.iter().all(|&label| label == labels[0]);
        if is_single(train) || is_single(eval) {
            return Err(Undefined::SingleClass);
        }
        let mut train_codes = encode(&both);
        let eval = train_codes.split_off(train.len());
        Ok(Self { classes, train: train_codes, eval })
    }
}

/// Refuses values from which nothing can be learned or which cannot be scored.
pub(super) fn check_values(train: &[f64], eval: &[f64]) -> Result<(), Undefined> {
    if train.iter().chain(eval).any(|value| !value.is_finite()) {
        return Err(Undefined::NonFiniteTarget);
    }
    let is_constant = |values: &[f64]| values.iter().all(|&value| value == values[0]);
    if is_constant(train) || is_constant(eval) {
        return Err(Undefined::ConstantTarget);
    }
    Ok(())
}
