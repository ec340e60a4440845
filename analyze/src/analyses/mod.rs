//! The analyses: each is one thing in one list.
//!
//! An analysis says what a study may ask of it (its entry), which tables it reads and writes, how an entry is checked
//! against the prompts alone, how results are computed, and what the report shows of them. Study files, planning,
//! checking, running, the report and the messages all go through [`ANALYSES`]: a new kind is a module here with an
//! [`Analysis`], its line in the list, its table in the schema crate, and its section in [`crate::report::sections`].

mod associations;
mod attention_ratios;
mod behavior;
mod checked_task;
mod claims;
mod contrast_rows;
mod entry;
pub(crate) mod measures;
mod probes;
mod rsa;

pub use attention_ratios::AttentionRatio;
pub use checked_task::CheckedTask;
pub use entry::{
    Entries, Entry, EntryError, EntryProblem, ParsedEntry, ReadEntries, StatesAsked, StudyEntry, field_names,
    missing_key, required_keys,
};
pub use probes::{Probe, ProbeKind};
pub use rsa::Hypothesis;

use crate::catalog::Catalog;
use crate::checked_questions::CheckedQuestions;
use crate::correction::{Correction, correct};
use crate::design::Design;
use crate::error::AnalyzeError;
use crate::frames::frame_of_rows;
use crate::prompts::TaskPrompts;
use crate::report::ReportError;
use crate::report::figure::Section;
use crate::report::sections::SectionInputs;
use crate::settings::AnalysisSettings;
use entry::{Named, parse};
use hypercolumn_schemas::{Progress, Row, Table};
use polars::prelude::DataFrame;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;
use std::any::Any;
use std::collections::BTreeMap;

/// Every analysis, in the order in which they run: a later one may read the results of those before it.
pub static ANALYSES: [&dyn Registered; 6] = [
    &behavior::Behavior,
    &rsa::Rsa,
    &probes::Probes,
    &attention_ratios::AttentionRatios,
    &associations::Associations,
    &claims::Claims,
];

/// What an analysis works on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) study: &'a str,
    pub(crate) model: &'a str,
    pub(crate) prompts: &'a TaskPrompts,
    pub(crate) design: &'a Design,
    pub(crate) settings: &'a AnalysisSettings,
    pub(crate) progress: &'a dyn Progress,
}

/// What an analysis knows of its task without the lake: what threads can share.
#[derive(Clone, Copy)]
pub(crate) struct TaskContext<'a> {
    pub(crate) prompts: &'a TaskPrompts,
    pub(crate) design: &'a Design,
    pub(crate) settings: &'a AnalysisSettings,
}

impl<'a> Inputs<'a> {
    pub(crate) fn context(&self) -> TaskContext<'a> {
        TaskContext { prompts: self.prompts, design: self.design, settings: self.settings }
    }
}

/// Rows for one table.
pub struct Results {
    /// The table.
    pub table: &'static Table,
    /// Its columns, in its types.
    pub frame: DataFrame,
}

impl Results {
    fn of<R: Row>(rows: &[R]) -> Result<Self, AnalyzeError> {
        Ok(Self { table: R::TABLE, frame: frame_of_rows(rows)? })
    }

    /// The rows with their p-values corrected among those of equal `family`.
    fn corrected<R: Row>(rows: &[R], corrections: &[Correction]) -> Result<Self, AnalyzeError> {
        let frame = corrections.iter().try_fold(frame_of_rows(rows)?, |frame, one| correct(frame, *one))?;
        Ok(Self { table: R::TABLE, frame })
    }
}

/// A number of permutations and the key that sets it.
#[derive(Clone, Copy)]
struct Permutations {
    key: &'static str,
    n: u32,
}

/// Warns where so few permutations face so many rows that one row alone cannot become significant. With n permutations
/// no p-value is below 1 / (1 + n), and in a family of m rows no q of k such rows below m / (k (1 + n)).
fn warn_of_resolution<'r>(
    inputs: Inputs<'_>,
    families: impl Iterator<Item = &'r str>,
    permutations: Permutations,
) {
    let mut sizes: BTreeMap<&str, u32> = BTreeMap::new();
    families.for_each(|family| *sizes.entry(family).or_default() += 1);
    let Some((family, m)) = sizes.into_iter().max_by_key(|(_, size)| *size) else { return };
    let Permutations { key, n } = permutations;
    let n_needed = f64::from(m) / (SIGNIFICANT * f64::from(1 + n));
    if n > 0 && n_needed > 1.0 {
        inputs.progress.warn(&format!(
            "{}: with {key} = {n} and a family of {m} rows ({family}), q_value can be below {SIGNIFICANT} only where at \
             least {:.0} rows have the smallest p; p_value_fwer has no such limit. {key} = {:.0} finds one",
            inputs.prompts.task,
            n_needed.ceil(),
            (f64::from(m) / SIGNIFICANT).ceil()
        ));
    }
}

/// Level of q at which one row is to be found.
const SIGNIFICANT: f64 = 0.05;

