//! Which steps are selected, whether what they depend on is there, and what is left behind.

use super::Graph;
use super::grammar::{self, Expression, Selector, Term};
use super::planned::{Action, Planned};
use crate::failure::Failure;
use crate::invocation::study_command;
use crate::progress::Reporter;
use crate::select_options::SelectOptions;
use std::collections::BTreeSet;

/// The selected steps.
#[derive(Debug)]
pub struct Choice {
    /// Whether each step is selected.
    pub is_selected: Vec<bool>,
    /// What is not selected and does not follow from what the lake will hold.
    pub left_stale: Vec<usize>,
}

impl Choice {
    /// All steps.
    pub fn all(graph: &Graph) -> Self {
        Self { is_selected: vec![true; graph.steps.len()], left_stale: Vec::new() }
    }

    /// Says what is left behind.
    pub fn say_left_stale(&self, graph: &Graph, reporter: &Reporter) {
        if !self.left_stale.is_empty() {
            let names = graph.names(&self.left_stale);
            reporter.say(&format!("not selected, and to be made again: {names}"));
        }
    }

    /// The numbers of the selected steps.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.is_selected.iter().enumerate().filter(|(_, is)| **is).map(|(number, _)| number)
    }
}

/// The steps that `options` select of a study that is planned as `planned`.
///
/// # Errors
/// A usage failure for an expression that is none or selects nothing, and for a step that depends on one that would run
/// and is not selected.
pub fn choose(graph: &Graph, planned: &[Planned], options: &SelectOptions) -> Result<Choice, Failure> {
    let expressions = grammar::parse(&options.select, graph)?;
    let mut selected: BTreeSet<usize> = BTreeSet::new();
    if options.select.is_empty() {
        selected.extend(0..graph.steps.len());
    }
    for (expression, text) in expressions.iter().zip(texts(options)) {
        let found = steps_of(expression, graph, planned);
        let depends_on_state = expression.iter().any(|term| term.selector == Selector::Modified);
        if found.is_empty() && !depends_on_state {
            return Err(nothing(text, graph));
        }
        selected.extend(found);
    }
    let until = |number: &usize| options.until.is_none_or(|last| graph.steps[*number].stage <= last);
    let has_some = !selected.is_empty();
    selected.retain(until);
    if let (true, true, Some(last)) = (has_some, selected.is_empty(), options.until) {
        return Err(nothing(&format!("{} --until {}", options.select.join(" "), last.name()), graph));
    }
    let is_selected: Vec<bool> = (0..graph.steps.len()).map(|number| selected.contains(&number)).collect();
    let choice = Choice { left_stale: left_stale(graph, planned, &is_selected), is_selected };
    refuse_stale_inputs(graph, planned, &choice)?;
    Ok(choice)
}

fn texts(options: &SelectOptions) -> impl Iterator<Item = &str> {
    options.select.iter().flat_map(|value| value.split_whitespace())
}

fn steps_of(expression: &Expression, graph: &Graph, planned: &[Planned]) -> BTreeSet<usize> {
    let sets = expression.iter().map(|term| term.steps(graph, planned));
    sets.reduce(|a, b| a.intersection(&b).copied().collect()).unwrap_or_default()
}

impl Term {
    fn steps(&self, graph: &Graph, planned: &[Planned]) -> BTreeSet<usize> {
        let is_modified = |number: usize| planned[number].action == Action::Run;
        let named = (0..graph.steps.len())
            .filter(|number| self.selector.names(&graph.steps[*number], is_modified(*number)));
        let mut found: BTreeSet<usize> = BTreeSet::new();
        for number in named {
            found.insert(number);
            found.extend(graph.ancestors(number, self.n_before));
            found.extend(graph.descendants(number, self.n_behind));
        }
        found
    }
}

/// The refusal of an expression that selects no step.
fn nothing(text: &str, graph: &Graph) -> Failure {
    let names = grammar::names(graph).join(", ");
    let tasks: Vec<String> = graph.tasks().into_iter().map(|task| format!("task:{task}")).collect();
    Failure::usage(format!("could not select `{}`", text.trim())).because("it matches no step").hint(format!(
        "there are {names}, {}, model:{}, state:modified",
        tasks.join(", "),
        graph.model
    ))
}

/// Refuses a selected step that depends on a step that would run and is not selected.
fn refuse_stale_inputs(graph: &Graph, planned: &[Planned], choice: &Choice) -> Result<(), Failure> {
    for number in choice.numbers() {
        let is_stale =
            |before: &usize| !choice.is_selected[*before] && planned[*before].action == Action::Run;
        let stale: Vec<usize> = graph.ancestors(number, usize::MAX).into_iter().filter(is_stale).collect();
        let Some(first) = stale.first() else { continue };
        let reason = &planned[*first].reason;
        let more =
            if stale.len() > 1 { format!("; so would {}", graph.names(&stale[1..])) } else { String::new() };
        return Err(Failure::usage(format!("could not select `{}`", graph.name(number)))
            .because(format!(
                "it depends on `{}`, which is not selected and would run: {reason}{more}",
                graph.name(*first)
            ))
            .hint(format!(
                "a `+` before a selection takes in what it depends on; {} does every step",
                study_command(&["run"])
            )));
    }
    Ok(())
}

/// The steps that are not selected and would run, now or because of what is selected.
fn left_stale(graph: &Graph, planned: &[Planned], is_selected: &[bool]) -> Vec<usize> {
    // What an unselected step would change is not changed, but a selected one is.
    let is_left = |number: &usize| !is_selected[*number] && planned[*number].action == Action::Run;
    (0..graph.steps.len()).filter(is_left).collect()
}
