//! Changes of attention between the conditions of declared contrasts.

use super::contrast::Contrasted;
use super::masses::HeadReduction;
use super::tests_over_clusters::{GroupPair, Tested, Tests};
use crate::analyses::contrast_rows::{ContrastRows, FoundChange, Location};
use crate::error::AnalyzeError;
use hypercolumn_schemas::tables::ContrastRow;

/// The rows of an entry, contrast by contrast.
pub(super) fn rows(tests: Tests<'_>) -> Result<Vec<ContrastRow>, AnalyzeError> {
    let Tests { context, one, groups, .. } = tests;
    let label = one.entry.label();
    let mut rows = Vec::new();
    for contrast in &context.design.contrasts {
        let pair = |after| Some(GroupPair { before: tests.find(contrast.reference, after)?, after });
        let of_condition = (0..groups.len()).filter(|at| groups[*at].condition == contrast.condition);
        let pairs: Vec<GroupPair> = of_condition.filter_map(pair).collect();
        for (pair, tested) in pairs.iter().zip(tests.changes(&pairs, &contrast.name)?) {
            let group = &groups[pair.after];
            let of_question = ContrastRows {
                context,
                contrast,
                analysis: "attention_ratios",
                question: &label,
                variant: group.reduction.name(),
                family: one.entry.family.as_deref(),
                cluster: &one.cluster.sql,
            };
            let at = Location { layer: group.layer, site: "", head: group.head };
            rows.push(of_question.row(&at, found(tested, group.reduction, context.settings.confidence)));
        }
    }
    Ok(rows)
}

fn found(Tested { found, p_value_fwer }: Tested, reduction: HeadReduction, confidence: f64) -> FoundChange {
    let n_items = found.as_ref().map_or(0, |found: &Contrasted| found.n_items);
    let change = FoundChange::new(found.map(|found| found.estimate), confidence, n_items);
    let is_tested = reduction != HeadReduction::Max;
    FoundChange { p_value: change.p_value.filter(|_| is_tested), p_value_fwer, ..change }
}
