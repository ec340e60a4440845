//! Hypotheses from SQL over pairs of prompts.

use super::frame::Frame;
use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::{Expression, ValueKind};
use crate::prompts::{INDEX, TaskPrompts};
use crate::stats::Hypothesis;
use std::collections::HashMap;

/// Values that differ by less than this share are equal: rounding depends on the order of a sum.
const TOLERANCE: f64 = 1e-9;

/// Fills in the hypothesis of each frame.
///
/// # Errors
/// [`AnalyzeError::Expression`] when the SQL cannot be asked, is no number or boolean, is not finite, or
/// (in a square) says another thing of (b, a) than of (a, b).
pub(super) fn evaluate(
    catalog: &Catalog,
    prompts: &TaskPrompts,
    expression: Expression<'_>,
    frames: &mut [Frame],
) -> Result<(), AnalyzeError> {
    let table = &prompts.table;
    let from = format!("{table} AS a, {table} AS b");
    if expression.check(catalog, &format!("a.{INDEX}"), &from)? == ValueKind::Other {
        return Err(expression.refuse("it must be a number or a boolean, but gives another type"));
    }
    for frame in frames {
        let (rows, columns) = frame.prompts.split_at(frame.n_rows);
        let columns = if frame.is_rectangle { columns } else { rows };
        let sql = include_str!("../../queries/hypothesis_pairs.sql")
            .replace("$prompts", table)
            .replace("$index", INDEX)
            .replace("$rows", &list(rows))
            .replace("$columns", &list(columns))
            .replace("$hypothesis", &expression.parenthesized());
        let answer = expression.ask(catalog, &sql)?;
        let pairs = answer.integers(0).into_iter().zip(answer.integers(1));
        let values: Vec<(usize, usize, Option<f64>)> =
            pairs.zip(answer.numbers(2)).map(|((a, b), value)| (a as usize, b as usize, value)).collect();
        check_values(prompts, expression, frame, &values)?;
        frame.hypothesis = Some(build(frame, &values)?);
    }
    Ok(())
}

fn list(prompts: &[usize]) -> String {
    prompts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn build(frame: &Frame, values: &[(usize, usize, Option<f64>)]) -> Result<Hypothesis, AnalyzeError> {
    let (rows, columns) = frame.prompts.split_at(frame.n_rows);
    let places = |prompts: &[usize], from: usize| -> HashMap<usize, usize> {
        prompts.iter().enumerate().map(|(i, &p)| (p, from + i)).collect()
    };
    let rows = places(rows, 0);
    let columns = if frame.is_rectangle { places(columns, frame.n_rows) } else { rows.clone() };
    let numbered = values.iter().map(|&(a, b, value)| (rows[&a], columns[&b], value));
    // Of a square, the pair in the order of the prompts counts; the other order agrees within rounding.
    let kept = numbered.filter(|&(i, j, _)| i < j);
    Ok(Hypothesis::from_pairs(frame.prompts.len(), kept)?)
}

fn check_values(
    prompts: &TaskPrompts,
    expression: Expression<'_>,
    frame: &Frame,
    values: &[(usize, usize, Option<f64>)],
) -> Result<(), AnalyzeError> {
    let name = |p: usize| &prompts.ids[p];
    if let Some((a, b, _)) = values.iter().find(|(_, _, v)| v.is_some_and(|v| !v.is_finite())) {
        let reason = format!("it is not finite for a = `{}`, b = `{}`", name(*a), name(*b));
        return Err(expression.refuse(reason));
    }
    if frame.is_rectangle {
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
            )));
        }
    }
    Ok(())
}
