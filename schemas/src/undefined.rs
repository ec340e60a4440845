//! Why a number has no value: the word that stands in a table's `reason` beside the null.

/// The reason for which a statistic is undefined: a finding about the data, never an error. `Display` gives the
/// snake_case word of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Undefined {
    /// Fewer than four prompts take part.
    #[error("too_few_prompts")]
    TooFewPrompts,
    /// Too few observations for the statistic.
    #[error("too_few_observations")]
    TooFewObservations,
    /// Fewer than two clusters, so that nothing says how the statistic varies over clusters.
    #[error("too_few_clusters")]
    TooFewClusters,
    /// No row is what a claim names.
    #[error("no_row")]
    NoRow,
    /// More than one row is what a claim names.
    #[error("several_rows")]
    SeveralRows,
    /// Fewer than two replicates.
    #[error("too_few_replicates")]
    TooFewReplicates,
    /// No pair of prompts is left: every pair is within a unit, or the hypothesis is null for it.
    #[error("no_pairs")]
    NoPairs,
    /// The hypothesis has the same value for every pair that takes part.
    #[error("constant_hypothesis")]
    ConstantHypothesis,
    /// The similarities are the same for every pair (or, under cosine, zero everywhere).
    #[error("constant_measure")]
    ConstantMeasure,
    /// The nuisances leave nothing of the similarities, or nothing of the hypothesis.
    #[error("explained_by_nuisance")]
    ExplainedByNuisance,
    /// The hypothesis is null for some pair, where the statistic needs the whole matrix.
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
    /// A variable of a correlation, or the differences of a paired test, do not vary.
    #[error("constant_values")]
    ConstantValues,
    /// Every difference of a signed-rank test is zero.
    #[error("no_nonzero_differences")]
    NoNonzeroDifferences,
    /// The statistic is undefined in more than half of the resamples.
    #[error("too_few_defined_draws")]
    TooFewDefinedResamples,
    /// An eigendecomposition did not converge.
    #[error("eigendecomposition_failed")]
    EigendecompositionFailed,
    /// Groups are kept whole, so that there can be no more folds than groups.
    #[error("fewer_groups_than_folds")]
    FewerGroupsThanFolds,
    /// A training fold has fewer groups than the inner cross-validation needs.
    #[error("fewer_groups_than_inner_folds")]
    FewerGroupsThanInnerFolds,
    /// Every prompt has the same class.
    #[error("single_class")]
    SingleClass,
    /// A class never occurs in the training part of an outer fold, usually because all of its prompts are in one group.
    #[error("class_absent_from_training_fold")]
    ClassAbsentFromTrainingFold,
    /// The target of a regression is the same for every prompt.
    #[error("constant_target")]
    ConstantTarget,
    /// The target of a regression has a NaN or an infinity.
    #[error("non_finite_target")]
    NonFiniteTarget,
    /// Every dimension is the same for every prompt.
    #[error("constant_vectors")]
    ConstantVectors,
    /// A vector has a NaN or an infinity.
    #[error("non_finite_vector")]
    NonFiniteVector,
    /// The predictions are all the same, so that they correlate with nothing.
    #[error("constant_prediction")]
    ConstantPrediction,
    /// A log-loss in which a true class was given no probability.
    #[error("probability_underflow")]
    ProbabilityUnderflow,
    /// Observations that share pairs are not independent; the change of an alignment is tested in table `rsa`.
    #[error("tested_in_rsa")]
    TestedInRsa,
    /// The change of a contrast with matched controls is tested in the table `attention_ratios`: controls' means are
    /// estimates, which items do not tell.
    #[error("tested_in_attention_ratios")]
    TestedInAttentionRatios,
    /// No prompt has attention to both sides of the comparison.
    #[error("no_attention")]
    NoAttention,
}
