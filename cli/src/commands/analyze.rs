//! `analyze`: a study's questions, asked of the lake, and the report.

use super::{findings, open, report};
use crate::args::AnalyzeArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::{Reporter, duration};
use crate::resolve::{ResolvedStudy, resolve_study};
use hypercolumn_analyze::Action;
use hypercolumn_schemas::Lake;
use std::path::Path;
use std::time::Instant;

pub fn run(args: &AnalyzeArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let study = resolve_study(args.study.as_deref(), &args.model)?;
    let lake = open(&args.lake.lake)?;
    let path = args.report.clone().unwrap_or_else(|| lake.root().join(report::REPORT_NAME));
    analyze(&lake, &study, &path, reporter)?;
    Ok(Exit::Success)
}

/// Asks the questions that have no answer in the lake yet, writes the report, prints the findings.
pub fn analyze(lake: &Lake, study: &ResolvedStudy, path: &Path, reporter: &Reporter) -> Result<(), Failure> {
    let model = study.model.name.clone();
    let started = Instant::now();
    let outcomes = hypercolumn_analyze::run(lake, &model, &study.questions, reporter)
        .map_err(could_not("analyze", lake.root().display()))?;
    let n_run = outcomes.iter().filter(|o| o.step.action == Action::Run).count();
    reporter.say(&match n_run {
        0 => format!("analyze: all {} steps reused", outcomes.len()),
        n => format!("analyze: {n} of {} steps run in {}", outcomes.len(), duration(started.elapsed())),
    });
    report::write(lake, study, path)?;
    let tasks: Vec<_> = study.tasks.iter().map(|t| t.name.clone()).collect();
    findings::show(lake, &model, &tasks, reporter)?;
    super::print(&format!("\nreport: {}\n", path.display()))
}
