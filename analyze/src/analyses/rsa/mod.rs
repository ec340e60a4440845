//! Representational similarity analysis: how far the similarities of prompts follow a hypothesis.
//!
//! An entry of the study is prepared first: its prompts are chosen and its hypothesis is evaluated in
//! DuckDB, so that SQL that cannot be asked is refused before anything is computed. Then states are
//! read layer by layer, once for all entries that share a role and pooling, and become similarities;
//! inference (see [`inference`]) sees all layers of a condition together, because they share one set of
//! permutations.

mod change;
mod changes_of_alignment;
mod clustered;
mod condition_subset;
mod inference;
mod model_rdm;
mod nuisances;
mod prompt_alignment;
mod replicates;
mod rival;
mod similarities;
mod units;

use super::entry::{Entry, Named, StatesAsked};
use super::{Analysis, Correction, Inputs, Permutations, Results, warn_of_resolution};
use crate::analyses::CheckedTask;
use crate::checked_questions::CheckedQuestions;
use crate::design::Grouping;
use crate::error::AnalyzeError;
use crate::expression::Expression;
use crate::prompts::INDEX;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::{SectionInputs, alignment_section, matrices_section};
use crate::settings::{AnalysisSettings, mean_pooling, whole_prompt};
use crate::states::StateSource;
use crate::stats::{Comparison, Normalization, Similarity};
use condition_subset::{ConditionSubset, Selected, WithinUnits};
use hypercolumn_schemas::tables::{self, ContrastRow, MeasureRow, RsaRow};
use hypercolumn_schemas::{Pooling, Site, Table, Undefined};
use inference::{Inference, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use similarities::{Geometry, measure_all};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use units::Settled;

/// Alignment with hypotheses: tables `rsa` and `measures`.
pub(crate) struct Rsa;

/// A `[[rsa]]` entry: which similarities of prompts a hypothesis predicts.
///
/// Without `rows` and `columns`, all pairs of prompts of one condition are compared. With them, prompts
/// that satisfy `rows` (a, one condition at a time) are compared with prompts that satisfy `columns`
/// (b): those of the same condition where it has any, and otherwise all of them. Of one side alone the other is
/// every prompt that it leaves; no prompt may be on both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hypothesis {
    /// Name of the task that it is about.
    pub task: String,
    /// Name of the hypothesis in the tables.
    pub hypothesis: String,
    /// SQL over two prompts, `a` and `b`: a number or a boolean, larger where they are expected to be
    /// more alike, null where the pair is to be left out.
    pub sql: String,
    /// Role of the segment whose states are compared.
    #[serde(default = "whole_prompt")]
    pub segment: String,
    /// Poolings; the first gives the measure that is set against behaviour.
    #[serde(default = "mean_pooling")]
    pub pooling: Vec<Pooling>,
    /// What is done to each dimension across the prompts of a condition; the first gives the measure.
    #[serde(default = "both_normalizations")]
    pub normalization: Vec<Normalization>,
    /// How two vectors are compared; the first gives the measure.
    #[serde(default = "cosine")]
    pub similarity: Vec<Similarity>,
    /// How similarities are compared with the hypothesis; the first gives the measure.
    /// If absent, rho_a and spearman; with nuisances spearman.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Vec<Comparison>>,
    /// What is held constant: SQL over two prompts `a` and `b`, or `words_in_common`, `length` (of the prompts' texts),
    /// `position` (whether the param of that name is the same), `layer_0` (the same similarity at layer 0).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nuisances: Vec<String>,
    /// SQL over two prompts: another hypothesis about the same pairs, which this one is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<String>,
    /// SQL over one prompt: which replicate of its item it is (a template, an order, a seed), for the noise ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicates: Option<String>,
    /// Sites; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Vec<Site>>,
    /// SQL over one prompt: which prompts take part.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// SQL over one prompt: the prompts `a` of a rectangle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// SQL over one prompt: the prompts `b` of a rectangle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// SQL over one prompt: prompts with equal values are permuted as a whole. If absent, the task's clusters where the
    /// hypothesis depends on them alone, and items elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<String>,
    /// SQL over one prompt: prompts with equal values are resampled as a whole; the task's clusters if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// SQL over one prompt: labels are permuted only among prompts with equal values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// Whether pairs within a unit take part; if absent, where the hypothesis is constant without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs_within_units: Option<bool>,
    /// Name of the rows that are corrected together; if absent, the rows of one way of asking for this hypothesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Whether this is a control, which should not rise with examples; the report says so.
    #[serde(default)]
    pub control: bool,
}

