//! Whether the extraction kept the states that an entry asks for.

use crate::answer::ask;
use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::states::StateSource;
use hypercolumn_schemas::Site;

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
    let sql = include_str!("../queries/kept_states.sql");
    let answer = ask(catalog.connection(), sql, &[&model, &source.task()], "list the states that were kept")?;
    let kept = answer.column::<String>("role")?.into_iter().zip(answer.column::<String>("pooling")?);
    let kept: Vec<String> = kept.map(|(role, pooling)| format!("{role} ({pooling})")).collect();
    let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
    let pooling = source.pooling().name();
    refuse(format!("no states of segment `{role}` pooled by `{pooling}` were kept; kept are {kept}"))
}
