//! Refits of logistic probes as linear smoothers.
//!
//! One Newton step from weights of zero at a fixed penalty gives logits that are linear in the labels: H r, where H is
//! `[n_test, n_train]`, depends on vectors and number of classes alone, and r are labels minus 1/k. So H is computed once
//! and serves every permutation; and because r is one-hot but for a constant, H r is a sum of columns of H.
//!
//! With Z the standardised training vectors, H = Z* Zᵀ (Z Zᵀ/k + λ)⁻¹ + k/n, the last term being the free intercept. Where
//! principal components are at hand, that is a product; where they are not, a Cholesky factor is cheaper than they are.
//!
//! A permutation test leaves the intercept out. Its folds are not stratified, so that a class which is frequent among the
//! training rows is rare among the held-out ones: the intercept would predict the opposite of what is held out, more or
//! less so from one permutation to the next, and hide a signal behind that.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, solve};
use faer::{Mat, MatRef, Par};
use hypercolumn_schemas::Undefined;

use super::design::FoldDesign;
use super::folds::FoldPlan;
use super::pca::{Standardized, Vectors, gram, product};

/// Relative penalty of a logistic probe's refits.
const PENALTY: f64 = 1.0;

/// The logits of one split's held-out rows as a linear function of the labels of its training rows.
pub(super) struct Smoother {
    /// Rows of the training matrix.
    pub train: Vec<usize>,
    /// Rows of the evaluated matrix.
    pub test: Vec<usize>,
    /// `[n_test, n_train]`.
    pub matrix: Mat<f64>,
}

impl Smoother {
    /// The smoother of a split whose principal components are known, with an intercept.
    pub fn of_basis(fold: &FoldDesign, n_classes: usize) -> Self {
        let sizes = &fold.basis.squared_singular_values;
        let shrinkage = PENALTY * fold.penalty_unit;
        let weigh = |j: usize| {
            let own = if j + 1 == sizes.len() { 0.0 } else { shrinkage };
            (sizes[j] / n_classes as f64 + own).recip()
        };
        let test = &fold.basis.test;
        let weighted = Mat::from_fn(test.nrows(), sizes.len(), |i, j| test[(i, j)] * weigh(j));
        let matrix = product(weighted.as_ref(), fold.basis.train.transpose());
        Self { train: fold.train.clone(), test: fold.test.clone(), matrix }
    }
}

/// Products of the standardised vectors of one split, of the smaller of the two sizes.
enum Products {
    /// Between prompts.
    Prompts {
        /// Lower triangle, `[n_train, n_train]`.
        gram: Mat<f64>,
        /// `[n_test, n_train]`.
        cross: Mat<f64>,
    },
    /// Between dimensions, with the vectors that they are of.
    Dimensions {
        /// Lower triangle, `[n_dimensions, n_dimensions]`.
        scatter: Mat<f64>,
        vectors: Standardized,
    },
}

struct TestFold {
    train: Vec<usize>,
    test: Vec<usize>,
    products: Products,
    penalty_unit: f64,
}

impl TestFold {
    fn new(train: (Vectors, Vec<usize>), eval: (Vectors, Vec<usize>)) -> Self {
        let vectors = Standardized::new(train.0, &train.1, eval.0, &eval.1);
        let penalty_unit = vectors.penalty_unit();
        let own = vectors.train.as_ref();
        let products = if own.ncols() <= own.nrows() {
            let cross = product(vectors.test.transpose(), own);
            Products::Prompts { gram: gram(own.transpose()), cross }
        } else {
            Products::Dimensions { scatter: gram(own), vectors }
        };
        Self { train: train.1, test: eval.1, products, penalty_unit }
    }

    /// Without an intercept.
    fn smoother(&self, n_classes: usize) -> Result<Smoother, Undefined> {
        let k = n_classes as f64;
        let shrinkage = PENALTY * self.penalty_unit;
        let matrix = match &self.products {
            Products::Prompts { gram, cross } => {
                let solved = solve_shrunk(gram, (k, shrinkage), cross.transpose())?;
                solved.transpose().to_owned()
            }
            Products::Dimensions { scatter, vectors } => {
                let solved = solve_shrunk(scatter, (k, shrinkage), vectors.test.as_ref())?;
                product(solved.transpose(), vectors.train.as_ref())
            }
        };
        Ok(Smoother { train: self.train.clone(), test: self.test.clone(), matrix })
    }
}

/// (`products`/k + λ)⁻¹ `right`; of `products` the lower triangle is read.
fn solve_shrunk(
    products: &Mat<f64>,
    (k, shrinkage): (f64, f64),
    right: MatRef<f64>,
) -> Result<Mat<f64>, Undefined> {
    let mut factor = products.clone();
    for column in 0..factor.ncols() {
        factor.col_as_slice_mut(column).iter_mut().for_each(|value| *value /= k);
        factor[(column, column)] += shrinkage;
    }
    let n = factor.nrows();
    let params = Default::default();
    let mut buffer = MemBuffer::new(factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, params));
    let stack = MemStack::new(&mut buffer);
    factor::cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, params)
        .map_err(|_| Undefined::EigendecompositionFailed)?;
    let mut solved = right.to_owned();
    let mut buffer = MemBuffer::new(solve::solve_in_place_scratch::<f64>(n, solved.ncols(), Par::Seq));
    solve::solve_in_place(factor.as_ref(), solved.as_mut(), Par::Seq, MemStack::new(&mut buffer));
    Ok(solved)
}

/// Vectors prepared for the permutation test of logistic probes: every fold of a plan, without principal components.
pub(super) struct TestDesign {
    folds: Vec<TestFold>,
}

impl TestDesign {
    /// Prepares `train` and `eval`, which the caller has checked, for `plan`.
    pub fn new(train: Vectors, eval: Vectors, plan: &FoldPlan) -> Self {
        let fold = |fold| {
            let (train_rows, test_rows) = plan.split(fold);
            TestFold::new((train, train_rows), (eval, test_rows))
        };
        Self { folds: (0..plan.n_folds()).map(fold).collect() }
    }

    /// The smoother of every fold for labels of so many classes, without an intercept.
    pub fn smoothers(&self, n_classes: usize) -> Result<Vec<Smoother>, Undefined> {
        self.folds.iter().map(|fold| fold.smoother(n_classes)).collect()
    }
}
