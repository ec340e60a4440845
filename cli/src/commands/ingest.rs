//! `ingest`: prompts into the lake.

use super::create;
use crate::args::{IngestArgs, ModelOptions};
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output::format_count;
use crate::progress::Reporter;
use crate::resolve::{ModelNeed, ResolvedTask, resolve_prompts, resolve_study};
use hypercolumn_analyze::TaskDesign;
use hypercolumn_extract::stage::settings::Settings;
use hypercolumn_ingest::{ColumnMap, Generator, PromptSource, PromptsFile};
use hypercolumn_schemas::{Lake, Recompute};

pub fn run(args: &IngestArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    // Prompts that are refused must not leave an empty lake behind.
    let is_new = !args.lake.lake.exists();
    let tasks = match &args.task {
        None if is_new => resolve_prompts(&args.study)?.tasks,
        None => resolve_study(&args.study, &ModelOptions::default(), ModelNeed::Name)?.tasks,
        Some(name) => {
            let source = source_of(name, args)?;
            if is_new {
                hypercolumn_ingest::rows(name, &source).map_err(could_not("ingest", name))?;
            }
            let (design, extract) = (TaskDesign::default(), Settings::default());
            vec![ResolvedTask { name: name.clone(), source, design, extract }]
        }
    };
    let lake = create(&args.lake.lake)?;
    tasks.iter().try_for_each(|task| ingest(&lake, task, Recompute::Changed, reporter))?;
    Ok(Exit::Success)
}

fn source_of(name: &str, args: &IngestArgs) -> Result<PromptSource, Failure> {
    match &args.prompts {
        Some(path) => {
            let map =
                ColumnMap::parse(args.map.iter().map(String::as_str)).map_err(could_not("ingest", name))?;
            Ok(PromptSource::File(PromptsFile { path: path.clone(), map }))
        }
        None => Generator::from_name(name).map(PromptSource::Generator).map_err(could_not("ingest", name)),
    }
}

/// Puts the prompts of a task into the lake.
pub fn ingest(
    lake: &Lake,
    task: &ResolvedTask,
    recompute: Recompute,
    reporter: &Reporter,
) -> Result<(), Failure> {
    let outcome = hypercolumn_ingest::ingest(lake, &task.name, &task.source, recompute)
        .map_err(could_not("ingest", &task.name))?;
    for message in &outcome.messages {
        reporter.say(&format!("ingest {}: {message}", task.name));
    }
    for warning in &outcome.warnings {
        reporter.warn(&format!("{}: {warning}", task.name));
    }
    let how = if outcome.reused { "reused" } else { "written" };
    reporter.say(&format!(
        "ingest {}: {} prompts, {} segments {how}",
        task.name,
        format_count(outcome.n_prompts),
        format_count(outcome.n_segments)
    ));
    Ok(())
}
