//! The last stage: questions over a lake, and the answers as tables and as a page.
//!
//! A [`Catalog`] is the lake as DuckDB sees it; [`query`] answers a user's SQL over it. The stage reads
//! prompts, responses, hidden states and attention, and writes behaviour, alignment, probes, attention
//! ratios, measures and associations.
//!
//! What this crate leaves to others: making prompts (ingest), running the model (extract), and
//! everything that a terminal shows (the command line).

mod analyses;
mod checked_questions;
mod correction;
mod design;
mod error;
mod inputs;
mod kept;
mod questions;
mod scoring;
pub mod settings;
mod stage;

pub use analyses::{
    ANALYSES, AttentionRatio, CheckedTask, Entries, Entry, EntryError, EntryProblem, Hypothesis, ParsedEntry,
    Probe, ProbeKind, ReadEntries, Registered, StatesAsked, StudyEntry, field_names, missing_key,
    required_keys,
};
pub use checked_questions::{AttentionAsked, CheckedQuestions};
pub use correction::{Correction, correct};
pub use design::{Contrast, TaskDesign};
pub use error::AnalyzeError;
pub use hypercolumn_catalog::frames;
pub use hypercolumn_catalog::{
    Catalog, CatalogError, Interrupter, PROMPT_PARAMS_VIEW, ParamColumn, ParamType, Parameter, QueryResult,
    query, query_named,
};
pub use hypercolumn_report as report;
pub use questions::Questions;
pub use scoring::{NumberForm, Scorer, Scoring};
pub use stage::{
    Action, FailureCause, OnFailure, Order, PlannedStep, RunOutcome, StepDependencies, StepFailure, StepName,
    StepOutcome, check, dependencies, plan, plan_behind, report_is_current, run, run_steps, write_report,
};

use hypercolumn_catalog::{answer, catalog, expression, prompts, quote, responses, statement, states};
use hypercolumn_stats as stats;
