//! The exit code and the hint of each library error. The library words the error; the hint names commands and options,
//! which are known only here.

use crate::exit::Exit;
use crate::invocation::{has_study, lake_command, study_command};
use crate::suggestion::closest;
use hypercolumn_analyze::report::ReportError;
use hypercolumn_analyze::{AnalyzeError, CatalogError};
use hypercolumn_extract::model::source::SourceError;
use hypercolumn_extract::{ExtractError, ModelFileState};
use hypercolumn_ingest::{Generator, IngestError};
use hypercolumn_schemas::LakeError;
use std::io;

/// An error that can be explained to a user.
pub trait Explain {
    fn exit(&self) -> Exit;
    /// One line that says what to do.
    fn remedy(&self) -> Option<String>;
}

impl Explain for LakeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } | Self::NotALake { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some(format!("{} makes a lake; --lake DIR names another directory", study_command(&["run"])))
            }
            Self::NotALake { .. } => Some("--lake DIR names another directory".into()),
            Self::Format { .. } => {
                Some("use the version of hypercolumn that wrote it, or another --lake".into())
            }
            Self::Log { .. } => Some(format!(
                "{} says what is lost, without --plan it takes that off the record",
                lake_command(&["repair", "--plan"])
            )),
            Self::Damaged { .. } => Some(format!(
                "{} lists what is damaged; {} takes lost files off the record, so that they are computed again",
                lake_command(&["verify"]),
                lake_command(&["repair"])
            )),
            Self::Busy { .. } => Some("wait until that process has ended".into()),
            Self::Outdated { .. } => Some("run the same command again".into()),
            Self::Io { source, .. } => io_remedy(source),
            Self::Parquet { source, .. } => full_disk(&source.to_string()),
            _ => None,
        }
    }
}

fn io_remedy(error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("the lake must be writable; --lake DIR names another directory".into())
        }
        _ => full_disk(&error.to_string()),
    }
}

/// The hint for a full disk, which is recognised by the words of the operating system: Parquet's errors keep no code.
fn full_disk(reason: &str) -> Option<String> {
    let full = ["No space left", "quota exceeded", "File too large"].iter().any(|sign| reason.contains(sign));
    full.then(|| {
        "free disk space or name another --lake, then run the same command: finished work is kept".into()
    })
}

impl Explain for IngestError {
    fn exit(&self) -> Exit {
        match self {
            Self::Lake(e) => e.exit(),
            Self::Read { .. } => Exit::Failure,
            Self::Open { source, .. } if source.kind() != io::ErrorKind::NotFound => Exit::Failure,
            _ => Exit::Usage,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Lake(e) => e.remedy(),
            Self::UnknownTask { .. } => Some("--prompts FILE brings prompts of your own".into()),
            Self::Refused { kind: "items", .. } => Some(
                "an item has columns of any name; `item_id`, `expected` and `choices` are its fields, and map = { expected = \
                 \"COLUMN\" } names other columns (docs/prompts.md)"
                    .into(),
            ),
            Self::Refused { .. } | Self::Columns { .. } => Some(
                "one object a line: {\"text\", and as need be \"expected\", \"prompt_id\", \"item_id\", \"condition\", \
                 \"n_examples\", \"params\", \"segments\": [{\"role\", \"text\"}]}; --map text=COLUMN names other columns"
                    .into(),
            ),
            Self::Open { .. } => {
                Some("check the path; .jsonl, .json, .csv, .tsv, .parquet and .arrow files are accepted".into())
            }
            Self::Empty { .. } => Some("a file has one prompt or item a line or row".into()),
            Self::Parquet { .. } | Self::Arrow { .. } => {
                Some("the extension says the format: .jsonl, .json, .csv, .tsv, .parquet, .arrow or .feather".into())
            }
            Self::TaskName { .. } => Some("--task takes a plain name, such as `my_task`".into()),
            _ => None,
        }
    }
}

impl Explain for SourceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. }
            | Self::Name { .. }
            | Self::PypiForm { .. }
            | Self::Missing { .. }
            | Self::NotAModel { .. }
            | Self::NoMember { .. } => Exit::Usage,
            Self::Hub(e) if e.is_bad_input() => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn remedy(&self) -> Option<String> {
        Some(self.remedy())
    }
}

