//! The last stage: questions over a lake, and the answers as tables and as a page.
//!
//! A [`Catalog`] is the lake as DuckDB sees it; [`query`] answers a user's SQL over it. The stage reads
//! prompts, responses, hidden states and attention, and writes behaviour, alignment, probes, attention
//! ratios, measures and associations.
//!
//! What this crate leaves to others: making prompts (ingest), running the model (extract), and
//! everything that a terminal shows (the command line).

mod analyses;
mod answer;
mod catalog;
mod checked_questions;
mod design;
mod error;
mod expression;
mod expression_hints;
pub mod frames;
mod inputs;
mod kept;
mod params;
mod prompts;
mod questions;
mod quote;
pub mod report;
mod responses;
mod scoring;
pub mod settings;
mod sql;
mod stage;
mod statement;
mod states;
pub mod stats;

pub use analyses::{
    ANALYSES, AttentionRatio, CheckedTask, Entries, Entry, EntryError, EntryProblem, Hypothesis, ParsedEntry,
    Probe, ProbeKind, ReadEntries, Registered, StatesAsked, StudyEntry, field_names, missing_key,
    required_keys,
};
pub use answer::Parameter;
pub use catalog::{Catalog, PROMPT_PARAMS_VIEW};
pub use checked_questions::{AttentionAsked, CheckedQuestions};
pub use design::{Contrast, TaskDesign};
pub use error::AnalyzeError;
pub use params::{ParamColumn, ParamType};
pub use questions::Questions;
pub use scoring::{NumberForm, Scorer, Scoring};
pub use sql::{QueryResult, query, query_named};
pub use stage::{
    Action, FailureCause, OnFailure, Order, PlannedStep, RunOutcome, StepDependencies, StepFailure, StepName,
    StepOutcome, check, dependencies, plan, plan_behind, report_is_current, run, run_steps, write_report,
};
