//! Why a probe, or one of its numbers, has no value.
//!
//! A table stores the reason beside a null, so every variant prints as one snake_case word. Nothing in
//! this module tree returns NaN or a stand-in zero.

/// The reason for which a probe (or one metric of it) is undefined. `Display` gives the snake_case text
/// that tables store; the fields carry what a message needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undefined {
    /// Fewer than [`MIN_PROMPTS`](super::MIN_PROMPTS) prompts.
    #[error("too_few_prompts")]
    TooFewPrompts {
        /// Prompts given.
        n_prompts: usize,
    },
    /// Groups are kept whole, so there can be no more folds than groups.
    #[error("fewer_groups_than_folds")]
    FewerGroupsThanFolds {
        /// Distinct groups among the prompts.
        n_groups: usize,
        /// Outer folds asked for.
        n_folds: usize,
    },
    /// A training fold has fewer groups than the inner cross-validation needs.
    #[error("fewer_groups_than_inner_folds")]
    FewerGroupsThanInnerFolds {
        /// Distinct groups in the training fold.
        n_groups: usize,
        /// Inner folds asked for.
        n_inner_folds: usize,
    },
    /// Every prompt has the same class.
    #[error("single_class")]
    SingleClass,
    /// A class never occurs in the training part of an outer fold, usually because all of its prompts
    /// are in one group.
    #[error("class_absent_from_training_fold")]
    ClassAbsentFromTrainingFold {
        /// The class, as the caller coded it.
        class: usize,
        /// The outer fold, from 0.
        fold: usize,
    },
    /// A regression target that is the same for every prompt.
    #[error("constant_target")]
    ConstantTarget,
    /// A regression target with a NaN or an infinity.
    #[error("non_finite_target")]
    NonFiniteTarget,
    /// Every dimension is the same for every prompt.
    #[error("constant_vectors")]
    ConstantVectors,
    /// A vector with a NaN or an infinity.
    #[error("non_finite_vector")]
    NonFiniteVector,
    /// A correlation with predictions that are all the same.
    #[error("constant_prediction")]
    ConstantPrediction,
    /// A log-loss in which a true class was given no probability.
    #[error("probability_underflow")]
    ProbabilityUnderflow,
    /// No draw of control labels left every class in every training fold.
    #[error("control_class_absent_from_training_fold")]
    ControlClassAbsentFromTrainingFold,
    /// The eigendecomposition of a Gram matrix did not converge.
    #[error("eigendecomposition_failed")]
    EigendecompositionFailed,
}
