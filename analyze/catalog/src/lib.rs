//! A lake as it is read: DuckDB views and polars frames over exactly the files that commits list.
//!
//! A [`Catalog`] is the lake as DuckDB sees it; [`query`] answers a user's SQL over it, [`answer`] this program's own, and an
//! [`expression`] is a part of SQL that a study has. [`frames`] reads tables as polars frames, [`prompts`] numbers the
//! prompts of a task, and [`states`] reads hidden states layer by layer.
//!
//! What this crate leaves to others: what is computed from the rows (the analyses), what is said of them (the report), and
//! writing (the schema crate).

pub mod answer;
pub mod catalog;
pub mod error;
pub mod expression;
mod expression_hints;
pub mod frames;
mod params;
pub mod prompts;
pub mod quote;
pub mod responses;
mod sql;
pub mod statement;
pub mod states;

pub use answer::Parameter;
pub use catalog::{Catalog, Interrupter, PROMPT_PARAMS_VIEW};
pub use error::CatalogError;
pub use params::{ParamColumn, ParamType};
pub use sql::{QueryResult, query, query_named};
