//! The grammar of `--select`: dbt's, over the steps of a study.
//!
//! A selection is a union of expressions, an expression an intersection of terms (with commas), and a term is what it
//! names, with the steps before (`+X`, `2+X`) and behind it (`X+`, `X+2`).

use super::{Graph, Step};
use crate::failure::Failure;
use crate::select_options::Stage;
use crate::suggestion::suggest;
use hypercolumn_analyze::ANALYSES;

/// What a term names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selector {
    Stage(Stage),
    Analysis(&'static str),
    Task(String),
    Model(String),
    Modified,
}

/// A selector with the number of levels of steps before and behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) text: String,
    pub(super) n_before: usize,
    pub(super) n_behind: usize,
    pub(super) selector: Selector,
}

/// The terms that an expression intersects.
pub(super) type Expression = Vec<Term>;

/// Reads the values of `--select`; spaces within one separate expressions too.
pub(super) fn parse(values: &[String], graph: &Graph) -> Result<Vec<Expression>, Failure> {
    let expressions = values.iter().flat_map(|value| value.split_whitespace());
    expressions.map(|text| text.split(',').map(|term| parse_term(term, graph)).collect()).collect()
}

fn parse_term(text: &str, graph: &Graph) -> Result<Term, Failure> {
    let (n_before, rest) = match text.split_once('+') {
        Some((levels, rest)) if levels.chars().all(|c| c.is_ascii_digit()) => (read_levels(levels), rest),
        _ => (0, text),
    };
    let (body, n_behind) = match rest.rsplit_once('+') {
        Some((body, levels)) if levels.chars().all(|c| c.is_ascii_digit()) => (body, read_levels(levels)),
        _ => (rest, 0),
    };
    Ok(Term { text: text.to_owned(), n_before, n_behind, selector: parse_selector(body, graph)? })
}

/// A number of levels; all of them where none is given.
fn read_levels(text: &str) -> usize {
    text.parse().unwrap_or(usize::MAX)
}

fn parse_selector(text: &str, graph: &Graph) -> Result<Selector, Failure> {
    let refuse = || Failure::usage(format!("could not select `{text}`"));
    match text.split_once(':') {
        Some(("task", task)) => {
            let tasks: Vec<&str> = graph.tasks();
            match tasks.contains(&task) {
                true => Ok(Selector::Task(task.to_owned())),
                false => {
                    Err(refuse().because("the study has no such task").hint(suggest(task, "tasks", &tasks)))
                }
            }
        }
        Some(("model", model)) if model == graph.model => Ok(Selector::Model(model.to_owned())),
        Some(("model", model)) => Err(refuse().because("it is not the study's model").hint(suggest(
            model,
            "models",
            &[graph.model.as_str()],
        ))),
        Some(("state", "modified")) => Ok(Selector::Modified),
        Some(("state", _)) => Err(refuse().hint("`state:modified` selects the steps that would run")),
        Some((method, _)) => Err(refuse().because(format!("there is no method `{method}`")).hint(METHODS)),
        None => parse_name(text).ok_or_else(|| unknown(text, graph)),
    }
}

const METHODS: &str = "accepted: a stage, an analysis, `task:NAME`, `model:NAME`, `state:modified`";

fn parse_name(name: &str) -> Option<Selector> {
    let stage = Stage::ALL.into_iter().find(|stage| stage.name() == name).map(Selector::Stage);
    let analysis = || ANALYSES.into_iter().map(|analysis| analysis.name()).find(|n| *n == name);
    stage.or_else(|| analysis().map(Selector::Analysis))
}

/// The refusal of a name that is neither a stage nor an analysis.
fn unknown(name: &str, graph: &Graph) -> Failure {
    let failure = Failure::usage(format!("could not select `{name}`"));
    if graph.tasks().contains(&name) {
        return failure.because("it is a task").hint(format!("`task:{name}` selects its steps"));
    }
    if std::path::Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        return failure
            .because("no step is called so")
            .hint("the study goes before the option: run STUDY --select EXPR");
    }
    failure.because("no step is called so").hint(suggest(name, "names", &names(graph)))
}

/// Every name and method with a value that selects something.
pub(super) fn names(graph: &Graph) -> Vec<&str> {
    let stages = Stage::ALL.into_iter().map(Stage::name);
    let is_there = |name: &&'static str| graph.steps.iter().any(|step| step.analysis == Some(*name));
    stages.chain(ANALYSES.into_iter().map(|analysis| analysis.name()).filter(is_there)).collect()
}

impl Graph {
    pub(super) fn tasks(&self) -> Vec<&str> {
        let ingests = self.steps.iter().filter(|step| step.stage == Stage::Ingest);
        ingests.filter_map(|step| step.task.as_deref()).collect()
    }
}

impl Selector {
    /// Whether it names a step; `is_modified` says whether that one would run.
    pub(super) fn names(&self, step: &Step, is_modified: bool) -> bool {
        match self {
            Self::Stage(stage) => step.stage == *stage,
            Self::Analysis(analysis) => step.analysis == Some(*analysis),
            Self::Task(task) => step.task.as_deref() == Some(task),
            // The study has one model, which reads the prompts of no step before the extraction.
            Self::Model(_) => step.stage != Stage::Ingest,
            Self::Modified => is_modified,
        }
    }
}
