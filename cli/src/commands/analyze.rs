//! `analyze`: a study's questions, asked of the lake, and the report.

use super::{findings, open, report};
use crate::args::AnalyzeArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::model_argument;
use crate::progress::{Reporter, duration};
use crate::resolve::{ModelNeed, ResolvedStudy, resolve_study};
use hypercolumn_analyze::{Action, Order, RunOutcome, StepFailure};
use hypercolumn_schemas::Lake;
use std::time::Instant;

pub fn run(args: &AnalyzeArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let study = resolve_study(&args.study, &args.model, ModelNeed::Name)?;
    let lake = open(&args.lake.lake)?;
    check_model(&lake, &study)?;
    compute(&lake, &study, &Order::default(), reporter)?;
    let path = args.report.clone().unwrap_or_else(|| lake.report_path(&study.name));
    report::write(&lake, &study, &path)?;
    findings::show(&lake, &study, reporter)?;
    super::print(&format!("\nreport: {}\n", path.display()))?;
    Ok(Exit::Success)
}

/// Refuses a model whose content is not that of the lake's model of the same name. Only the name of a model that is not
/// on this machine can be compared.
fn check_model(lake: &Lake, study: &ResolvedStudy) -> Result<(), Failure> {
    let Some(model) = study.model.cached(&model_argument::caches()?) else { return Ok(()) };
    let snapshot = lake.snapshot().map_err(could_not("read lake", lake.root().display()))?;
    hypercolumn_extract::check_model(&snapshot, &model).map_err(could_not("analyze", lake.root().display()))
}

/// Computes the steps of `order` that the lake does not hold yet. Returns the steps that failed, if `order` continues after a failure.
pub fn compute(
    lake: &Lake,
    study: &ResolvedStudy,
    order: &Order,
    reporter: &Reporter,
) -> Result<Vec<StepFailure>, Failure> {
    let started = Instant::now();
    let RunOutcome { outcomes, failures } =
        hypercolumn_analyze::run_steps(lake, &study.model.name, &study.questions, order, reporter)
            .map_err(could_not("analyze", lake.root().display()))?;
    let n_run = outcomes.iter().filter(|o| o.step.action == Action::Run).count();
    reporter.say(&match n_run {
        0 => format!("analyze: all {} steps reused", outcomes.len()),
        n => format!("analyze: {n} of {} steps run in {}", outcomes.len(), duration(started.elapsed())),
    });
    Ok(failures)
}
