//! Representational similarity analysis: how far the similarities of prompts follow a hypothesis.
//!
//! An entry of the study is prepared first: its prompts are chosen and its hypothesis is evaluated in
//! DuckDB, so that SQL that cannot be asked is refused before anything is computed. Then states are
//! read layer by layer, once for all entries that share a role and pooling, and become similarities;
//! inference (see [`inference`]) sees all layers of a condition together, because they share one set of
//! permutations and one set of draws of items.

mod frame;
mod inference;
mod matrix;
mod prompt_alignment;
mod similarities;

use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::TaskPrompts;
use crate::rows::{Outcome, correct};
use crate::settings::{AnalysisSettings, Hypothesis};
use crate::states::StateSource;
use frame::{Frame, Selected};
use hypercolumn_schemas::{Pooling, Progress, tables};
use inference::{Inference, Scope};
use similarities::{Geometry, measure_all};
use std::collections::BTreeMap;

/// Raised when a value of `rsa` would come out differently.
pub(crate) const CODE_VERSION: u32 = 1;

/// Rows that are corrected together agree in these columns: all layers, sites and conditions.
const FAMILY: [&str; 6] = ["role", "pooling", "normalization", "similarity", "hypothesis", "comparison"];

/// An entry whose SQL has been evaluated.
pub(crate) struct Prepared<'a> {
    entry: &'a Hypothesis,
    pooling: Pooling,
    frames: Vec<Frame>,
}

/// Chooses the prompts and evaluates the hypothesis of each entry, one [`Prepared`] a pooling.
pub(crate) fn prepare<'a>(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    entries: &[(String, &'a Hypothesis)],
) -> Result<Vec<Prepared<'a>>, AnalyzeError> {
    let mut prepared = Vec::new();
    for (label, entry) in entries {
        let selected = select(catalog, prompts, label, entry)?;
        for &pooling in &entry.pooling {
            let source = StateSource::open(catalog, prompts, model, &entry.segment, pooling)?;
            crate::kept::check_states(catalog, model, label, &source, &entry.segment, entry.site.as_deref())?;
            let mut frames = frame::split(prompts, &selected, &source.is_present);
            let expression = Expression { entry: label, key: "sql", sql: &entry.sql };
            matrix::evaluate(catalog, prompts, expression, &mut frames)?;
            prepared.push(Prepared { entry, pooling, frames });
        }
    }
    Ok(prepared)
}

fn select(
    catalog: &Catalog,
    prompts: &TaskPrompts,
    label: &str,
    entry: &Hypothesis,
) -> Result<Selected, AnalyzeError> {
    let side = |key, sql: &Option<String>| {
        prompts.select(catalog, sql.as_deref().map(|sql| Expression { entry: label, key, sql }))
    };
    let filter = side("where", &entry.filter)?;
    let both = |chosen: Vec<bool>| chosen.iter().zip(&filter).map(|(a, b)| *a && *b).collect();
    let rows: Vec<bool> = both(side("rows", &entry.rows)?);
    let is_rectangle = entry.rows.is_some() || entry.columns.is_some();
    let columns = match is_rectangle {
        true => Some(both(side("columns", &entry.columns)?)),
        false => None,
    };
    let blocks = match &entry.blocks {
        Some(sql) => Some(prompts.texts(catalog, Expression { entry: label, key: "blocks", sql })?),
        None => None,
    };
    if !rows.contains(&true) || columns.as_ref().is_some_and(|c| !c.contains(&true)) {
        let reason = "no prompt satisfies its `where`, `rows` or `columns`".to_owned();
        return Err(AnalyzeError::Entry { entry: label.to_owned(), reason });
    }
    Ok(Selected { rows, columns, blocks })
}

/// Computes all prepared entries; states are read once for each role and pooling.
pub(crate) fn compute(
    catalog: &Catalog,
    model: &str,
    prompts: &TaskPrompts,
    prepared: &[Prepared<'_>],
    settings: &AnalysisSettings,
    progress: &dyn Progress,
) -> Result<Outcome, AnalyzeError> {
    let mut groups: BTreeMap<(&str, Pooling), Vec<&Prepared>> = BTreeMap::new();
    for one in prepared {
        groups.entry((&one.entry.segment, one.pooling)).or_default().push(one);
    }
    let n_units = prepared.iter().map(|one| one.frames.len() as u64).sum();
    progress.start(&format!("alignment: {}", prompts.task), n_units, "conditions");
    let mut outcome = Outcome::default();
    for ((role, pooling), group) in groups {
        let source = StateSource::open(catalog, prompts, model, role, pooling)?;
        for batch in batches_of_equal_frames(&group) {
            let first = batch[0];
            let geometry = Geometry::of(batch.iter().map(|one| one.entry));
            let sites = first.entry.site.as_deref();
            let measured = measure_all(&source, &first.frames, &geometry, sites)?;
            for one in batch {
                let inference = Inference { scope: scope(one, settings), prompts, measured: &measured };
                inference.run(&one.frames, &mut outcome, progress)?;
            }
        }
    }
    progress.finish();
    correct(&tables::RSA, &mut outcome.rows, &FAMILY);
    Ok(outcome)
}

/// Entries that compare the same prompts at the same sites share their similarities.
fn batches_of_equal_frames<'p, 'a>(group: &[&'p Prepared<'a>]) -> Vec<Vec<&'p Prepared<'a>>> {
    let mut batches: Vec<Vec<&Prepared>> = Vec::new();
    for &one in group {
        let fits = |batch: &&mut Vec<&Prepared>| {
            let other = batch[0];
            other.entry.site == one.entry.site
                && other.frames.len() == one.frames.len()
                && other.frames.iter().zip(&one.frames).all(|(a, b)| a.compares_same_prompts(b))
        };
        match batches.iter_mut().find(fits) {
            Some(batch) => batch.push(one),
            None => batches.push(vec![one]),
        }
    }
    batches
}

fn scope<'a>(one: &Prepared<'a>, settings: &'a AnalysisSettings) -> Scope<'a> {
    let is_first_pooling = one.entry.pooling.first() == Some(&one.pooling);
    Scope { entry: one.entry, pooling: one.pooling, is_first_pooling, settings }
}
