//! The contract in code: every table of a lake, and the only code that writes or reads its files.
//!
//! Each table is one file under [`tables`]: grain, key, columns, partitions, version. A stage opens a
//! [`Lake`], stages files with [`Transaction::writer`] and makes them visible with
//! [`Transaction::commit`]; readers take a [`Snapshot`] and see only what commits list.
//!
//! A stage reports how far it is to a [`Progress`].
//!
//! This crate leaves to others: what goes into the tables (the stages), SQL over them
//! (the analyze crate), and how errors are shown (the command line).

mod changes;
mod check;
mod column;
mod commit;
mod confine;
mod cut;
mod damage;
mod error;
mod garbage;
mod key;
mod lake;
mod lock;
mod log;
mod name;
mod page;
mod partition;
mod progress;
mod prompt;
mod reader;
mod recompute;
mod record;
mod repair;
mod replaced;
mod row;
mod script;
mod sharing;
mod slot;
mod snapshot;
mod stale;
mod table;
pub mod tables;
mod task_rows;
mod transaction;
mod undefined;
mod verify;
mod vocabulary;
mod writer;

pub use changes::{Change, changes, describe_changes};
pub use column::{Column, ColumnType, VECTOR_ELEMENT, vector_element};
pub use commit::{Commit, FileEntry, LogEntry, Removal, RemovalCause};
pub use cut::{Piece, cut_at_segments};
pub use damage::{Damage, LogProblem, LostNumbers};
pub use error::LakeError;
pub use garbage::{Garbage, GarbageFile};
pub use key::content_key;
pub use lake::{Finding, Lake};
pub use lock::Claim;
pub use log::LOG_FORMAT;
pub use name::{FIRST_TOKEN, OWN_ROLES, RESPONSE, name_problem};
pub use page::schema_page;
pub use partition::Partition;
pub use progress::Progress;
pub use prompt::{CHOICE_PREFIX, Prompt, Segment, prompts_digest};
pub use reader::{Selection, read_batches, read_rows, read_selected};
pub use recompute::Recompute;
pub use record::{AnalyzeRecord, BackendId, ExtractRecord, IngestRecord, ModelRecord, Record, RecordVersion};
pub use repair::RepairPlan;
pub use row::{Row, Value, column_name, find_column, read_column};
pub use script::is_unspaced;
pub use sharing::{SharedColumns, SharingWriter};
pub use slot::{Slot, SlotError};
pub use snapshot::Snapshot;
pub use stale::Stale;
pub use table::{PartitionColumn, Table};
pub use task_rows::TaskRows;
pub use transaction::{CommitInfo, Transaction, discard_staged};
pub use undefined::Undefined;
pub use vocabulary::{Pooling, Site};
pub use writer::FileWriter;
