//! Whether the extraction kept the states that an entry asks for.

use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::frames::{Partitions, refused, texts};
use crate::states::StateSource;
use hypercolumn_schemas::{Selection, Site, tables};
use polars::prelude::{IntoLazy, SortMultipleOptions, UniqueKeepStrategy, col};

/// Refuses an entry whose role, pooling or site has no states, naming what there is.
pub(crate) fn check_states(
    catalog: &Catalog,
    model: &str,
    entry: &str,
    source: &StateSource<'_>,
    role: &str,
    sites: Option<&[Site]>,
) -> Result<(), AnalyzeError> {
    if !source.layers(sites).is_empty() {
        return Ok(());
    }
    let refuse = |reason: String| Err(AnalyzeError::Entry { entry: entry.to_owned(), reason });
    if !source.layer_sites.is_empty() {
        return refuse("no states were kept at its `site`".to_owned());
    }
    let partitions = Partitions { study: "", model, task: source.task(), layer: None };
    let selection = Selection { equal: &[], columns: &["role", "pooling"] };
    let rows = catalog.selected_frame(&tables::HIDDEN_STATES, partitions, selection)?.lazy();
    let kept = rows.select([col("role"), col("pooling")]).unique(None, UniqueKeepStrategy::Any);
    let kept = kept.sort(["role", "pooling"], SortMultipleOptions::default()).collect().map_err(refused)?;
    let kept = texts(&kept, "role")?.into_iter().zip(texts(&kept, "pooling")?);
    let kept: Vec<String> = kept.map(|(role, pooling)| format!("{role} ({pooling})")).collect();
    let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
    let pooling = source.pooling().name();
    refuse(format!("no states of segment `{role}` pooled by `{pooling}` were kept; kept are {kept}"))
}
