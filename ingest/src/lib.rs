//! Sources of prompts: the built-in task generators and the readers of users' own files.
//!
//! A [`Generator`] writes prompts whose structure is known (which line, which scene), because
//! hypotheses about representations are statements about that structure. [`PromptsFile`] reads the
//! same from users' own files, and refuses a file with the problem and its location. Both give
//! [`Prompt`](hypercolumn_schemas::Prompt)s in memory, and [`ingest`] puts them into a lake.
//!
//! Left to others: the model that reads the prompts, and every question asked of the results.

mod decimal;
mod draft;
mod error;
mod jsonl_writer;
mod random_stream;
mod read;
mod remarks;
mod settings;
mod tables;
mod tasks;
mod templates;

pub use error::{IngestError, Location, Problem};
pub use jsonl_writer::write_jsonl;
pub use read::{ColumnMap, PromptsFile, Reading};
pub use tables::{IngestOutcome, IngestPlan, PromptSource, check_task, ingest, plan, rows};
pub use tasks::Generator;
pub use templates::TemplateTask;
