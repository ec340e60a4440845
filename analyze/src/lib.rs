//! The last stage: questions over a lake, and the answers as tables and as a page.
//!
//! A [`Catalog`] is the lake as DuckDB sees it; [`query`] answers a user's SQL over it. The stage reads
//! prompts, responses, hidden states and attention, and writes behaviour, alignment, probes, attention
//! ratios, measures and associations.
//!
//! What this crate leaves to others: making prompts (ingest), running the model (extract), and
//! everything that a terminal shows (the command line).

mod associations;
mod attention_ratio;
mod behavior;
mod catalog;
mod columns;
mod decoding;
mod error;
mod expression;
pub mod frames;
mod inputs;
mod kept;
mod measures;
mod params;
mod prompts;
pub mod report;
mod rows;
mod rsa;
pub mod settings;
mod sql;
mod stage;
mod states;
pub mod stats;

pub use catalog::{Catalog, PROMPT_PARAMS_VIEW};
pub use error::AnalyzeError;
pub use params::{ParamColumn, ParamType};
pub use settings::Questions;
pub use sql::{QueryResult, query};
pub use stage::{Action, Analysis, PlannedStep, StepOutcome, check, plan, run};