fn both_normalizations() -> Vec<Normalization> {
    vec![Normalization::Standardize, Normalization::None]
}

fn cosine() -> Vec<Similarity> {
    vec![Similarity::Cosine]
}

impl Hypothesis {
    /// The comparisons; the first gives the measure.
    pub(crate) fn comparisons(&self) -> &[Comparison] {
        match &self.comparison {
            Some(comparisons) => comparisons,
            None if self.nuisances.is_empty() => &[Comparison::RhoA, Comparison::Spearman],
            None => &[Comparison::Spearman],
        }
    }

    fn problem_of_comparison(&self) -> Option<String> {
        let lacks_form = |c: &&Comparison| !self.nuisances.is_empty() && !c.has_partial_form();
        if let Some(comparison) = self.comparisons().iter().find(lacks_form) {
            return Some(format!(
                "`comparison` {comparison} has no form in which nuisances are held constant; spearman, pearson and cka have"
            ));
        }
        let is_rectangle = self.rows.is_some() || self.columns.is_some();
        let refused = self.comparisons().iter().find(|c| is_rectangle && c.needs_pair_list())?;
        Some(format!(
            "`comparison` {refused} compares all prompts with each other, not `rows` with `columns`"
        ))
    }
}

impl Entry for Hypothesis {
    fn task(&self) -> &str {
        &self.task
    }

    fn label(&self) -> String {
        self.hypothesis.clone()
    }

    fn segment(&self) -> &str {
        &self.segment
    }

    fn states(&self) -> Option<StatesAsked<'_>> {
        Some(StatesAsked { segment: &self.segment, poolings: &self.pooling })
    }

    fn problem(&self) -> Option<String> {
        let counts = [
            ("pooling", self.pooling.len()),
            ("normalization", self.normalization.len()),
            ("similarity", self.similarity.len()),
            ("comparison", self.comparisons().len()),
        ];
        if self.replicates.is_some() && (self.rows.is_some() || self.columns.is_some()) {
            return Some(
                "`replicates` are of all prompts with each other, not of `rows` with `columns`".to_owned(),
            );
        }
        match counts.into_iter().find(|(_, n)| *n == 0) {
            Some((key, _)) => Some(format!("`{key}` must name at least one")),
            None => self.problem_of_comparison(),
        }
    }

    fn to_json(&self) -> Value {
        json!(self)
    }
}

impl Analysis for Rsa {
    type Entry = Hypothesis;
    type Prepared = Vec<Prepared>;

    fn name(&self) -> &'static str {
        "rsa"
    }

    fn entry_key(&self) -> Option<&'static str> {
        Some("rsa")
    }

    fn code_version(&self) -> u32 {
        5
    }

    fn inputs(&self) -> &'static [&'static Table] {
        static INPUTS: [&Table; 2] = [&tables::PROMPTS, &tables::HIDDEN_STATES];
        &INPUTS
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        json!({
            "seed": shared.seed, "n_permutations": shared.n_permutations,
            "n_bootstraps": shared.n_bootstraps, "confidence": shared.confidence,
        })
    }

    fn check(
        &self,
        task: &CheckedTask<'_>,
        named: &Named<Hypothesis>,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        let (name, asked) = (named.name.as_str(), &named.entry);
        found.note(task.check_role(name, &asked.segment))?;
        for (key, sql) in [("where", &asked.filter), ("rows", &asked.rows), ("columns", &asked.columns)] {
            found.note(task.check_condition(name, key, sql.as_deref()))?;
        }
        let table = &task.prompts.table;
        let values = [
            ("blocks", &asked.blocks),
            ("units", &asked.units),
            ("cluster", &asked.cluster),
            ("replicates", &asked.replicates),
        ];
        for (key, sql) in values.into_iter().filter_map(|(key, sql)| Some((key, sql.as_ref()?))) {
            found.note(Expression { entry: name, key, sql }.check(task.catalog, INDEX, table))?;
        }
        for (key, sql) in
            std::iter::once(("sql", &asked.sql)).chain(asked.rival.iter().map(|sql| ("rival", sql)))
        {
            let expression = Expression { entry: name, key, sql };
            found.note(model_rdm::check(task.catalog, table, expression))?;
        }
        for nuisance in &asked.nuisances {
            found.note(nuisances::check(task.catalog, table, name, nuisance))?;
        }
        Ok(())
    }

    fn prepare(
        &self,
        inputs: Inputs<'_>,
        entries: &[Named<Hypothesis>],
    ) -> Result<Vec<Prepared>, AnalyzeError> {
        let mut prepared = Vec::new();
        for named in entries {
            prepare_one(inputs, named, &mut prepared)?;
        }
        Ok(prepared)
    }

    fn compute(&self, inputs: Inputs<'_>, prepared: &Vec<Prepared>) -> Result<Vec<Results>, AnalyzeError> {
        let alignment = align_entries(inputs, prepared)?;
        let permutations = Permutations { key: "n_permutations", n: inputs.settings.n_permutations };
        warn_of_resolution(inputs, alignment.rows.iter().map(|row| row.family.as_str()), permutations);
        warn_of_constant_hypotheses(inputs, &alignment.rows);
        let corrections = [Correction::LEVEL, Correction::CHANGE, Correction::RIVAL];
        Ok(vec![
            Results::corrected(&alignment.rows, &corrections)?,
            Results::of(&alignment.measures)?,
            Results::corrected(&alignment.contrasts, &[Correction::LEVEL])?,
        ])
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        let (alignment, chosen) = alignment_section(inputs)?;
        Ok(vec![alignment, matrices_section(inputs, &chosen)?])
    }
}

