//! Comparison with a hypothesis while nuisance matrices (token overlap, difference in length, same
//! position) are held constant.
//!
//! Measure and hypothesis are each replaced by what a linear regression on the nuisances leaves of them
//! (after ranking, for Spearman); the partial correlation is the Pearson correlation of the residuals.
//! [`hold_constant`] returns the residuals in the form that [`super::permutation`] and
//! [`super::dyadic`] take, to be used there with [`Comparison::Pearson`]. Such a permutation test
//! shuffles the residuals of the hypothesis (Legendre 2000, "Comparison of permutation methods for the
//! partial correlation and partial Mantel tests"), which is approximate, not exact.

use super::comparison::{Comparison, center, compare, dot};
use super::error::{NumericsError, Undefined, check_finite, check_length};
use super::pairs::{ModelRdm, PairList};
use super::ranking::mid_ranks;

/// What the nuisances leave of measures and hypothesis.
#[derive(Debug, Clone)]
pub struct Residuals {
    /// The pairs at which hypothesis and all nuisances are defined.
    pub pairs: PairList,
    /// Per measure its residuals, aligned with `pairs`, or why there are none.
    pub measures: Vec<Result<Vec<f64>, Undefined>>,
    /// The residual hypothesis.
    pub hypothesis: ModelRdm,
}

/// Partial Spearman or Pearson correlation of a measure (aligned with `pairs`) with a hypothesis.
///
/// # Errors
/// As [`super::comparison::compare`]; [`Undefined::ExplainedByNuisance`];
/// [`NumericsError::NoPartialForm`] for other comparisons.
pub fn compare_partial(
    measure: &[f64],
    hypothesis: &ModelRdm,
    nuisances: &[&ModelRdm],
    pairs: &PairList,
    comparison: Comparison,
) -> Result<f64, NumericsError> {
    let residuals = hold_constant(&[measure], hypothesis, nuisances, pairs, comparison)?;
    let measure = residuals.measures.into_iter().next().ok_or(Undefined::NoPairs)??;
    compare(&measure, &residuals.hypothesis, &residuals.pairs, Comparison::Pearson)
}

/// Regresses the nuisances (with an intercept) out of each measure and of the hypothesis.
///
/// # Errors
/// What makes everything undefined: no pairs, too few prompts, a hypothesis that is constant or
/// explained by the nuisances; [`NumericsError::NoPartialForm`] unless `comparison` is Spearman or
/// Pearson; malformed input.
pub fn hold_constant(
    measures: &[&[f64]],
    hypothesis: &ModelRdm,
    nuisances: &[&ModelRdm],
    pairs: &PairList,
    comparison: Comparison,
) -> Result<Residuals, NumericsError> {
    if !matches!(comparison, Comparison::Spearman | Comparison::Pearson) {
        return Err(NumericsError::NoPartialForm { comparison: comparison.to_string() });
    }
    for matrix in nuisances.iter().chain([&hypothesis]) {
        check_length("hypothesis", pairs.n_prompts(), matrix.n_prompts())?;
    }
    for measure in measures {
        check_length("measure", pairs.len(), measure.len())?;
        check_finite("measure", measure)?;
    }
    let is_defined = |i, j| nuisances.iter().chain([&hypothesis]).all(|m| m.value(i, j).is_some());
    let positions = pairs.positions_where(is_defined);
    let kept = pairs.select(&positions);
    kept.check_enough()?;
    let values_of =
        |matrix: &ModelRdm| kept.iter().filter_map(|(i, j)| matrix.value(i, j)).collect::<Vec<_>>();
    let basis = orthonormal_basis(nuisances.iter().map(|m| comparison.prepare(&values_of(m))));
    let residual = residual_of(&values_of(hypothesis), &basis, comparison, Undefined::ConstantHypothesis)?;
    let residual: Vec<Option<f64>> = residual.into_iter().map(Some).collect();
    let measure_residual = |measure: &&[f64]| {
        let values: Vec<f64> = positions.iter().map(|&p| measure[p]).collect();
        residual_of(&values, &basis, comparison, Undefined::ConstantMeasure)
    };
    Ok(Residuals {
        hypothesis: ModelRdm::on_pairs(&kept, &residual)?,
        measures: measures.iter().map(measure_residual).collect(),
        pairs: kept,
    })
}

/// Share of a squared norm below which what is left of a vector is rounding.
const NEGLIGIBLE: f64 = 1e-20;

/// Gram-Schmidt, twice over for orthogonality; vectors that depend on earlier ones are dropped.
fn orthonormal_basis(vectors: impl Iterator<Item = Vec<f64>>) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for mut vector in vectors {
        let before = dot(&vector, &vector);
        remove_projections(&mut vector, &basis);
        let left = dot(&vector, &vector);
        if left > NEGLIGIBLE * before {
            let length = left.sqrt();
            vector.iter_mut().for_each(|v| *v /= length);
            basis.push(vector);
        }
    }
    basis
}

fn remove_projections(vector: &mut [f64], basis: &[Vec<f64>]) {
    for direction in basis.iter().chain(basis) {
        let along = dot(vector, direction);
        vector.iter_mut().zip(direction).for_each(|(v, d)| *v -= along * d);
    }
}

/// The (ranked and) centred values less their part along the basis.
fn residual_of(
    values: &[f64],
    basis: &[Vec<f64>],
    comparison: Comparison,
    if_constant: Undefined,
) -> Result<Vec<f64>, Undefined> {
    if super::comparison::is_constant(values) {
        return Err(if_constant);
    }
    let mut residual = if comparison == Comparison::Spearman { mid_ranks(values) } else { values.to_vec() };
    center(&mut residual);
    let before = dot(&residual, &residual);
    remove_projections(&mut residual, basis);
    if dot(&residual, &residual) <= NEGLIGIBLE * before {
        return Err(Undefined::ExplainedByNuisance);
    }
    Ok(residual)
}
