//! Standardising vectors and taking their principal components, once for each training fold.
//!
//! An L2-penalised linear model with a free intercept keeps its weights in the span of the centred
//! training vectors, and its penalty does not change under basis. So n training vectors in d
//! dimensions are replaced, exactly, by their coordinates on the principal axes of that span: at most
//! min(n − 1, d) of them, whatever d is. On these axes the squared singular values are known, which is
//! all that ridge needs, and what preconditions the logistic solver.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef, Par};

use super::super::eigen::decompose;
use hypercolumn_schemas::Undefined;

/// Principal axes whose squared singular value is below this share of the largest are rounding noise of
/// the Gram matrix and are dropped.
const RANK_TOLERANCE: f64 = 1e-12;

/// Pooled vectors, row-major: one prompt a row.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'a> {
    /// `n_prompts × n_dimensions` values.
    pub values: &'a [f32],
    /// Values in one vector.
    pub n_dimensions: usize,
}

impl<'a> Vectors<'a> {
    /// Number of prompts.
    ///
    /// # Panics
    /// If the values do not fill whole rows.
    #[must_use]
    pub fn n_prompts(&self) -> usize {
        assert!(
            self.n_dimensions > 0 && self.values.len().is_multiple_of(self.n_dimensions),
            "{} values do not make rows of {} dimensions",
            self.values.len(),
            self.n_dimensions
        );
        self.values.len() / self.n_dimensions
    }

    /// The vector of one prompt.
    #[must_use]
    pub fn row(&self, prompt: usize) -> &'a [f32] {
        &self.values[prompt * self.n_dimensions..(prompt + 1) * self.n_dimensions]
    }

    /// Refuses vectors from which nothing can be fitted.
    pub(super) fn check(&self) -> Result<(), Undefined> {
        if self.values.iter().any(|value| !value.is_finite()) {
            return Err(Undefined::NonFiniteVector);
        }
        let first = self.row(0);
        if self.values.chunks_exact(self.n_dimensions).all(|row| row == first) {
            return Err(Undefined::ConstantVectors);
        }
        Ok(())
    }
}

/// Vectors z-scored with the mean and the standard deviation (divisor n) of the training rows; a
/// dimension that is constant there becomes 0 everywhere. Each prompt is a column.
pub(super) struct Standardized {
    /// `n_dimensions × n_train`.
    pub train: Mat<f64>,
    /// `n_dimensions × n_test`.
    pub test: Mat<f64>,
    /// Dimensions that vary in the training rows.
    n_varying: usize,
}

impl Standardized {
    /// Standardises `test_rows` of `eval` by `train_rows` of `train`.
    pub fn new(train: Vectors, train_rows: &[usize], eval: Vectors, test_rows: &[usize]) -> Self {
        let d = train.n_dimensions;
        let n = train_rows.len() as f64;
        let mut mean = vec![0.0; d];
        for &row in train_rows {
            mean.iter_mut().zip(train.row(row)).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= n);
        let mut variance = vec![0.0; d];
        let mut varies = vec![false; d];
        let first = train.row(train_rows[0]);
        for &row in train_rows {
            for (j, &value) in train.row(row).iter().enumerate() {
                variance[j] += (f64::from(value) - mean[j]).powi(2);
                varies[j] |= value != first[j];
            }
        }
        // Whether a dimension is constant is read off the values, not off a variance that rounding
        // may have left just above zero.
        let scale: Vec<f64> = variance
            .iter()
            .zip(&varies)
            .map(|(sum, &varies)| if varies { (n / sum).sqrt() } else { 0.0 })
            .collect();
        let fill = |vectors: Vectors, rows: &[usize]| {
            Mat::from_fn(d, rows.len(), |j, i| {
                let value = vectors.values[rows[i] * d + j];
                (f64::from(value) - mean[j]) * scale[j]
            })
        };
        Self {
            train: fill(train, train_rows),
            test: fill(eval, test_rows),
            n_varying: varies.iter().filter(|&&varies| varies).count(),
        }
    }