/// Says which hypotheses have one value for all pairs that take part, so that nothing can be said about them.
fn warn_of_constant_hypotheses(inputs: Inputs<'_>, rows: &[RsaRow]) {
    let constant = Undefined::ConstantHypothesis.to_string();
    let mut conditions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.reason.as_ref() == Some(&constant)) {
        conditions.entry(&row.hypothesis).or_default().insert(&row.condition);
    }
    for (hypothesis, conditions) in conditions {
        let conditions = conditions.into_iter().collect::<Vec<_>>().join(", ");
        inputs.progress.warn(&format!(
            "{}: hypothesis `{hypothesis}` has the same value for all pairs that are compared in {conditions}, so that its \
             rows there are null ({constant})",
            inputs.prompts.task
        ));
    }
}

/// Rows of the tables.
#[derive(Default)]
pub(super) struct Alignment {
    pub(super) rows: Vec<RsaRow>,
    pub(super) measures: Vec<MeasureRow>,
    pub(super) contrasts: Vec<ContrastRow>,
}

/// An entry at one pooling, its SQL evaluated.
pub(crate) struct Prepared {
    entry: Arc<Hypothesis>,
    pooling: Pooling,
    subsets: Vec<ConditionSubset>,
    units: Grouping,
    cluster: Grouping,
    within: WithinUnits,
}

/// Chooses the prompts and evaluates the hypothesis of an entry, once for each pooling.
fn prepare_one(
    inputs: Inputs<'_>,
    named: &Named<Hypothesis>,
    prepared: &mut Vec<Prepared>,
) -> Result<(), AnalyzeError> {
    let Inputs { catalog, model, prompts, design, .. } = inputs;
    let (label, entry) = (named.name.as_str(), &named.entry);
    let selected = select(inputs, named)?;
    for &pooling in &entry.pooling {
        let source = StateSource::open(catalog, prompts, model, &entry.segment, pooling)?;
        crate::kept::check_states(catalog, model, label, &source, &entry.segment, entry.site.as_deref())?;
        let mut subsets = condition_subset::split(prompts, &design.items, &selected, &source.is_present);
        let expression = Expression { entry: label, key: "sql", sql: &entry.sql };
        model_rdm::evaluate(catalog, prompts, expression, &mut subsets)?;
        if let Some(sql) = &entry.rival {
            let rival = Expression { entry: label, key: "rival", sql };
            for subset in &mut subsets {
                subset.rival = Some(model_rdm::evaluate_one(catalog, prompts, rival, subset)?);
            }
        }
        nuisances::evaluate(catalog, prompts, label, &entry.nuisances, &mut subsets)?;
        let holds_layer_0 = entry.nuisances.iter().any(|nuisance| nuisance.trim() == nuisances::LAYER_0);
        if holds_layer_0 && !source.layers(entry.site.as_deref()).contains(&0) {
            return Err(named.refuse(
                "its nuisance layer_0 needs states of layer 0, site embed, which are not compared here",
            ));
        }
        let Settled { units, cluster, within } = units::settle(inputs, named, &mut subsets)?;
        replicates::find(inputs, named, &mut subsets)?;
        prepared.push(Prepared { entry: entry.clone(), pooling, subsets, units, cluster, within });
    }
    Ok(())
}

