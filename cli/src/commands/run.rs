//! `run`: a study from its prompts to its report.

use super::{analyze, create, extract, ingest, models};
use crate::args::RunArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::{Reporter, duration};
use crate::resolve::{ModelNeed, ResolvedStudy, resolve_study};
use std::time::Instant;

pub fn run(args: &RunArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let started = Instant::now();
    let study = resolve_study(&args.study, &args.model, ModelNeed::Files)?.with_template(&args.chat);
    check(&study)?;
    let model = study.model.named(models::fetch(&study.model.source, reporter)?);
    let resources = args.resources.resources();
    let lake = create(&args.lake.lake)?;
    ingest::ingest(&lake, &study.tasks, reporter)?;
    for task in &study.tasks {
        extract::extract(&lake, &task.name, &model, &task.extract, &resources, reporter)?;
    }
    let path = args.report.clone().unwrap_or_else(|| lake.report_path(&study.name));
    analyze::analyze(&lake, &study, &path, reporter)?;
    reporter.say(&format!("done in {}", duration(started.elapsed())));
    Ok(Exit::Success)
}

/// Asks the study's questions of its prompts alone, so that a wrong one is refused before the model runs.
fn check(study: &ResolvedStudy) -> Result<(), Failure> {
    let rows = ingest::rows(&study.tasks)?;
    hypercolumn_analyze::check(&rows, &study.questions).map_err(could_not("use study", &study.label))
}
