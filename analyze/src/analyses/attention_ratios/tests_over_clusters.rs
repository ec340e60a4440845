//! Tests of contrasts and of their changes, each corrected over the rows that it was picked from.

use super::Prepared;
use super::contrast::{Contrasted, Contrasts, PromptGroups};
use super::masses::{HeadReduction, RowPrompts};
use crate::analyses::TaskContext;
use crate::error::AnalyzeError;
use crate::stats::sign_flips::familywise_by_signs;
use crate::stats::{NumericsError, RandomStream, Undefined};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What the tests of one entry are made of.
#[derive(Clone, Copy)]
pub(super) struct Tests<'a> {
    pub(super) context: TaskContext<'a>,
    pub(super) one: &'a Prepared,
    pub(super) groups: &'a [RowPrompts],
    /// One for each group.
    pub(super) contrasts: &'a [Contrasts],
}

/// A tested contrast or change, or why there is none.
pub(super) struct Tested {
    pub(super) found: Result<Contrasted, Undefined>,
    /// Family-wise error p-value.
    pub(super) p_value_fwer: Option<f64>,
}

/// Two groups that differ in nothing but the condition.
#[derive(Clone, Copy)]
pub(super) struct GroupPair {
    pub(super) before: usize,
    pub(super) after: usize,
}

impl Tests<'_> {
    /// The contrast of each group.
    pub(super) fn levels(&self) -> Result<Vec<Tested>, AnalyzeError> {
        let groups = self.prompt_groups();
        let found = self.contrasts.par_iter().map(|contrasts| defined(contrasts.estimate(groups)));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let condition = |at: usize| self.name_of_condition(at).to_owned();
        Ok(self.correct(found.into_iter().enumerate().collect(), condition))
    }

    /// The change of each pair of groups; `name` tells these pairs' conditions apart from those of other calls.
    pub(super) fn changes(&self, pairs: &[GroupPair], name: &str) -> Result<Vec<Tested>, AnalyzeError> {
        let groups = self.prompt_groups();
        let change = |pair: &GroupPair| {
            let before = &self.contrasts[pair.before];
            Ok((pair.after, defined(self.contrasts[pair.after].change(before, groups))?))
        };
        let found = pairs.par_iter().map(change).collect::<Result<Vec<_>, AnalyzeError>>()?;
        Ok(self.correct(found, |at| format!("{name}: {}", self.name_of_condition(at))))
    }

    /// The group of another condition that differs in nothing else.
    pub(super) fn find(&self, condition: usize, at: usize) -> Option<usize> {
        let is_it = |other: &RowPrompts| {
            other.condition == condition && other.is_same_but_for_condition(&self.groups[at])
        };
        self.groups.iter().position(is_it)
    }

    fn prompt_groups(&self) -> PromptGroups<'_> {
        PromptGroups { items: &self.context.prompts.items, clusters: &self.one.cluster.of }
    }

    fn name_of_condition(&self, at: usize) -> &str {
        &self.context.prompts.conditions[self.groups[at].condition]
    }

    /// Corrects over layers, and over heads where these are not combined: which of them, if any, differs from 0?
    fn correct(
        &self,
        found: Vec<(usize, Result<Contrasted, Undefined>)>,
        name: impl Fn(usize) -> String,
    ) -> Vec<Tested> {
        let n_resamples = self.context.settings.n_bootstraps as usize;
        let mut families: BTreeMap<(&str, String), Vec<usize>> = BTreeMap::new();
        for (place, (at, one)) in found.iter().enumerate() {
            let reduction = self.groups[*at].reduction;
            if one.is_ok() && reduction != HeadReduction::Max && n_resamples > 0 {
                families.entry((reduction.name(), name(*at))).or_default().push(place);
            }
        }
        let mut corrected: Vec<Option<f64>> = vec![None; found.len()];
        for ((reduction, name), places) in families {
            let task = &self.context.prompts.task;
            let parts = ["attention", task, &self.one.entry.label(), reduction, &name];
            let stream = RandomStream::new(self.context.settings.seed, &parts);
            let family: Vec<&Contrasted> =
                places.iter().filter_map(|place| found[*place].1.as_ref().ok()).collect();
            let contributions: Vec<_> = family.iter().map(|one| &one.contributions).collect();
            let p_values = familywise_by_signs(&contributions, stream, n_resamples);
            for ((place, one), p_value) in places.iter().zip(family).zip(p_values) {
                // Signs and Student's t may disagree a little; no correction makes a p-value smaller.
                corrected[*place] = Some(p_value.max(one.estimate.p_value));
            }
        }
        let tested = |((_, found), p_value_fwer)| Tested { found, p_value_fwer };
        found.into_iter().zip(corrected).map(tested).collect()
    }
}

/// What a statistic found, or why it is undefined; any other error is a fault of this program.
pub(super) fn defined<T>(found: Result<T, NumericsError>) -> Result<Result<T, Undefined>, AnalyzeError> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(error) => error.undefined().map(Err).ok_or(AnalyzeError::Numerics(error)),
    }
}
