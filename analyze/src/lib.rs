//! The last stage: questions over a lake, and the answers as tables and as a page.
//!
//! A [`Catalog`] is the lake as DuckDB sees it; [`query`] answers a user's SQL over it. The stage reads
//! prompts, responses, hidden states and attention, and writes behaviour, alignment, probes, attention
//! ratios, measures and associations.
//!
//! What this crate leaves to others: making prompts (ingest), running the model (extract), and
//! everything that a terminal shows (the command line).

mod catalog;
mod error;
pub mod numerics;
mod params;
pub mod report;
pub mod probes;
mod sql;

pub use catalog::{Catalog, PROMPT_PARAMS_VIEW};
pub use error::AnalyzeError;
pub use params::{ParamColumn, ParamType};
pub use sql::{QueryResult, query};