fn select(inputs: Inputs<'_>, named: &Named<Hypothesis>) -> Result<Selected, AnalyzeError> {
    let Inputs { catalog, prompts, .. } = inputs;
    let (label, entry) = (named.name.as_str(), &named.entry);
    let side = |key, sql: &Option<String>| {
        prompts.select(catalog, sql.as_deref().map(|sql| Expression { entry: label, key, sql }))
    };
    let filter = side("where", &entry.filter)?;
    let both = |chosen: Vec<bool>| chosen.iter().zip(&filter).map(|(a, b)| *a && *b).collect();
    let rows: Vec<bool> = both(side("rows", &entry.rows)?);
    let others = |chosen: &[bool]| both(chosen.iter().map(|chosen| !chosen).collect());
    let (rows, columns) = match (&entry.rows, &entry.columns) {
        (_, None) if entry.rows.is_none() => (rows, None),
        (Some(_), None) => {
            let columns = others(&rows);
            (rows, Some(columns))
        }
        (None, _) => {
            let columns = both(side("columns", &entry.columns)?);
            (others(&columns), Some(columns))
        }
        (Some(_), Some(_)) => (rows, Some(both(side("columns", &entry.columns)?))),
    };
    if let Some(columns) = &columns
        && let Some(at) = rows.iter().zip(columns).position(|(a, b)| *a && *b)
    {
        return Err(named.refuse(format!(
            "prompt `{}` satisfies both `rows` and `columns`, so that its pairs would count twice; \
             leave both out to compare all prompts with each other",
            prompts.ids[at]
        )));
    }
    let blocks = match &entry.blocks {
        Some(sql) => Some(prompts.texts(catalog, Expression { entry: label, key: "blocks", sql })?),
        None => None,
    };
    if !rows.contains(&true) || columns.as_ref().is_some_and(|c| !c.contains(&true)) {
        return Err(named.refuse("no prompt satisfies its `where`, `rows` or `columns`"));
    }
    Ok(Selected { rows, columns, blocks })
}

/// Computes all prepared entries; states are read once for each role and pooling.
fn align_entries(inputs: Inputs<'_>, prepared: &[Prepared]) -> Result<Alignment, AnalyzeError> {
    let Inputs { catalog, model, prompts, progress, .. } = inputs;
    let mut groups: BTreeMap<(&str, Pooling), Vec<&Prepared>> = BTreeMap::new();
    for one in prepared {
        groups.entry((&one.entry.segment, one.pooling)).or_default().push(one);
    }
    let n_units = prepared.iter().map(|one| one.subsets.len() as u64).sum();
    progress.start(&format!("alignment: {}", prompts.task), n_units, "conditions");
    let mut alignment = Alignment::default();
    for ((role, pooling), group) in groups {
        let source = StateSource::open(catalog, prompts, model, role, pooling)?;
        for batch in batches_of_equal_subsets(&group) {
            let first = batch[0];
            let geometry = Geometry::of(batch.iter().map(|one| &*one.entry));
            let sites = first.entry.site.as_deref();
            let measured = measure_all(&source, &first.subsets, &geometry, sites)?;
            for one in batch {
                let inference =
                    Inference { context: inputs.context(), scope: scope(one), measured: &measured };
                inference.run(&one.subsets, &mut alignment, progress)?;
                if one.entry.pooling.first() == Some(&one.pooling) {
                    for (s, subset) in one.subsets.iter().enumerate() {
                        inference.measure_prompts(s, subset, &mut alignment);
                    }
                }
            }
        }
    }
    progress.finish();
    Ok(alignment)
}

/// Entries that compare the same prompts at the same sites share their similarities.
fn batches_of_equal_subsets<'p>(group: &[&'p Prepared]) -> Vec<Vec<&'p Prepared>> {
    let mut batches: Vec<Vec<&Prepared>> = Vec::new();
    for &one in group {
        let fits = |batch: &&mut Vec<&Prepared>| {
            let other = batch[0];
            other.entry.site == one.entry.site
                && other.subsets.len() == one.subsets.len()
                && other.subsets.iter().zip(&one.subsets).all(|(a, b)| a.compares_same_prompts(b))
        };
        match batches.iter_mut().find(fits) {
            Some(batch) => batch.push(one),
            None => batches.push(vec![one]),
        }
    }
    batches
}

fn scope(one: &Prepared) -> Scope<'_> {
    Scope {
        entry: &one.entry,
        pooling: one.pooling,
        units: &one.units.sql,
        cluster: &one.cluster.sql,
        within: one.within,
        n_clusters: one.cluster.of.iter().max().map_or(0, |n| *n as usize + 1),
    }
}
