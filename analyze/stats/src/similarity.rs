//! Similarity of prompts from their pooled vectors: one matrix per condition, layer and site.
//!
//! Every measure is returned so that larger means more alike; distances are therefore NEGATED. One
//! matrix product per call, on the calling thread; callers spread matrices over threads. Prompts whose
//! vectors are bitwise equal get bitwise equal similarities (and exactly 1 or -0 distance with one
//! another), so that rounding in the product never breaks a tie.

mod mahalanobis;

use std::collections::HashMap;

use super::error::{NumericsError, Undefined, check_length, check_range};
use super::matrix::Matrix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done to the vectors, across the prompts of one matrix, before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Nothing.
    None,
    /// Subtract the mean of each dimension.
    Center,
    /// Z-score each dimension with the population standard deviation (ddof 0); a constant dimension
    /// becomes 0. The default, because a few rogue dimensions dominate cosine in transformers (Timkey
    /// & van Schijndel 2021).
    #[default]
    Standardize,
}

/// How two vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Cosine of the angle, in [-1, 1].
    #[default]
    Cosine,
    /// Pearson correlation across dimensions, in [-1, 1].
    Correlation,
    /// Negated Euclidean distance.
    Euclidean,
    /// Negated squared Euclidean distance.
    SquaredEuclidean,
    /// Negated Mahalanobis distance in the covariance of the prompts, shrunk towards a scaled identity
    /// by the amount of Ledoit & Wolf (2004).
    Mahalanobis,
    /// Inner product: the linear kernel, which `cka` is defined on.
    InnerProduct,
}

impl std::fmt::Display for Normalization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Center => "center",
            Self::Standardize => "standardize",
        })
    }
}

impl std::fmt::Display for Similarity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cosine => "cosine",
            Self::Correlation => "correlation",
            Self::Euclidean => "euclidean",
            Self::SquaredEuclidean => "squared_euclidean",
            Self::Mahalanobis => "mahalanobis",
            Self::InnerProduct => "inner_product",
        })
    }
}

/// Similarities of all pairs `i < j`: a condensed upper triangle of length n(n-1)/2, row-major.
///
/// `vectors` is row-major, `n_prompts` rows of equal length.
///
/// # Errors
/// [`Undefined::ZeroVector`] when cosine or correlation meets a vector without direction (after
/// normalization), [`Undefined::NoVariance`] for Mahalanobis among equal vectors; malformed input.
pub fn compute_similarities(
    vectors: &[f32],
    n_prompts: usize,
    normalization: Normalization,
    similarity: Similarity,
) -> Result<Vec<f64>, NumericsError> {
    let table = SimilarityTable::new(vectors, n_prompts, normalization, similarity)?;
    let n = n_prompts;
    Ok((0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| table.get(i, j)).collect())
}

/// Similarities of each row prompt with each column prompt: row-major, `rows.len() x columns.len()`.
///
/// Normalization runs across all `n_prompts` vectors, also those in neither subset.
///
/// # Errors
/// As [`compute_similarities`]; [`NumericsError::OutOfRange`].
pub fn compute_rectangle(
    vectors: &[f32],
    n_prompts: usize,
    (rows, columns): (&[usize], &[usize]),
    normalization: Normalization,
    similarity: Similarity,
) -> Result<Vec<f64>, NumericsError> {
    check_range("prompt", rows.iter().chain(columns).copied(), n_prompts)?;
    let table = SimilarityTable::new(vectors, n_prompts, normalization, similarity)?;
    Ok(rows
        .iter()
        .flat_map(|&r| columns.iter().map(move |&c| (r, c)))
        .map(|(r, c)| table.get(r, c))
        .collect())
}

/// Normalizes vectors across prompts: `n_prompts x d`, in f64.
///
/// # Errors
/// [`NumericsError::LengthMismatch`] when `vectors` is not `n_prompts` rows of equal, positive length;
/// [`NumericsError::NonFinite`].
pub fn normalize(
    vectors: &[f32],
    n_prompts: usize,
    normalization: Normalization,
) -> Result<Matrix, NumericsError> {
    let d = vectors.len().checked_div(n_prompts).unwrap_or(0);
    check_length("vectors", n_prompts * d.max(usize::from(n_prompts > 0)), vectors.len())?;
    if let Some(index) = vectors.iter().position(|v| !v.is_finite()) {
        return Err(NumericsError::NonFinite { what: "vectors", index });
    }
    let mut x = Matrix::from_row_major(n_prompts, d, vectors.iter().map(|&v| f64::from(v)).collect())?;
    if normalization != Normalization::None && n_prompts > 0 {
        shift_and_scale(&mut x, normalization == Normalization::Standardize);
    }
    Ok(x)
}

