//! `run`: a study from its prompts to its report.

use super::{analyze, create, extract, ingest, models};
use crate::args::RunArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::{Reporter, duration};
use crate::resolve::{ModelNeed, check_study};
use std::time::Instant;

pub fn run(args: &RunArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let started = Instant::now();
    let study = check_study(&args.study, &args.model, ModelNeed::Files)?.study.with_template(&args.chat);
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