    /// Mean squared singular value of the training vectors: what penalties are relative to.
    pub fn penalty_unit(&self) -> f64 {
        let (n, varying) = (self.train.ncols() as f64, self.n_varying as f64);
        if varying > 0.0 { n * varying / varying.min(n - 1.0) } else { 1.0 }
    }
}

/// Coordinates of training and held-out vectors on the principal axes of the training vectors, with a
/// last column of ones that carries the intercept.
///
/// The training columns are orthogonal, the column of ones included, because the others are centred.
#[derive(Debug, Clone)]
pub(super) struct PcaBasis {
    /// `n_train × (rank + 1)`.
    pub train: Mat<f64>,
    /// `n_test × (rank + 1)`.
    pub test: Mat<f64>,
    /// Squared length of each training column; the last is `n_train`.
    pub squared_singular_values: Vec<f64>,
}

impl PcaBasis {
    /// The basis of vectors given as columns, `d × n_train` and `d × n_test`, the training ones centred.
    /// The smaller of the Gram matrix (n × n) and the scatter matrix (d × d) is decomposed; both give
    /// the same axes.
    pub fn new(train: MatRef<f64>, test: MatRef<f64>) -> Result<Self, Undefined> {
        let (d, n) = (train.nrows(), train.ncols());
        if n <= d {
            let (values, vectors) = decompose(gram(train.transpose()).as_ref())?;
            // Held-out coordinates are Zₜₑₛₜᵀ Z U Λ^-½, training ones U Λ^½.
            let cross = product(test.transpose(), train);
            let cross = product(cross.as_ref(), vectors.as_ref());
            Ok(Self::assemble(&values, n, vectors.as_ref(), f64::sqrt, cross.as_ref(), |value| {
                value.sqrt().recip()
            }))
        } else {
            let (values, axes) = decompose(gram(train).as_ref())?;
            let train = product(train.transpose(), axes.as_ref());
            let test = product(test.transpose(), axes.as_ref());
            Ok(Self::assemble(&values, n, train.as_ref(), |_| 1.0, test.as_ref(), |_| 1.0))
        }
    }

    /// Keeps the axes with a squared singular value above rounding, scales them and adds the ones.
    fn assemble(
        values: &[f64],
        n_train: usize,
        train: MatRef<f64>,
        train_scale: impl Fn(f64) -> f64,
        test: MatRef<f64>,
        test_scale: impl Fn(f64) -> f64,
    ) -> Self {
        let floor = RANK_TOLERANCE * values.iter().fold(0.0f64, |max, &value| max.max(value));
        let kept: Vec<usize> = (0..values.len()).rev().filter(|&j| values[j] > floor).collect();
        let mut squared_singular_values: Vec<f64> = kept.iter().map(|&j| values[j]).collect();
        squared_singular_values.push(n_train as f64);
        let pick = |coordinates: MatRef<f64>, scale: &dyn Fn(f64) -> f64| {
            Mat::from_fn(coordinates.nrows(), kept.len() + 1, |i, column| match kept.get(column) {
                Some(&j) => coordinates[(i, j)] * scale(values[j]),
                None => 1.0,
            })
        };
        Self { train: pick(train, &train_scale), test: pick(test, &test_scale), squared_singular_values }
    }

    /// The basis of an inner split: `train` and `test` index training rows of this basis.
    /// The coordinates are centred on the inner training rows but keep the scale of the outer ones.
    pub fn refine(&self, train: &[usize], test: &[usize]) -> Result<Self, Undefined> {
        let rank = self.squared_singular_values.len() - 1;
        let mean: Vec<f64> = (0..rank)
            .map(|j| train.iter().map(|&i| self.train[(i, j)]).sum::<f64>() / train.len() as f64)
            .collect();
        let columns =
            |rows: &[usize]| Mat::from_fn(rank, rows.len(), |j, i| self.train[(rows[i], j)] - mean[j]);
        Self::new(columns(train).as_ref(), columns(test).as_ref())
    }
}

/// `a · b`.
pub(super) fn product(a: MatRef<f64>, b: MatRef<f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// The lower triangle of `a · aᵀ`.
pub(super) fn gram(a: MatRef<f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), a.nrows());
    triangular::matmul(
        out.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Replace,
        a,
        BlockStructure::Rectangular,
        a.transpose(),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
    out
}