/// Centres each column and, if asked, divides it by its population standard deviation.
fn shift_and_scale(x: &mut Matrix, standardize: bool) {
    let (n, d) = (x.n_rows(), x.n_columns());
    let mean = column_sums(x, |_, v| v).iter().map(|s| s / n as f64).collect::<Vec<_>>();
    let squares = column_sums(x, |j, v| (v - mean[j]).powi(2));
    let first = x.row(0).to_vec();
    let n_equal = column_sums(x, |j, v| f64::from(u8::from(v == first[j])));
    for i in 0..n {
        let row = x.row_mut(i);
        for j in 0..d {
            // A rounded mean leaves crumbs in a constant dimension, which a tiny deviation would blow up.
            if n_equal[j] == n as f64 {
                row[j] = 0.0;
                continue;
            }
            row[j] -= mean[j];
            if standardize {
                row[j] /= (squares[j] / n as f64).sqrt();
            }
        }
    }
}

/// Sums `term(column, entry)` down each column.
fn column_sums(x: &Matrix, term: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; x.n_columns()];
    for i in 0..x.n_rows() {
        for (j, (sum, &value)) in sums.iter_mut().zip(x.row(i)).enumerate() {
            *sum += term(j, value);
        }
    }
    sums
}

/// The product of all vectors with each other, read out as a similarity.
struct SimilarityTable {
    similarity: Similarity,
    /// First prompt with the same vector, bit for bit.
    representatives: Vec<usize>,
    /// Inner products, `n x n`.
    products: Matrix,
}

impl SimilarityTable {
    fn new(
        vectors: &[f32],
        n_prompts: usize,
        normalization: Normalization,
        similarity: Similarity,
    ) -> Result<Self, NumericsError> {
        let mut x = normalize(vectors, n_prompts, normalization)?;
        let representatives = first_occurrences(vectors, n_prompts);
        match similarity {
            Similarity::Cosine => scale_to_unit_length(&mut x)?,
            Similarity::Correlation => {
                center_rows(&mut x);
                scale_to_unit_length(&mut x)?;
            }
            Similarity::InnerProduct => {}
            // Distances do not depend on the origin; near the vectors' mean they lose fewer digits.
            _ if n_prompts > 0 => shift_and_scale(&mut x, false),
            _ => {}
        }
        let products = x.times_transposed(&x);
        let products = match similarity {
            Similarity::Mahalanobis => mahalanobis::whiten(&products, x.n_columns())?,
            _ => products,
        };
        Ok(Self { similarity, representatives, products })
    }

    fn get(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (self.representatives[i], self.representatives[j]);
        let (a, b) = (a.min(b), a.max(b));
        let product = self.products.get(a, b);
        match self.similarity {
            Similarity::Cosine | Similarity::Correlation if a == b => 1.0,
            Similarity::Cosine | Similarity::Correlation => product.clamp(-1.0, 1.0),
            Similarity::InnerProduct => product,
            _ if a == b => 0.0,
            Similarity::SquaredEuclidean => -self.squared_distance(a, b, product),
            Similarity::Euclidean | Similarity::Mahalanobis => -self.squared_distance(a, b, product).sqrt(),
        }
    }

    fn squared_distance(&self, a: usize, b: usize, product: f64) -> f64 {
        (self.products.get(a, a) + self.products.get(b, b) - 2.0 * product).max(0.0)
    }
}

/// For each row, the first row that is bitwise equal to it.
fn first_occurrences(vectors: &[f32], n_prompts: usize) -> Vec<usize> {
    let d = vectors.len().checked_div(n_prompts).unwrap_or(0);
    let mut seen: HashMap<Vec<u32>, usize> = HashMap::with_capacity(n_prompts);
    // Adding zero makes -0.0 and 0.0 one value.
    let bits = |i: usize| vectors[i * d..(i + 1) * d].iter().map(|v| (v + 0.0).to_bits()).collect();
    (0..n_prompts).map(|i| *seen.entry(bits(i)).or_insert(i)).collect()
}

/// Subtracts from each row its own mean; a constant row becomes exactly zero.
fn center_rows(x: &mut Matrix) {
    for i in 0..x.n_rows() {
        let row = x.row_mut(i);
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let is_constant = row.iter().all(|v| *v == row[0]);
        row.iter_mut().for_each(|v| *v = if is_constant { 0.0 } else { *v - mean });
    }
}

/// Divides each row by its length; a row of zeros has no direction.
fn scale_to_unit_length(x: &mut Matrix) -> Result<(), Undefined> {
    for i in 0..x.n_rows() {
        let row = x.row_mut(i);
        // Scaling by the largest entry first keeps the squares of tiny vectors from underflowing.
        let largest = row.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        if largest == 0.0 {
            return Err(Undefined::ZeroVector);
        }
        row.iter_mut().for_each(|v| *v /= largest);
        let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter_mut().for_each(|v| *v /= length);
    }
    Ok(())
}
