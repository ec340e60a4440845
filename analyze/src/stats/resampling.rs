//! Bootstrap over items of statistics of rows: means, correlations, effects along a path.
//!
//! A row is an observation of an item (a prompt's score, an item's change). Items are drawn with
//! replacement and bring all of their rows. Comparisons of similarity matrices, whose rows are pairs,
//! are in [`super::bootstrap`].

use rayon::prelude::*;

use super::bootstrap::{BootstrapSettings, ItemDesign, draw_multiplicities};
use super::error::{NumericsError, Undefined, check_finite, check_length, check_range};
use super::summary::{Interval, mean, percentile_interval};

/// A value with its bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value on all rows.
    pub value: f64,
    /// Its percentile interval, or why there is none.
    pub interval: Result<Interval, Undefined>,
}

/// A statistic in each draw of items; `statistic` gets the drawn rows (repeated as drawn, items in
/// ascending order) and says `None` where it is undefined.
///
/// # Errors
/// [`NumericsError::OutOfRange`] for an item number beyond `n_items`.
pub fn bootstrap_rows(
    design: ItemDesign<'_>,
    settings: BootstrapSettings,
    statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Result<Vec<Option<f64>>, NumericsError> {
    check_range("item", design.items.iter().map(|&i| i as usize), design.n_items)?;
    let mut rows_of_item = vec![Vec::new(); design.n_items];
    for (row, &item) in design.items.iter().enumerate() {
        rows_of_item[item as usize].push(row);
    }
    let evaluate = |draw: usize| {
        let multiplicities = draw_multiplicities(design.n_items, settings, draw);
        let mut rows = Vec::with_capacity(design.items.len());
        for (own, times) in rows_of_item.iter().zip(multiplicities) {
            (0..times).for_each(|_| rows.extend_from_slice(own));
        }
        statistic(&rows)
    };
    Ok((0..settings.n_draws).into_par_iter().map(evaluate).collect())
}

/// The mean of rows with its bootstrap interval over items.
///
/// # Errors
/// [`Undefined::TooFewObservations`] of no rows; malformed input.
pub fn bootstrap_mean(
    values: &[f64],
    design: ItemDesign<'_>,
    settings: BootstrapSettings,
    confidence: f64,
) -> Result<Estimate, NumericsError> {
    check_length("items", values.len(), design.items.len())?;
    check_finite("values", values)?;
    let value = mean(values).ok_or(Undefined::TooFewObservations)?;
    let draws = bootstrap_rows(design, settings, |rows| {
        let sum: f64 = rows.iter().map(|&row| values[row]).sum();
        (!rows.is_empty()).then(|| sum / rows.len() as f64)
    })?;
    Ok(Estimate { value, interval: percentile_interval(&draws, confidence) })
}
