//! Hypotheses from SQL over pairs of prompts.

use super::condition_subset::ConditionSubset;
use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::{Expression, ValueKind};
use crate::prompts::{INDEX, TaskPrompts};
use crate::stats::ModelRdm;
use std::collections::HashMap;

/// Values that differ by less than this share are equal: rounding depends on the order of a sum.
const TOLERANCE: f64 = 1e-9;

/// Fills in the hypothesis of each subset.
///
/// # Errors
/// [`crate::CatalogError::Expression`] when the SQL cannot be asked, is no number or boolean, is not finite, or
/// (in a square) says another thing of (b, a) than of (a, b).
pub(super) fn evaluate(
    catalog: &Catalog,
    prompts: &TaskPrompts,
    expression: Expression<'_>,
    subsets: &mut [ConditionSubset],
) -> Result<(), AnalyzeError> {
    check(catalog, &prompts.table, expression)?;
    for subset in subsets {
        subset.hypothesis = Some(evaluate_one(catalog, prompts, expression, subset)?);
    }
    Ok(())
}

/// The expression over the pairs of one subset.
///
/// # Errors
/// As [`evaluate`].
pub(super) fn evaluate_one(
    catalog: &Catalog,
    prompts: &TaskPrompts,
    expression: Expression<'_>,
    subset: &ConditionSubset,
) -> Result<ModelRdm, AnalyzeError> {
    let (rows, columns) = subset.prompts.split_at(subset.n_rows);
    let columns = if subset.is_rectangle { columns } else { rows };
    let answer = expression.ask(catalog, &pairs_query(&prompts.table, expression, rows, columns))?;
    let pairs = answer.column::<i64>("a")?.into_iter().zip(answer.column::<i64>("b")?);
    let of_pairs = pairs.zip(answer.column::<Option<f64>>("value")?);
    let values: Vec<(usize, usize, Option<f64>)> =
        of_pairs.map(|((a, b), value)| (a as usize, b as usize, value)).collect();
    check_values(prompts, expression, subset, &values)?;
    build(subset, &values)
}

/// Refuses a hypothesis that is not one number or boolean a pair of the table's prompts.
pub(super) fn check(catalog: &Catalog, table: &str, expression: Expression<'_>) -> Result<(), AnalyzeError> {
    let from = format!("{table} AS a, {table} AS b");
    match expression.check(catalog, &format!("a.{INDEX}"), &from)? {
        ValueKind::Other => {
            Err(expression.refuse("it must be a number or a boolean, but gives another type").into())
        }
        _ => Ok(()),
    }
}

/// The SELECT of the hypothesis for each ordered pair of different prompts, a among `rows` and b among `columns`.
fn pairs_query(table: &str, expression: Expression<'_>, rows: &[usize], columns: &[usize]) -> String {
    format!(
        "SELECT a.{INDEX} AS a, b.{INDEX} AS b, CAST({} AS DOUBLE) AS value
         FROM {table} AS a JOIN {table} AS b ON a.{INDEX} <> b.{INDEX}
         WHERE a.{INDEX} IN ({}) AND b.{INDEX} IN ({})
         ORDER BY a.{INDEX}, b.{INDEX}",
        expression.parenthesized(),
        list(rows),
        list(columns)
    )
}

fn list(prompts: &[usize]) -> String {
    prompts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn build(subset: &ConditionSubset, values: &[(usize, usize, Option<f64>)]) -> Result<ModelRdm, AnalyzeError> {
    let (rows, columns) = subset.prompts.split_at(subset.n_rows);
    let places = |prompts: &[usize], from: usize| -> HashMap<usize, usize> {
        prompts.iter().enumerate().map(|(i, &p)| (p, from + i)).collect()
    };
    let rows = places(rows, 0);
    let columns = if subset.is_rectangle { places(columns, subset.n_rows) } else { rows.clone() };
    let numbered = values.iter().map(|&(a, b, value)| (rows[&a], columns[&b], value));
    // Of a square, the pair in the order of the prompts counts; the other order agrees within rounding.
    let kept = numbered.filter(|&(i, j, _)| i < j);
    Ok(ModelRdm::from_pairs(subset.prompts.len(), kept)?)
}

fn check_values(
    prompts: &TaskPrompts,
    expression: Expression<'_>,
    subset: &ConditionSubset,
    values: &[(usize, usize, Option<f64>)],
) -> Result<(), AnalyzeError> {
    let name = |p: usize| &prompts.ids[p];
    if let Some((a, b, _)) = values.iter().find(|(_, _, v)| v.is_some_and(|v| !v.is_finite())) {
        let reason = format!("it is not finite for a = `{}`, b = `{}`", name(*a), name(*b));
        return Err(expression.refuse(reason).into());
    }
    if subset.is_rectangle {
        return Ok(());
    }
    let known: HashMap<(usize, usize), Option<f64>> = values.iter().map(|&(a, b, v)| ((a, b), v)).collect();
    let is_equal = |x: Option<f64>, y: Option<f64>| match (x, y) {
        (Some(x), Some(y)) => (x - y).abs() <= TOLERANCE * x.abs().max(y.abs()).max(1.0),
        (x, y) => x == y,
    };
    let show = |value: Option<f64>| value.map_or("null".to_owned(), |v| v.to_string());
    for &(a, b, value) in values.iter().filter(|(a, b, _)| a < b) {
        let other = known.get(&(b, a)).copied().flatten();
        if !is_equal(value, other) {
            return Err(expression.refuse(format!(
                "it must say the same of (a, b) as of (b, a), but is {} for a = `{}`, b = `{}` and {} the \
                 other way round; `rows` and `columns` compare two kinds of prompts",
                show(value),
                name(a),
                name(b),
                show(other)
            )).into());
        }
    }
    Ok(())
}
