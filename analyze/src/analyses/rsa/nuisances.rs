//! Nuisances of an entry: what pairs of prompts have in common besides the hypothesis, held constant.

use super::condition_subset::{ConditionSubset, Nuisance};
use super::model_rdm;
use crate::catalog::Catalog;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::TaskPrompts;

/// The nuisance that is the same similarity at layer 0: what the words alone make alike.
pub(super) const LAYER_0: &str = "layer_0";

/// Distinct words that both prompts have, as a share of those that either has.
const WORDS_IN_COMMON: &str = "len(list_intersect(regexp_extract_all(lower(a.text), '\\w+'), \
     regexp_extract_all(lower(b.text), '\\w+'))) / greatest(1, len(list_distinct(list_concat(\
     regexp_extract_all(lower(a.text), '\\w+'), regexp_extract_all(lower(b.text), '\\w+')))))";

/// Difference in length of the prompts' texts.
const LENGTH: &str = "-abs(length(a.text) - length(b.text))";

/// Whether what is asked about stands in the same place, of tasks whose prompts have that param.
const POSITION: &str = "a.position = b.position";

/// The SQL of a nuisance; `None` for [`LAYER_0`].
fn sql_of(nuisance: &str) -> Option<&str> {
    match nuisance.trim() {
        LAYER_0 => None,
        "words_in_common" => Some(WORDS_IN_COMMON),
        "length" => Some(LENGTH),
        "position" => Some(POSITION),
        _ => Some(nuisance),
    }
}

/// Refuses a nuisance that is neither a name nor a number or boolean a pair of the table's prompts.
pub(super) fn check(catalog: &Catalog, table: &str, entry: &str, nuisance: &str) -> Result<(), AnalyzeError> {
    match sql_of(nuisance) {
        Some(sql) => model_rdm::check(catalog, table, Expression { entry, key: "nuisances", sql }),
        None => Ok(()),
    }
}

/// Fills in the nuisances of each subset.
///
/// # Errors
/// As [`model_rdm::evaluate`].
pub(super) fn evaluate(
    catalog: &Catalog,
    prompts: &TaskPrompts,
    entry: &str,
    nuisances: &[String],
    subsets: &mut [ConditionSubset],
) -> Result<(), AnalyzeError> {
    for subset in subsets {
        for nuisance in nuisances {
            let nuisance = match sql_of(nuisance) {
                Some(sql) => {
                    let expression = Expression { entry, key: "nuisances", sql };
                    Nuisance::Pairs(model_rdm::evaluate_one(catalog, prompts, expression, subset)?)
                }
                None => Nuisance::LayerZero,
            };
            subset.nuisances.push(nuisance);
        }
    }
    Ok(())
}
