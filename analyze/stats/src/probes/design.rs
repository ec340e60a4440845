//! Vectors made ready for every fold of a plan: standardised and in principal components, and these again for the inner
//! folds. It holds no target, so all targets with the same folds, and their refits, share it.

use super::folds::FoldPlan;
use super::pca::{PcaBasis, Standardized, Vectors};
use hypercolumn_schemas::Undefined;

/// One inner split of a training fold.
pub(super) struct InnerFold {
    /// Positions within the outer training rows.
    pub train: Vec<usize>,
    /// Positions within the outer training rows.
    pub test: Vec<usize>,
    /// Coordinates for this split.
    pub basis: PcaBasis,
}

/// One outer split.
pub(super) struct FoldDesign {
    /// Rows of the training matrix.
    pub train: Vec<usize>,
    /// Rows of the evaluated matrix.
    pub test: Vec<usize>,
    /// Coordinates for this split.
    pub basis: PcaBasis,
    /// Splits that choose the penalty.
    pub inner: Vec<InnerFold>,
    /// Mean squared singular value of the standardised training vectors: what penalties are relative to.
    pub penalty_unit: f64,
}

impl FoldDesign {
    /// Prepares one split. `inner_fold` gives the inner fold of each row of `train` (the matrix).
    ///
    /// Inner splits keep the scale of the outer training fold. That leaks nothing of the held-out
    /// prompts, which are not in it; it spares a decomposition of all dimensions for every inner split;
    /// and it is the scale at which the chosen penalty is used in the refit.
    pub fn new(
        (train, train_rows): (Vectors, Vec<usize>),
        (eval, test_rows): (Vectors, Vec<usize>),
        inner_fold: &[usize],
    ) -> Result<Self, Undefined> {
        let standardized = Standardized::new(train, &train_rows, eval, &test_rows);
        let basis = PcaBasis::new(standardized.train.as_ref(), standardized.test.as_ref())?;
        let n_inner = train_rows.iter().map(|&row| inner_fold[row] + 1).max().unwrap_or(0);
        let inner = (0..n_inner)
            .map(|fold| {
                let in_fold = |&position: &usize| inner_fold[train_rows[position]] == fold;
                let (test, train): (Vec<_>, Vec<_>) = (0..train_rows.len()).partition(in_fold);
                let basis = basis.refine(&train, &test)?;
                Ok(InnerFold { train, test, basis })
            })
            .collect::<Result<_, _>>()?;
        let penalty_unit = standardized.penalty_unit();
        Ok(Self { train: train_rows, test: test_rows, basis, inner, penalty_unit })
    }
}

/// Vectors prepared for every fold of a plan.
pub struct Design {
    pub(super) folds: Vec<FoldDesign>,
    pub(super) plan: FoldPlan,
}

impl Design {
    /// Prepares `train` and `eval` for `plan`; pass the same vectors twice to train and test in one
    /// condition. Cost: per outer fold one product and one eigendecomposition of
    /// min(n_train, n_dimensions), per inner fold one of its number of training rows.
    ///
    /// # Errors
    /// [`Undefined::NonFiniteVector`], [`Undefined::ConstantVectors`],
    /// [`Undefined::EigendecompositionFailed`].
    ///
    /// # Panics
    /// If the plan was made for other numbers of rows, or the matrices differ in dimensions.
    pub fn new(train: Vectors, eval: Vectors, plan: FoldPlan) -> Result<Self, Undefined> {
        assert_eq!(train.n_dimensions, eval.n_dimensions, "dimensions of training and evaluated vectors");
        assert_eq!(train.n_prompts(), plan.train_fold.len(), "planned training rows");
        assert_eq!(eval.n_prompts(), plan.eval_fold.len(), "planned evaluated rows");
        train.check()?;
        eval.check().or_else(|reason| match reason {
            // Constant test vectors are a result (nothing transfers), not an obstacle.
            Undefined::ConstantVectors => Ok(()),
            other => Err(other),
        })?;
        let folds = (0..plan.n_folds())
            .map(|fold| {
                let (train_rows, test_rows) = plan.split(fold);
                FoldDesign::new((train, train_rows), (eval, test_rows), &plan.inner_fold[fold])
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { folds, plan })
    }

    /// The folds this was prepared for.
    #[must_use]
    pub fn plan(&self) -> &FoldPlan {
        &self.plan
    }
}
