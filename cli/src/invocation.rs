//! The lake, study and model of this process's command line, which a hinted command repeats, so that it works as it stands.

use crate::args::{Command, LakeOption, ModelOptions, PromptsAction, PromptsArgs, StudyOption};
use std::path::Path;
use std::sync::OnceLock;

/// The lake of a command that names none.
const DEFAULT_LAKE: &str = "lake";

static REPEATED: OnceLock<Repeated> = OnceLock::new();

/// Arguments of this process that hints repeat.
#[derive(Debug, Default)]
struct Repeated {
    lake: Vec<String>,
    study: Vec<String>,
    model: Vec<String>,
}

/// Keeps what later hints repeat of `command`.
pub fn remember(command: &Command) {
    let (study, model, lake) = match command {
        Command::Run(args) => (Some(&args.study), Some(&args.model), Some(&args.lake)),
        Command::Plan(args) => (Some(&args.study), Some(&args.model), Some(&args.lake)),
        Command::Ingest(args) => (Some(&args.study), None, Some(&args.lake)),
        Command::Extract(args) => (Some(&args.study), Some(&args.model), Some(&args.lake)),
        Command::Analyze(args) | Command::Report(args) => {
            (Some(&args.study), Some(&args.model), Some(&args.lake))
        }
        Command::Sql(args) => (None, None, Some(&args.lake)),
        Command::Verify(args) | Command::History(args) => (None, None, Some(&args.lake)),
        Command::Status(args) => (Some(&args.study), Some(&args.model), Some(&args.lake)),
        Command::Diff(args) => (None, None, Some(&args.lake)),
        Command::Repair(args) => (None, None, Some(&args.lake)),
        Command::Drop(args) => (None, None, Some(&args.lake)),
        Command::Gc(args) => (None, None, Some(&args.lake)),
        Command::Prompts(PromptsArgs { action: PromptsAction::Show(args) }) => (None, None, Some(&args.lake)),
        Command::Models(_)
        | Command::Tables(_)
        | Command::Keys(_)
        | Command::Completions(_)
        | Command::Man(_) => (None, None, None),
    };
    let repeated = Repeated {
        lake: lake.map_or_else(Vec::new, |LakeOption { lake }| lake_arguments(lake)),
        study: study.map_or_else(Vec::new, study_arguments),
        model: model.map_or_else(Vec::new, model_arguments),
    };
    REPEATED.set(repeated).expect("the command line is parsed once");
}

/// The command `words` about this process's lake, in backticks.
pub fn lake_command(words: &[&str]) -> String {
    let repeated = repeated();
    quoted(words.iter().copied().chain(texts(&repeated.lake)))
}

/// The command `words` about this process's study, model and lake, in backticks.
pub fn study_command(words: &[&str]) -> String {
    let Repeated { lake, study, model } = repeated();
    // Prompts are the same for every model.
    let model = if words == ["ingest"] { &[] } else { model.as_slice() };
    quoted(words.iter().copied().chain(texts(study)).chain(texts(model)).chain(texts(lake)))
}

/// This process's study, model and lake as arguments for a shell.
pub fn shown_arguments() -> String {
    let Repeated { lake, study, model } = repeated();
    joined(texts(study).chain(texts(model)).chain(texts(lake)))
}

/// The command `words` about this process's lake and a study whose arguments are given, in backticks.
pub fn command_of_study(words: &[&str], study: &[String]) -> String {
    quoted(words.iter().copied().chain(texts(study)).chain(texts(&repeated().lake)))
}

/// Whether the command line names a study.
pub fn has_study() -> bool {
    !repeated().study.is_empty()
}

/// The arguments that name a study from any directory of this machine; empty for the built-in one.
pub fn lasting_study_arguments(choice: &StudyOption) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let lasting = StudyOption { study: choice.study.as_deref().map(absolute), preset: choice.preset.clone() };
    joined(texts(&study_arguments(&lasting)))
}

fn repeated() -> &'static Repeated {
    REPEATED.get_or_init(Repeated::default)
}

fn texts(arguments: &[String]) -> impl Iterator<Item = &str> {
    arguments.iter().map(String::as_str)
}

fn lake_arguments(lake: &Path) -> Vec<String> {
    match lake == Path::new(DEFAULT_LAKE) {
        true => Vec::new(),
        false => vec!["--lake".to_owned(), lake.display().to_string()],
    }
}

fn study_arguments(choice: &StudyOption) -> Vec<String> {
    match (&choice.study, &choice.preset) {
        (Some(path), _) => vec![path.display().to_string()],
        (None, Some(name)) => vec!["--preset".to_owned(), name.clone()],
        (None, None) => Vec::new(),
    }
}

fn model_arguments(options: &ModelOptions) -> Vec<String> {
    let named = [("--model", &options.model), ("--model-name", &options.model_name)];
    let given = named.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value.clone()?]));
    given.flatten().collect()
}

fn quoted<'a>(arguments: impl Iterator<Item = &'a str>) -> String {
    format!("`hypercolumn {}`", joined(arguments))
}

/// Arguments as a shell takes them.
fn joined<'a>(arguments: impl Iterator<Item = &'a str>) -> String {
    // Only a NUL, which no argument holds, has no spelling.
    shlex::try_join(arguments).unwrap_or_default()
}