/// A kind of question.
pub(crate) trait Analysis: Sync + 'static {
    /// What a study says of one question.
    type Entry: Entry + JsonSchema + for<'de> serde::Deserialize<'de>;
    /// What is evaluated before anything is written.
    type Prepared: Send + 'static;

    /// The name of the main table, which is the question's name in slots.
    fn name(&self) -> &'static str;

    /// The array of tables in a study, e.g. `rsa` for `[[rsa]]`; `None` where every study is answered.
    fn entry_key(&self) -> Option<&'static str> {
        None
    }

    /// Whether a study that asks nothing of it has results all the same.
    fn is_always_answered(&self) -> bool {
        self.entry_key().is_none()
    }

    /// Raised when a value of its tables would come out differently.
    fn code_version(&self) -> u32;

    /// Tables of earlier stages that it reads.
    fn inputs(&self) -> &'static [&'static Table];

    /// Whether it also reads what the analyses before it wrote.
    fn reads_results(&self) -> bool {
        false
    }

    /// The shared settings that its results depend on.
    fn settings(&self, shared: &AnalysisSettings) -> Value;

    /// Refuses what cannot be asked of the prompts: every such SQL of the entry.
    fn check(
        &self,
        task: &CheckedTask<'_>,
        entry: &Named<Self::Entry>,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError>;

    /// Evaluates the entries' SQL over what was extracted.
    fn prepare(
        &self,
        inputs: Inputs<'_>,
        entries: &[Named<Self::Entry>],
    ) -> Result<Self::Prepared, AnalyzeError>;

    /// Computes the tables.
    fn compute(&self, inputs: Inputs<'_>, prepared: &Self::Prepared) -> Result<Vec<Results>, AnalyzeError>;

    /// The report's sections about its tables, in the order of the page; a section is there for empty tables too, and
    /// says which command fills them.
    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError>;
}

/// An [`Analysis`] without its types: what lists of analyses hold.
pub trait Registered: Sync {
    /// As [`Analysis::name`].
    fn name(&self) -> &'static str;
    /// As [`Analysis::entry_key`].
    fn entry_key(&self) -> Option<&'static str>;
    /// As [`Analysis::is_always_answered`].
    fn is_always_answered(&self) -> bool;
    /// As [`Analysis::code_version`].
    fn code_version(&self) -> u32;
    /// As [`Analysis::inputs`].
    fn inputs(&self) -> &'static [&'static Table];
    /// As [`Analysis::reads_results`].
    fn reads_results(&self) -> bool;
    /// As [`Analysis::settings`].
    fn settings(&self, shared: &AnalysisSettings) -> Value;

    /// Reads one entry of a study.
    fn parse(&self, value: Value) -> ParsedEntry;

    /// What an entry may say, as a JSON Schema.
    fn entry_schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// As [`Analysis::check`].
    ///
    /// # Errors
    /// Faults; what is wrong with the entry is added to `found`.
    fn check(
        &self,
        task: &CheckedTask<'_>,
        entry: &StudyEntry,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError>;

    /// As [`Analysis::prepare`].
    ///
    /// # Errors
    /// [`AnalyzeError::Entry`] and [`crate::CatalogError::Expression`]; errors of the lake.
    fn prepare(
        &self,
        inputs: Inputs<'_>,
        entries: &[&StudyEntry],
    ) -> Result<Box<dyn Any + Send>, AnalyzeError>;

    /// As [`Analysis::compute`]; `prepared` is what this analysis prepared.
    ///
    /// # Errors
    /// Errors of the lake and of statistics.
    fn compute(&self, inputs: Inputs<'_>, prepared: &dyn Any) -> Result<Vec<Results>, AnalyzeError>;

    /// As [`Analysis::sections`].
    ///
    /// # Errors
    /// [`ReportError::Question`].
    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError>;
}

impl<A: Analysis> Registered for A {
    fn name(&self) -> &'static str {
        Analysis::name(self)
    }

    fn entry_key(&self) -> Option<&'static str> {
        Analysis::entry_key(self)
    }

    fn is_always_answered(&self) -> bool {
        Analysis::is_always_answered(self)
    }

    fn code_version(&self) -> u32 {
        Analysis::code_version(self)
    }

    fn inputs(&self) -> &'static [&'static Table] {
        Analysis::inputs(self)
    }

    fn reads_results(&self) -> bool {
        Analysis::reads_results(self)
    }

    fn settings(&self, shared: &AnalysisSettings) -> Value {
        Analysis::settings(self, shared)
    }

    fn parse(&self, value: Value) -> ParsedEntry {
        parse::<A::Entry>(value)
    }

    fn entry_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        A::Entry::json_schema(generator)
    }

    fn check(
        &self,
        task: &CheckedTask<'_>,
        entry: &StudyEntry,
        found: &mut CheckedQuestions,
    ) -> Result<(), AnalyzeError> {
        Analysis::check(self, task, &entry.typed(), found)
    }

    fn prepare(
        &self,
        inputs: Inputs<'_>,
        entries: &[&StudyEntry],
    ) -> Result<Box<dyn Any + Send>, AnalyzeError> {
        let typed: Vec<Named<A::Entry>> = entries.iter().map(|entry| entry.typed()).collect();
        Ok(Box::new(Analysis::prepare(self, inputs, &typed)?))
    }

    fn compute(&self, inputs: Inputs<'_>, prepared: &dyn Any) -> Result<Vec<Results>, AnalyzeError> {
        let prepared = prepared.downcast_ref::<A::Prepared>().expect("what this analysis prepared");
        Analysis::compute(self, inputs, prepared)
    }

    fn sections(&self, inputs: SectionInputs<'_>) -> Result<Vec<Section>, ReportError> {
        Analysis::sections(self, inputs)
    }
}