impl Explain for ExtractError {
    fn exit(&self) -> Exit {
        match self {
            Self::Lake(e) => e.exit(),
            Self::Source(e) => e.exit(),
            Self::Forward(_) | Self::NonFinite { .. } => Exit::Failure,
            _ => Exit::Usage,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Lake(e) => e.remedy(),
            Self::Source(e) => Explain::remedy(e),
            Self::UnknownTask { task, available } if available.is_empty() => {
                Some(format!("{} puts prompts into the lake first", ingest_command(task)))
            }
            Self::UnknownTask { task, available } => {
                let names = available.iter().map(String::as_str);
                let meant = closest(task, names).map(|m| format!("did you mean `{m}`? "));
                Some(format!("{}the lake has: {}", meant.unwrap_or_default(), available.join(", ")))
            }
            Self::Model { state: ModelFileState::Damaged, .. } => {
                Some("fetch the file again, or use a known model: `hypercolumn models` lists them".into())
            }
            Self::Model { state: ModelFileState::Unsupported, .. } => {
                Some("`hypercolumn models` lists known models; docs/models.md says what is read".into())
            }
            Self::NameTaken { .. } => Some(
                "--model-name NAME (in a study: model_name) gives this model a name of its own; --lake DIR names \
                 another lake"
                    .into(),
            ),
            Self::ChatTemplate { .. } => Some(
                "--chat-template=NAME chooses a template, --chat-template=none reads bare prompts".into(),
            ),
            Self::TooLong { .. } => Some("shorten these prompts or leave them out, or lower max_new_tokens".into()),
            Self::Memory { .. } => Some(
                "raise --memory where the machine has more; max_new_tokens = 0 keeps less in memory".into(),
            ),
            _ => None,
        }
    }
}

impl Explain for CatalogError {
    fn exit(&self) -> Exit {
        match self {
            Self::Lake(e) => e.exit(),
            other if other.is_bad_input() => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Lake(e) => e.remedy(),
            Self::Engine { .. } => Some(format!("{} lists what is damaged", lake_command(&["verify"]))),
            Self::NotWhole { .. } => Some(format!(
                "run the stage again that wrote it, or {}, which takes lost files off the record",
                lake_command(&["repair"])
            )),
            Self::Sql { .. } => Some(format!(
                "`hypercolumn tables` describes the tables; {} shows the params",
                lake_command(&["sql", "DESCRIBE prompt_params"])
            )),
            Self::NotAQuestion { .. } => {
                Some(format!("for example: {}", lake_command(&["sql", "SELECT * FROM behavior"])))
            }
            Self::Expression { key, .. } => Some(expression_hint(key)),
            _ => None,
        }
    }
}

impl Explain for AnalyzeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Catalog(e) => e.exit(),
            other if other.is_bad_input() => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Catalog(e) => e.remedy(),
            Self::UnknownTask { .. } => Some(format!(
                "{} puts the study's tasks into the lake; {} does every stage",
                study_command(&["ingest"]),
                study_command(&["run"])
            )),
            Self::Stale { task, .. } => Some(format!(
                "{} lets the model read the new prompts of `{task}`; {} does every stage",
                study_command(&["extract"]),
                study_command(&["run"])
            )),
            Self::NotExtracted { .. } => Some(format!("run {} first", study_command(&["extract"]))),
            Self::Incomplete { .. } => Some(format!("{} resumes from there", study_command(&["extract"]))),
            _ => None,
        }
    }
}

/// The command that puts a task into the lake: of the study, or else of a built-in task or a file.
fn ingest_command(task: &str) -> String {
    match Generator::names().any(|name| name == task) {
        _ if has_study() => study_command(&["ingest"]),
        true => lake_command(&["ingest", "--task", task]),
        false => lake_command(&["ingest", "--task", task, "--prompts", "FILE"]),
    }
}

/// The hint for an SQL expression of a study: the rows and columns that it may use.
fn expression_hint(key: &str) -> String {
    const PROMPT: &str = "prompt_id, item_id, condition, n_examples, text, expected and its params";
    match key {
        "sql" => format!("it is over two prompts, `a` and `b`, each with {PROMPT}"),
        "query" | "relevant" | "irrelevant" => {
            format!("it is over one segment, with role, segment and its prompt's columns: {PROMPT}")
        }
        _ => format!("it is over one prompt, with {PROMPT}"),
    }
}

impl Explain for ReportError {
    fn exit(&self) -> Exit {
        match self {
            Self::Question { source, .. } | Self::Catalog(source) => source.exit(),
            _ => Exit::Failure,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            Self::Write { .. } => Some("--report PATH names another file".into()),
            Self::Catalog(source) => source.remedy(),
            _ => Some(format!("{} computes what the report shows", study_command(&["analyze"]))),
        }
    }
}
