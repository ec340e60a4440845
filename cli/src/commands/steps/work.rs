//! The selected steps carried out, in the order of work.

use super::{Choice, Graph};
use crate::commands::{analyze, extract, findings, ingest, print, report};
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::Reporter;
use crate::resolve::ResolvedStudy;
use crate::select_options::Stage;
use hypercolumn_analyze::{FailureCause, OnFailure, Order, StepFailure, StepName};
use hypercolumn_extract::model::source::ResolvedModel;
use hypercolumn_extract::stage::resources::Resources;
use hypercolumn_schemas::{Lake, Recompute};
use std::collections::BTreeMap;
use std::path::Path;

/// What is carried out, and where.
pub struct Work<'a> {
    pub lake: &'a Lake,
    pub study: &'a ResolvedStudy,
    pub graph: &'a Graph,
    pub choice: &'a Choice,
    /// The model, where a step needs its files.
    pub model: Option<&'a ResolvedModel>,
    pub resources: &'a Resources,
    pub recompute: Recompute,
    pub on_failure: OnFailure,
    pub report: &'a Path,
}

/// Steps that were not done: each with the step that it needs, or none if it failed itself.
type NotDone = BTreeMap<usize, Option<usize>>;

/// Carries out the selected steps; what failed and what was skipped is said at the end.
///
/// # Errors
/// The first failure, unless [`OnFailure::KeepGoing`] is asked for.
pub fn carry_out(work: &Work<'_>, reporter: &Reporter) -> Result<Exit, Failure> {
    let mut run = Run { work, reporter, not_done: NotDone::new() };
    run.ingest_and_extract()?;
    run.analyze()?;
    run.report()?;
    Ok(run.summarize())
}

struct Run<'a> {
    work: &'a Work<'a>,
    reporter: &'a Reporter,
    not_done: NotDone,
}

impl Run<'_> {
    fn selected(&self, is_of: impl Fn(Stage) -> bool) -> Vec<usize> {
        let Work { graph, choice, .. } = self.work;
        choice.numbers().filter(|number| is_of(graph.steps[*number].stage)).collect()
    }

    fn ingest_and_extract(&mut self) -> Result<(), Failure> {
        let Work { lake, study, graph, model, resources, recompute, .. } = self.work;
        for number in self.selected(|stage| stage <= Stage::Extract) {
            let step = &graph.steps[number];
            let Some(task) = study.tasks.iter().find(|task| Some(&task.name) == step.task.as_ref()) else {
                continue;
            };
            let reporter = self.reporter;
            self.attempt(number, || match (step.stage, model) {
                (Stage::Extract, Some(model)) => {
                    let (name, settings) = (&task.name, &task.extract);
                    extract::extract(lake, name, model, settings, resources, *recompute, reporter).map(drop)
                }
                _ => ingest::ingest(lake, task, *recompute, reporter),
            })?;
        }
        Ok(())
    }

    fn analyze(&mut self) -> Result<(), Failure> {
        let Work { lake, study, graph, recompute, on_failure, .. } = self.work;
        let mut numbers = self.selected(|stage| stage == Stage::Analyze);
        numbers.retain(|number| !self.skip(*number));
        if numbers.is_empty() {
            return Ok(());
        }
        let named: BTreeMap<StepName, usize> =
            numbers.iter().filter_map(|n| Some((graph.steps[*n].analysis_name()?, *n))).collect();
        let order = Order {
            selected: Some(named.keys().cloned().collect()),
            recompute: *recompute,
            on_failure: *on_failure,
        };
        match analyze::compute(lake, study, &order, self.reporter) {
            Ok(failures) => {
                for StepFailure { step, cause } in failures {
                    let number = named[&step.name()];
                    match cause {
                        FailureCause::Needs(needed) => {
                            self.not_done.insert(number, Some(named[&needed]));
                        }
                        FailureCause::Error(error) => {
                            self.fail(number, could_not("analyze", graph.subject(number))(error))?;
                        }
                    }
                }
            }
            Err(failure) => {
                self.fail(numbers[0], failure)?;
                self.not_done.extend(numbers[1..].iter().map(|number| (*number, None)));
            }
        }
        findings::show(lake, study, self.reporter)
    }

    fn report(&mut self) -> Result<(), Failure> {
        let Work { lake, study, report, .. } = self.work;
        for number in self.selected(|stage| stage == Stage::Report) {
            self.attempt(number, || {
                report::write(lake, study, report)?;
                print(&format!("\nreport: {}\n", report.display()))
            })?;
        }
        Ok(())
    }

    /// Does a step unless it has to be skipped.
    fn attempt(&mut self, number: usize, act: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        if self.skip(number) {
            return Ok(());
        }
        match act() {
            Ok(()) => Ok(()),
            Err(failure) => self.fail(number, failure),
        }
    }

    /// Whether a step depends on one that was not done; that is noted.
    fn skip(&mut self, number: usize) -> bool {
        let needs = &self.work.graph.steps[number].needs;
        let needed = needs.iter().find(|needed| self.not_done.contains_key(needed)).copied();
        if needed.is_some() {
            self.not_done.insert(number, needed);
        }
        needed.is_some()
    }

    /// Notes the failure of a step, or ends the run with it.
    fn fail(&mut self, number: usize, failure: Failure) -> Result<(), Failure> {
        match (&failure, self.work.on_failure) {
            (Failure::Message(_), OnFailure::KeepGoing) => {
                let _ = failure.show();
                self.not_done.insert(number, None);
                Ok(())
            }
            _ => Err(failure),
        }
    }

    /// Says what failed and what was skipped because of it.
    fn summarize(&self) -> Exit {
        let Work { graph, choice, .. } = self.work;
        for (number, needed) in &self.not_done {
            let name = graph.name(*number);
            self.reporter.warn(&match needed {
                None => format!("failed: {name}"),
                Some(needed) => format!("skipped: {name}, which needs {}", graph.name(*needed)),
            });
        }
        choice.say_left_stale(graph, self.reporter);
        if self.not_done.is_empty() { Exit::Success } else { Exit::Failure }
    }
}
